import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';

/** One series of the M3 competition: its history and the values that were held back. */
export interface M3Series {
  readonly id: string;
  readonly history: Float64Array;
  readonly future: Float64Array;
}

/** Reads a file of the form id, type, h, start, x, xx; gzip where the name ends with .gz. */
export function readM3(file: URL | string): M3Series[] {
  const bytes = readFileSync(file);
  const text = String(file).endsWith('.gz') ? gunzipSync(bytes) : bytes;
  const rows = parse(text, { columns: true }) as Readonly<Record<string, string>>[];
  return rows.map((row, i) => {
    const [history, future] = ['x', 'xx'].map((column) => numbers(row[column] ?? '', column, i));
    return { id: row['id'] ?? String(i), history: history!, future: future! };
  });
}

function numbers(text: string, column: string, row: number): Float64Array {
  const values = Float64Array.from(text.trim().split(/\s+/), Number);
  if (text.trim() === '' || !values.every(Number.isFinite)) {
    throw new Error(
      `Row ${row + 1}, column "${column}": expected numbers with blanks between them.`,
    );
  }
  return values;
}
