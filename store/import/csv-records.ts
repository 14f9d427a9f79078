import type { BrokenRow } from './table.ts';

/** A record longer than this is a quote that was never closed. */
const RECORD_CHARS_MAX = 16 * 1024 * 1024;

export interface CsvPart {
  readonly records: string[][];
  /** Of each record the line it begins at, from 1. */
  readonly lines: number[];
  readonly broken: BrokenRow[];
  /** Records with a quote inside of a field that was not doubled, and could be read all the same. */
  quotesMended: number;
}

interface Quoted {
  readonly cells: string[];
  /** Behind the record and its line break. */
  readonly end: number;
}

/**
 * Splits text into records by RFC 4180, in parts as they come. Lines without a quote, which are nearly all, are cut by
 * the engine's own search; only others are looked at sign by sign. A record that breaks the rules costs that line and
 * nothing behind it: a quote that stays open does not swallow the rest of the file.
 */
export class CsvSplitter {
  /** Columns of the header; unknown (0) until it was read. */
  width = 0;
  readonly #delimiter: string;
  readonly #eol: string;
  #rest = '';
  #line = 1;
  /** Within a line that is too long to be held: all of it is dropped, and told once. */
  #isSkipping = false;

  /** @param eol `\r` for files of old Macs, else `\n`, which `\r\n` ends with */
  constructor(delimiter: string, eol: '\n' | '\r' = '\n', firstLine = 1) {
    this.#delimiter = delimiter;
    this.#eol = eol;
    this.#line = firstLine;
  }

  /** Where the next record begins. */
  get line(): number {
    return this.#line;
  }

