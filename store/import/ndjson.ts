import { KairosError } from '../../domain/errors.ts';
import { type FileKind, openBytes } from './bytes.ts';
import { openText, type TextPart } from './text.ts';
import type { Batch, BrokenRow, Cell, Column, Table, TextFormat } from './table.ts';

const LINE_CHARS_MAX = 16 * 1024 * 1024;
/** Objects whose names are looked at to know the columns; a mapping may name others as well. */
const PEEK = 100;
const DEPTH_MAX = 4;

interface JsonRow {
  readonly line: number;
  /** Null where the line is too long to be held. */
  readonly text: string | null;
  isRecoded: boolean;
}

/** A column is a path of names with dots, such as `customer.id`. */
export async function openNdjson(
  path: string,
  bytes: number,
  kind: FileKind,
  format: TextFormat,
): Promise<Table> {
  const source = openBytes(path, kind);
  const { encoding, parts } = await openText(path, source, format);
  const lines = splitLines(parts);
  const first = await lines.next();
  const begin = first.done ? undefined : first.value[0]?.text;
  if (first.done || /^\s*\[\s*(?:[[{]|$)/.test(begin ?? '')) {
    source.destroy();
    const what = first.done ? 'the file is empty' : 'this is one JSON array';
    throw new KairosError('IMPORT_INVALID', `${path}: ${what}; expected one JSON object a line.`);
  }
  const columns: Column[] = [];
  const paths: string[][] = [];
  const indexOf = (name: string): number => {
    const known = columns.findIndex((column) => column.name === name);
    if (known >= 0) return known;
    paths.push(name.split('.'));
    return columns.push({ name, wallClock: true }) - 1;
  };
  for (const name of namesOf(first.value.slice(0, PEEK))) indexOf(name);
  const read = (rows: readonly JsonRow[]): Batch => readRows(rows, paths, source.read());
  return {
    format: 'ndjson',
    columns,
    bytes,
    delimiter: ',',
    encoding,
    indexOf,
    async *batches() {
      yield read(first.value);
      for await (const next of lines) yield read(next);
    },
    close: async () => {
      source.destroy();
      await lines.return(undefined);
    },
  };
}

async function* splitLines(parts: AsyncGenerator<TextPart>): AsyncGenerator<JsonRow[]> {
  let rest = '';
  let line = 0;
  // An overlong line is thrown away as it comes, so that memory stays flat; its row is told as broken.
  let isOverlong = false;
  const cut = (text: string, recoded: readonly number[], atEnd: boolean): JsonRow[] => {
    const pieces = (rest + text).split('\n');
    const from = line;
    rest = atEnd ? '' : pieces.pop()!;
    const rows: JsonRow[] = [];
    for (const piece of pieces) {
      line += 1;
      const wasOverlong = isOverlong;
      isOverlong = false;
      if (piece.trim() === '' && !wasOverlong) continue;
      rows.push({ line, text: wasOverlong ? null : piece, isRecoded: false });
    }
    if (rest.length > LINE_CHARS_MAX) {
      isOverlong = true;
      rest = '';
    }
    for (const offset of recoded) {
      const row = rows.find((one) => one.line === from + offset + 1);
      if (row) row.isRecoded = true;
    }
    return rows;
  };
  for await (const { text, recoded } of parts) {
    const rows = cut(text, recoded, false);
    if (rows.length > 0) yield rows;
  }
  const rows = cut('', [], true);
  if (rows.length > 0) yield rows;
}

function parse(text: string | null): Record<string, unknown> | BrokenRow['reason'] {
  if (text === null) return 'line too long';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : 'not an object';
}

function readRows(rows: readonly JsonRow[], paths: readonly string[][], bytesRead: number): Batch {
  const cells: Cell[][] = [];
  const lines: number[] = [];
  const broken: BrokenRow[] = [];
  const recoded = new Set<number>();
  for (const { line, text, isRecoded } of rows) {
    const value = parse(text);
    if (typeof value === 'string') {
      broken.push({ line, reason: value, cells: [text ?? ''] });
      continue;
    }
    if (isRecoded) recoded.add(cells.length);
    cells.push(paths.map((path) => cellAt(value, path)));
    lines.push(line);
  }
  return { rows: cells, lines, broken, bytesRead, recoded };
}

function cellAt(object: Record<string, unknown>, path: readonly string[]): Cell {
  let value: unknown = object;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null;
    value = (value as Record<string, unknown>)[name];
  }
  if (value === null || value === undefined) return null;
  // Lists and objects can still be kept as text.
  return typeof value === 'object' ? JSON.stringify(value) : (value as Cell);
}

function namesOf(rows: readonly JsonRow[]): Set<string> {
  const names = new Set<string>();
  for (const { text } of rows) {
    const value = parse(text);
    if (typeof value !== 'string') collectNames(value, '', names, 1);
  }
  return names;
}

function collectNames(
  object: Record<string, unknown>,
  prefix: string,
  names: Set<string>,
  depth: number,
): void {
  for (const [name, value] of Object.entries(object)) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isObject || depth === DEPTH_MAX) names.add(prefix + name);
    else collectNames(value as Record<string, unknown>, `${prefix}${name}.`, names, depth + 1);
  }
}
