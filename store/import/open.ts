import { inspectFile } from './bytes.ts';
import { openCsv } from './csv.ts';
import { openNdjson } from './ndjson.ts';
import { openParquet } from './parquet.ts';
import type { Table, TextFormat } from './table.ts';

/**
 * Opens a file by what it is: Parquet by its first bytes, NDJSON by its name (`.ndjson`, `.jsonl`, `.json`), else CSV;
 * both also as gz.
 */
export async function openTable(path: string, format: TextFormat = {}): Promise<Table> {
  const { bytes, kind } = await inspectFile(path);
  if (kind === 'parquet') return openParquet(path, bytes);
  const isJson = /\.(?:ndjson|jsonl|json)(?:\.gz)?$/i.test(path);
  return isJson ? openNdjson(path, bytes, kind, format) : openCsv(path, bytes, kind, format);
}
