import { KairosError } from '../domain/errors.ts';
import type { RawTable } from '../models/preprocess/table.ts';
import { openTable } from '../store/import/open.ts';
import type { Cell } from '../store/import/table.ts';

/** Cells beyond this would not fit into the memory of a training. */
const CELLS_MAX = 60_000_000;

/** Reads a whole file (CSV, NDJSON or Parquet, also packed) as text in columns. Rows that are broken are counted. */
export async function readRawTable(path: string): Promise<{ table: RawTable; broken: number }> {
  const file = await openTable(path);
  try {
    const names = file.columns.map((column, j) =>
      column.name === '' ? `column ${j + 1}` : column.name,
    );
    const columns: string[][] = names.map(() => []);
    let [rows, broken] = [0, 0];
    // Few different texts stand in most columns: one copy of each is enough.
    const pools = names.map(() => new Map<string, string>());
    for await (const batch of file.batches([...names.keys()])) {
      broken += batch.broken.length;
      for (const row of batch.rows) {
        for (let j = 0; j < names.length; j++)
          columns[j]!.push(pooled(pools[j]!, textOf(row[j] ?? null)));
      }
      rows += batch.rows.length;
      if (rows * names.length > CELLS_MAX) {
        throw new KairosError(
          'MODEL_REFUSED',
          `${path}: more than ${CELLS_MAX.toLocaleString('en')} cells do not fit in memory; take fewer rows or columns.`,
        );
      }
    }
    if (rows === 0) {
      throw new KairosError('MODEL_INVALID', `${path}: there are no rows under the header.`);
    }
    return { table: { rows, names, columns }, broken };
  } finally {
    await file.close();
  }
}

function pooled(pool: Map<string, string>, text: string): string {
  const known = pool.get(text);
  if (known !== undefined) return known;
  if (pool.size < 10_000) pool.set(text, text);
  return text;
}

function textOf(cell: Cell): string {
  if (cell === null) return '';
  return cell instanceof Date ? cell.toISOString() : String(cell);
}
