import { KairosError } from '../../domain/errors.ts';
import { type ByteSource, type FileKind, openBytes, refuseForeign } from './bytes.ts';
import { type CsvPart, CsvSplitter } from './csv-records.ts';
import { likelyDelimiter } from './delimiter.ts';
import { openText, type TextPart } from './text.ts';
import type { Batch, BrokenRow, Column, Table, TextFormat } from './table.ts';

/** A header longer than this is none. */
const HEADER_CHARS_MAX = 1024 * 1024;

interface Split extends CsvPart {
  /** Places in `records` whose text was not in the file's encoding. */
  readonly recoded: readonly number[];
}

/** @throws KairosError where the file is empty, no text, or packed and cut off */
export async function openCsv(
  path: string,
  bytes: number,
  kind: FileKind,
  format: TextFormat,
): Promise<Table> {
  const source = openBytes(path, kind);
  try {
    return await openSplit(path, bytes, source, format);
  } catch (error) {
    source.destroy();
    throw error;
  }
}

async function openSplit(
  path: string,
  bytes: number,
  source: ByteSource,
  format: TextFormat,
): Promise<Table> {
  const { encoding, parts } = await openText(path, source, format);
  const wanted: { cells: number | undefined } = { cells: undefined };
  const begin = await beginningOf(path, parts, format);
  const splitter = new CsvSplitter(begin.delimiter, begin.eol, begin.line);
  const splits = splitAll(splitter, begin.first, parts, wanted);
  let first = await firstSplit(splits);
  if (!first) throw empty(path);
  const isNamed = format.columns !== undefined;
  const header = headerOf(format.columns ?? takeHeader(first));
  if (!isNamed) first = { ...first, recoded: first.recoded.map((at) => at - 1) };
  const begun = first;
  splitter.width = header.length;
  const columns: Column[] = header.map((name) => ({ name, wallClock: true }));
  const batchOf = (split: Split): Batch =>
    toBatch(split, isNamed ? null : header, columns.length, source, wanted.cells !== undefined);
  return {
    format: 'csv',
    columns,
    bytes,
    delimiter: begin.delimiter,
    encoding,
    indexOf: (name) => uniqueIndex(path, header, name),
    async *batches(indexes, onlyThose = false) {
      if (onlyThose) wanted.cells = Math.max(-1, ...indexes) + 1;
      yield batchOf(begun);
      for await (const next of splits) yield batchOf(next);
    },
    close: async () => {
      source.destroy();
      await splits.return(undefined);
    },
  };
}

function empty(path: string): KairosError {
  return new KairosError('IMPORT_INVALID', `${path}: the file is empty; expected a header line.`);
}

interface Beginning {
  readonly first: TextPart;
  readonly delimiter: string;
  readonly eol: '\n' | '\r';
  /** Of the first line of `first`, from 1. */
  readonly line: number;
}

/** Line ends, delimiter, and what stands above the header, by the first lines. */
async function beginningOf(
  path: string,
  parts: AsyncGenerator<TextPart>,
  format: TextFormat,
): Promise<Beginning> {
  const { value, done } = await parts.next();
  if (done) throw empty(path);
  const head = value.text.slice(0, HEADER_CHARS_MAX);
  refuseForeign(path, Buffer.from(head.slice(0, 4), 'latin1'));
  refuseMarkup(path, head);
  refuseBinary(path, head.slice(0, 4_096));
  const eol = !head.includes('\n') && head.includes('\r') ? '\r' : '\n';
  let text = value.text;
  let skipped = 0;
  for (let left = format.skipLines ?? 0; left > 0; left -= 1) {
    const end = text.indexOf(eol);
    text = end < 0 ? '' : text.slice(end + 1);
    skipped += 1;
  }
  // A line by which Excel is told what stands between the fields.
  const told = /^"?sep=(.)"?\r?(?:\n|$)/i.exec(text);
  if (told) {
    text = text.slice(told[0].length);
    skipped += 1;
  }
  if (text.trimStart() === '') {
    const next = await parts.next();
    if (!next.done) text += next.value.text;
  }
  const delimiter = format.delimiter ?? told?.[1] ?? likelyDelimiter(text.slice(0, 65_536), eol);
  const recoded = value.recoded.map((line) => line - skipped).filter((line) => line >= 0);
  return { first: { text, recoded }, delimiter, eol, line: skipped + 1 };
}

function refuseMarkup(path: string, head: string): void {
  const begin = head.trimStart().slice(0, 15).toLowerCase();
  if (
    begin.startsWith('<!doctype html') ||
    begin.startsWith('<html') ||
    begin.startsWith('<?xml')
  ) {
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}: this is a page of HTML or XML; expected CSV: perhaps a log-in page was saved instead of the export.`,
    );
  }
  if (/^\s*\[\s*[[{]/.test(head)) {
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}: this is one JSON array; expected one JSON object a line, in a file that ends in .ndjson.`,
    );
  }
}

