import { invalid } from './check.ts';
import { hasTarget } from './preprocess/infer.ts';
import type { RawTable } from './preprocess/table.ts';
import { cellsOf, takeTableRows } from './preprocess/table.ts';

const YES = ['yes', 'y', 'true', 't', '1', 'positive', 'churned', 'converted', 'buy', 'bought'];

export interface WithTarget {
  /** Without the rows that say nothing of the outcome. */
  readonly table: RawTable;
  /** The place in the given table of each row that stayed. */
  readonly rows: Int32Array;
  readonly y: Float64Array;
  readonly positive: string;
  readonly warnings: readonly string[];
}

/** 1 where the target column says `positive`; which one that is, is found where two values are like yes and no. */
export function readTarget(table: RawTable, name: string, positive?: string): WithTarget {
  const cells = cellsOf(table, name);
  const counts = new Map<string, number>();
  const kept: number[] = [];
  cells.forEach((cell, i) => {
    if (!hasTarget(cell)) return;
    kept.push(i);
    counts.set(cell.trim(), (counts.get(cell.trim()) ?? 0) + 1);
  });
  const values = [...counts.keys()];
  const yes = positive === undefined ? guess(name, values) : matching(name, values, positive);
  const warnings: string[] = [];
  const blank = cells.length - kept.length;
  if (blank > 0) warnings.push(`${blank} rows say nothing of "${name}": they were left out.`);
  if (values.length > 2) {
    warnings.push(`"${name}" has ${values.length} values: "${yes}" is yes, all others are no.`);
  }
  if (counts.size < 2) {
    throw invalid(`Every row has the target "${name}" = "${yes}"; expected some of both.`);
  }
  const rows = Int32Array.from(kept);
  return {
    table: blank === 0 ? table : takeTableRows(table, rows),
    rows,
    y: Float64Array.from(rows, (row) => (cells[row]!.trim() === yes ? 1 : 0)),
    positive: yes,
    warnings,
  };
}

function matching(name: string, values: readonly string[], positive: string): string {
  const wanted = positive.trim();
  const found =
    values.find((value) => value === wanted) ??
    values.find((value) => value.toLowerCase() === wanted.toLowerCase());
  if (found !== undefined) return found;
  const some = values.slice(0, 5).map((value) => `"${value}"`);
  throw invalid(
    `No row has the target "${name}" = "${wanted}"; it says ${some.join(', ')}${values.length > 5 ? ' and more' : ''}.`,
    { column: name },
  );
}

function guess(name: string, values: readonly string[]): string {
  const likely = YES.map((yes) => values.find((value) => value.toLowerCase() === yes)).find(
    Boolean,
  );
  if (values.length <= 2 && likely !== undefined) return likely;
  throw invalid(
    `The target "${name}" has ${values.length} values that do not say which one is yes; name it with --positive.`,
    { column: name },
  );
}