  /** @param cells how many of each line are wanted at most, where lines have no quotes; all by default */
  take(chunk: string, atEnd: boolean, cells?: number): CsvPart {
    const part: CsvPart = { records: [], lines: [], broken: [], quotesMended: 0 };
    const text = this.#rest === '' ? chunk : this.#rest + chunk;
    const eolSign = this.#eol;
    let at = this.#isSkipping ? this.#skip(text) : 0;
    let quote = nextOf(text, '"', at);
    while (at < text.length) {
      let eol = text.indexOf(eolSign, at);
      if (eol < 0) {
        if (!atEnd && text.length - at < RECORD_CHARS_MAX) break;
        if (!atEnd) {
          part.broken.push({ line: this.#line, reason: 'line too long', cells: [] });
          this.#isSkipping = true;
          at = text.length;
          break;
        }
        eol = text.length;
      }
      if (quote < at) quote = nextOf(text, '"', at);
      if (quote >= eol) {
        this.#plain(part, text, at, eol, cells);
        at = eol + 1;
        continue;
      }
      const found = this.#quoted(text, at, atEnd);
      if (found === 'more' && text.length - at < RECORD_CHARS_MAX) break;
      if (typeof found === 'object') {
        part.records.push(found.cells);
        part.lines.push(this.#line);
        this.#line += breaksIn(text, at, found.end, eolSign);
        at = found.end;
      } else {
        this.#lenient(part, text.slice(at, eol));
        at = eol + 1;
      }
    }
    this.#rest = at === 0 ? text : text.slice(at);
    if (atEnd) this.#rest = '';
    return part;
  }

  /** Where the line behind the overlong one begins. */
  #skip(text: string): number {
    const eol = text.indexOf(this.#eol);
    if (eol < 0) return text.length;
    this.#isSkipping = false;
    this.#line += 1;
    return eol + 1;
  }

  #plain(part: CsvPart, text: string, at: number, eol: number, cells: number | undefined): void {
    const end = eol > at && text.charCodeAt(eol - 1) === 13 ? eol - 1 : eol;
    if (end > at) {
      const line = text.slice(at, end);
      // Of an old Mac's lines among others: each is a record of its own.
      if (line.includes('\r')) {
        for (const piece of line.split('\r')) {
          if (piece !== '') this.#push(part, piece.split(this.#delimiter));
        }
      } else this.#push(part, line.split(this.#delimiter, cells));
    }
    this.#line += 1;
  }

  #push(part: CsvPart, record: string[]): void {
    part.records.push(record);
    part.lines.push(this.#line);
  }

  /** By the rules, over as many lines as it takes; `more` where the text ends too early, `bad` where a rule is broken. */
  #quoted(text: string, from: number, atEnd: boolean): Quoted | 'more' | 'bad' {
    const cells: string[] = [];
    const open = atEnd ? 'bad' : 'more';
    for (let at = from; ;) {
      const start = skipBlanks(text, at);
      if (text[start] !== '"') {
        const [end, isLast] = this.#endOfBare(text, at);
        if (end < 0 && !atEnd) return 'more';
        const stop = end < 0 ? text.length : end;
        cells.push(withoutReturn(text.slice(at, stop), isLast));
        if (isLast) return { cells, end: stop + 1 };
        at = stop + 1;
        continue;
      }
      const closed = readQuoted(text, start + 1);
      if (closed === null || (closed.end >= text.length && !atEnd)) return open;
      cells.push(closed.value);
      const behind = skipBlanks(text, closed.end);
      const sign = text[behind];
      if (sign === this.#delimiter) at = behind + 1;
      else if (sign === undefined) return atEnd ? { cells, end: behind + 1 } : 'more';
      else if (sign === this.#eol) return { cells, end: behind + 1 };
      else if (sign === '\r' && text[behind + 1] === this.#eol) return { cells, end: behind + 2 };
      else if (sign === '\r' && text[behind + 1] === undefined && !atEnd) return 'more';
      else return 'bad';
    }
  }

  #endOfBare(text: string, at: number): [end: number, isLast: boolean] {
    const delimiter = text.indexOf(this.#delimiter, at);
    const eol = text.indexOf(this.#eol, at);
    if (delimiter >= 0 && (eol < 0 || delimiter < eol)) return [delimiter, false];
    return [eol, true];
  }

  /** A quote within a field closes it only before a delimiter or the line's end. */
  #lenient(part: CsvPart, whole: string): void {
    const line = whole.endsWith('\r') ? whole.slice(0, -1) : whole;
    const cells = lenientCells(line, this.#delimiter);
    if (cells !== null && (this.width === 0 || cells.length === this.width)) {
      part.quotesMended += 1;
      this.#push(part, cells);
    } else {
      part.broken.push({
        line: this.#line,
        reason: cells === null ? 'quote never closed' : 'quote not doubled',
        cells: [line],
      });
    }
    this.#line += 1;
  }
}

function nextOf(text: string, sign: string, from: number): number {
  const found = text.indexOf(sign, from);
  return found < 0 ? text.length : found;
}

function skipBlanks(text: string, at: number): number {
  let next = at;
  while (text.charCodeAt(next) === 32) next += 1;
  return next;
}

function withoutReturn(text: string, isLast: boolean): string {
  return isLast && text.endsWith('\r') ? text.slice(0, -1) : text;
}

function readQuoted(text: string, from: number): { value: string; end: number } | null {
  let value = '';
  for (let at = from; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return null;
    value += text.slice(at, quote);
    if (text[quote + 1] !== '"') return { value, end: quote + 1 };
    value += '"';
    at = quote + 2;
  }
}

function breaksIn(text: string, from: number, to: number, eol: string): number {
  let count = 0;
  for (let at = text.indexOf(eol, from); at >= 0 && at < to; at = text.indexOf(eol, at + 1)) {
    count += 1;
  }
  return count;
}

/** Null where a quote stays open. `\"` is a quote as well, as some databases write it. */
function lenientCells(line: string, delimiter: string): string[] | null {
  const cells: string[] = [];
  for (let at = 0; ;) {
    const start = skipBlanks(line, at);
    if (line[start] !== '"') {
      const end = line.indexOf(delimiter, at);
      cells.push(end < 0 ? line.slice(at) : line.slice(at, end));
      if (end < 0) return cells;
      at = end + 1;
      continue;
    }
    const found = lenientQuoted(line, start + 1, delimiter);
    if (!found) return null;
    cells.push(found.value);
    if (found.end >= line.length) return cells;
    at = found.end + 1;
  }
}

function lenientQuoted(
  line: string,
  from: number,
  delimiter: string,
): { value: string; end: number } | null {
  let value = '';
  for (let at = from; at < line.length; at += 1) {
    const sign = line[at]!;
    if (sign === '\\' && line[at + 1] === '"') {
      value += '"';
      at += 1;
    } else if (sign !== '"') value += sign;
    else {
      const behind = skipBlanks(line, at + 1);
      if (behind >= line.length || line[behind] === delimiter) return { value, end: behind };
      value += '"';
      if (line[at + 1] === '"') at += 1;
    }
  }
  return null;
}
