import { dirname, join } from 'node:path';
import { KairosError } from '../../domain/errors.ts';
import type { Lookup } from './mapping.ts';
import { openTable } from './open.ts';
import type { Cell, Column, TextFormat } from './table.ts';
import { cleanText } from './values.ts';

/** A lookup is held in memory: it is for names of campaigns and stores, not for a second table of facts. */
const ROWS_MAX = 200_000;

export interface LoadedLookup {
  readonly on: string;
  readonly columns: readonly Column[];
  readonly rows: ReadonlyMap<string, readonly Cell[]>;
}

/** The text by which rows of two files are matched: `900` is one key, whether a number or a text. */
export function keyOf(cell: Cell): string | null {
  if (cell === null) return null;
  if (cell instanceof Date) return cell.toISOString();
  const text = cleanText(String(cell));
  return text === '' ? null : text;
}

/** Reads the small tables of a mapping, which lie beside the imported file. */
export async function loadLookups(
  importedFile: string,
  lookups: Readonly<Record<string, Lookup>> = {},
  format: TextFormat = {},
): Promise<Map<string, LoadedLookup>> {
  const loaded = new Map<string, LoadedLookup>();
  for (const [name, lookup] of Object.entries(lookups)) {
    loaded.set(name, await loadLookup(join(dirname(importedFile), lookup.file), lookup, format));
  }
  return loaded;
}

async function loadLookup(path: string, lookup: Lookup, format: TextFormat): Promise<LoadedLookup> {
  const table = await openTable(path, format);
  try {
    const key = table.indexOf(lookup.key ?? lookup.on);
    if (key < 0) {
      throw new KairosError(
        'IMPORT_INVALID',
        `${path}: the lookup has no column "${lookup.key ?? lookup.on}"; expected the one that "key" names.`,
      );
    }
    const rows = new Map<string, readonly Cell[]>();
    for await (const batch of table.batches(table.columns.map((_, index) => index))) {
      for (const row of batch.rows) {
        const value = keyOf(row[key]!);
        if (value !== null) rows.set(value, row);
      }
      if (rows.size > ROWS_MAX) {
        throw new KairosError(
          'IMPORT_INVALID',
          `${path}: a lookup may have at most ${ROWS_MAX} rows; join the tables before the import.`,
        );
      }
    }
    return { on: lookup.on, columns: table.columns, rows };
  } finally {
    await table.close();
  }
}
