import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Cell, Table } from '../../store/import/table.ts';

/** Real data beside the checkout; see its README. */
export const DATA = resolve(import.meta.dirname, '../../../shared/data');
export const hasData = existsSync(join(DATA, 'README.md'));

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'kairos-import-test-'));
}

export function writeFiles(folder: string, files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
}

/** All rows of a table with their lines; for small files. */
export async function readAll(table: Table): Promise<{
  rows: Cell[][];
  lines: number[];
  broken: { line: number; reason: string }[];
}> {
  const all = {
    rows: [] as Cell[][],
    lines: [] as number[],
    broken: [] as { line: number; reason: string }[],
  };
  try {
    for await (const batch of table.batches(table.columns.map((_, index) => index))) {
      all.rows.push(...batch.rows.map((row) => [...row]));
      all.lines.push(...batch.lines);
      all.broken.push(...batch.broken.map(({ line, reason }) => ({ line, reason })));
    }
  } finally {
    await table.close();
  }
  return all;
}
