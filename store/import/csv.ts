import { Parser } from 'csv-parse';
import { KairosError } from '../../domain/errors.ts';
import { type ByteSource, type FileKind, openBytes } from './bytes.ts';
import type { Batch, BrokenRow, Column, Table, TextFormat } from './table.ts';

/** A record longer than this is a quote that was never closed. */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;
const DELIMITERS = [',', ';', '\t', '|'];

/**
 * What stands behind csv-parse's stream. Called directly, since a stream of single records costs a turn of the event
 * loop each, and its line numbers run ahead of what the stream has yielded.
 */
interface RecordParser {
  parse(
    chunk: Buffer | undefined,
    end: boolean,
    push: (record: string[]) => void,
    close: () => void,
  ): (Error & { code?: string }) | undefined;
  readonly info: { readonly lines: number };
}

interface Split {
  readonly records: string[][];
  readonly lines: number[];
}

export async function openCsv(
  path: string,
  bytes: number,
  kind: FileKind,
  format: TextFormat,
): Promise<Table> {
  const source = openBytes(path, kind, format.encoding);
  const delimiter = { used: format.delimiter ?? '' };
  const splits = split(path, source, delimiter);
  const first = await firstSplit(splits);
  if (!first) {
    source.destroy();
    throw new KairosError('IMPORT_INVALID', `${path}: the file is empty; expected a header line.`);
  }
  const header = first.records.shift()!.map((name) => name.trim());
  first.lines.shift();
  const columns: Column[] = header.map((name) => ({ name, wallClock: true }));
  return {
    format: 'csv',
    columns,
    bytes,
    delimiter: delimiter.used,
    indexOf: (name) => uniqueIndex(path, header, name),
    async *batches() {
      yield batchOf(first, columns.length, source);
      for await (const next of splits) yield batchOf(next, columns.length, source);
    },
    close: async () => {
      source.destroy();
      await splits.return(undefined);
    },
  };
}

/** The first part that holds a record; null where there is none at all. */
async function firstSplit(splits: AsyncGenerator<Split>): Promise<Split | null> {
  for (;;) {
    const { value, done } = await splits.next();
    if (done) return null;
    if (value.records.length > 0) return value;
  }
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

async function* split(
  path: string,
  source: ByteSource,
  delimiter: { used: string },
): AsyncGenerator<Split> {
  let parser: RecordParser | null = null;
  let next = 1;
  let counted = 0;
  let part: Split = { records: [], lines: [] };
  const push = (record: string[]): void => {
    const begin = next;
    next += 1;
    // The parser counts a line break of two characters within quotes twice, so where it saw any we count ourselves.
    if (parser!.info.lines - counted > 1) next += lineBreaks(record);
    counted = parser!.info.lines;
    if (record.length === 1 && record[0] === '') return;
    part.records.push(record);
    part.lines.push(begin);
  };
  const feed = (chunk: Buffer | undefined): Split => {
    const failure = parser!.parse(chunk, chunk === undefined, push, () => {});
    if (failure) throw parseFailure(path, next, failure);
    const done = part;
    part = { records: [], lines: [] };
    return done;
  };
  for await (const chunk of source.chunks) {
    if (!parser) {
      delimiter.used ||= likelyDelimiter(chunk);
      parser = newParser(delimiter.used);
    }
    yield feed(chunk);
  }
  if (parser) yield feed(undefined);
}

function lineBreaks(record: readonly string[]): number {
  return record.reduce((sum, cell) => sum + (cell.match(/\r\n|\r|\n/g)?.length ?? 0), 0);
}

function newParser(delimiter: string): RecordParser {
  const parser = new Parser({
    delimiter,
    bom: true,
    relax_column_count: true,
    relax_quotes: true,
    max_record_size: RECORD_BYTES_MAX,
  });
  return (parser as unknown as { api: RecordParser }).api;
}

/** The one of the usual delimiters that stands most often in the first line, outside of quotes. */
function likelyDelimiter(chunk: Buffer): string {
  const line = chunk
    .toString('utf8', 0, 65_536)
    .split(/[\r\n]/, 1)[0]!
    .replaceAll(/"[^"]*"/g, '');
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))]!;
}

function parseFailure(path: string, line: number, failure: Error & { code?: string }): Error {
  const problem = ['CSV_QUOTE_NOT_CLOSED', 'CSV_MAX_RECORD_SIZE'].includes(failure.code ?? '')
    ? 'a quote that opens here is never closed; close it or double it'
    : 'this record breaks the rules of CSV quoting; a quote inside a quoted field must be doubled';
  return new KairosError('IMPORT_INVALID', `${path}:${line}: ${problem}.`, { line });
}

function batchOf(split: Split, width: number, source: ByteSource): Batch {
  const broken: BrokenRow[] = [];
  const { records, lines } = split;
  let kept = 0;
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index]!;
    if (record.length === width || fits(record, width)) {
      records[kept] = record;
      lines[kept] = lines[index]!;
      kept += 1;
    } else {
      broken.push({ line: lines[index]!, reason: 'wrong number of columns', cells: record });
    }
  }
  records.length = kept;
  lines.length = kept;
  return { rows: records, lines, broken, bytesRead: source.read() };
}

/** Delimiters too many at the end of a line say nothing. */
function fits(record: readonly string[], width: number): boolean {
  return record.length > width && record.slice(width).every((cell) => cell === '');
}