/** Some control characters are dirt in a text; many are no text. */
function refuseBinary(path: string, head: string): void {
  // eslint-disable-next-line no-control-regex
  const odd = head.match(/[\u0000-\u0008\u000e-\u001f\u007f\ufffd]/g)?.length ?? 0;
  if (odd < 4 || odd < head.length / 20) return;
  throw new KairosError(
    'IMPORT_INVALID',
    `${path}: this is no text; expected CSV: if it is UTF-16 or UTF-32 without a mark, say so with format.encoding.`,
  );
}

async function* splitAll(
  splitter: CsvSplitter,
  first: TextPart,
  parts: AsyncGenerator<TextPart>,
  wanted: { cells: number | undefined },
): AsyncGenerator<Split> {
  const take = ({ text, recoded }: TextPart, atEnd: boolean): Split => {
    const from = splitter.line;
    const part = splitter.take(text, atEnd, wanted.cells);
    return { ...part, recoded: recodedRecords(part.lines, recoded, from) };
  };
  yield take(first, false);
  for await (const part of parts) yield take(part, false);
  yield take({ text: '', recoded: [] }, true);
}

/** The record that each odd line belongs to. */
function recodedRecords(
  lines: readonly number[],
  recoded: readonly number[],
  from: number,
): readonly number[] {
  if (recoded.length === 0) return recoded;
  const found = new Set<number>();
  for (const offset of recoded) {
    const at = lines.findLastIndex((line) => line <= from + offset);
    if (at >= 0) found.add(at);
  }
  return [...found];
}

/** The first part that holds a record; null where there is none at all. */
async function firstSplit(splits: AsyncGenerator<Split>): Promise<Split | null> {
  for (;;) {
    const { value, done } = await splits.next();
    if (done) return null;
    const blank = value.records.findIndex((record) => !isBlank(record));
    const lead = blank < 0 ? value.records.length : blank;
    value.records.splice(0, lead);
    value.lines.splice(0, lead);
    const recoded = value.recoded.map((at) => at - lead);
    if (value.records.length > 0 || value.broken.length > 0) return { ...value, recoded };
  }
}

function takeHeader(first: Split): string[] {
  if (first.records.length === 0) return first.broken.shift()!.cells[0]!.split(',');
  first.lines.shift();
  return first.records.shift()!;
}

function headerOf(names: readonly string[]): string[] {
  const header = names.map((name) => name.replaceAll('\0', '').trim());
  // Delimiters too many at the end of the header are those of a spreadsheet's empty columns.
  while (header.length > 1 && header.at(-1) === '') header.pop();
  return header;
}

function uniqueIndex(path: string, header: readonly string[], name: string): number {
  const index = header.indexOf(name);
  if (index >= 0 && header.indexOf(name, index + 1) >= 0) {
    throw new KairosError(
      'IMPORT_INVALID',
      `${path}:1: the column "${name}" stands twice in the header; rename one of them.`,
    );
  }
  return index;
}

function toBatch(
  split: Split,
  header: readonly string[] | null,
  width: number,
  source: ByteSource,
  isCut: boolean,
): Batch {
  const { records, lines } = split;
  const broken: BrokenRow[] = [...split.broken];
  const recoded = new Set(split.recoded);
  const odd = new Set<number>();
  let [kept, repeatedHeaders] = [0, 0];
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index]!;
    if (isBlank(record)) continue;
    if (!isCut && record.length !== width && !fits(record, width)) {
      broken.push({ line: lines[index]!, reason: 'wrong number of columns', cells: record });
    } else if (!isCut && header !== null && record[0] === header[0] && isHeader(record, header)) {
      repeatedHeaders += 1;
    } else {
      if (recoded.has(index)) odd.add(kept);
      records[kept] = record;
      lines[kept] = lines[index]!;
      kept += 1;
    }
  }
  records.length = kept;
  lines.length = kept;
  const { quotesMended } = split;
  return {
    rows: records,
    lines,
    broken,
    bytesRead: source.read(),
    recoded: odd,
    repeatedHeaders,
    quotesMended,
  };
}

function isBlank(record: readonly string[]): boolean {
  return record.length === 1 && record[0]!.trim() === '';
}

/** Of files that were put one behind the other. */
function isHeader(record: readonly string[], header: readonly string[]): boolean {
  return header.every((name, index) => record[index]?.trim() === name);
}

/** Delimiters too many at the end of a line say nothing. */
function fits(record: readonly string[], width: number): boolean {
  return record.length > width && record.slice(width).every((cell) => cell.trim() === '');
}
