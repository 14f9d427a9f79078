import { invalid } from './check.ts';
import { dateOrderOf, decimalOf, isBlank, parseDate, parseNumber } from './preprocess/parse.ts';
import type { RawTable } from './preprocess/table.ts';
import { cellsOf } from './preprocess/table.ts';
import type { Split } from './splits.ts';
import {
  groupedFolds,
  splitByMark,
  splitByTime,
  splitGrouped,
  splitStratified,
  stratifiedFolds,
  timeFolds,
} from './splits.ts';

/** How rows are held out: by a column that says so, by time, by person, or at random with the classes' shares. */
export interface HoldOut {
  /** A column whose value is `train` or `test`, or a number of the fold, the highest being held out. */
  readonly fold?: string;
  /** A column of dates or numbers: the latest quarter is held out. */
  readonly time?: string;
  /** A column that names the person (or shop): no person stands on both sides. */
  readonly group?: string;
}

/** A quarter is held out where no column says what. */
const HELD_OUT = 0.25;
const HELD_OUT_WORDS = new Set([
  'test',
  'holdout',
  'hold-out',
  'held-out',
  'valid',
  'validation',
  'later',
  'eval',
]);

/** The rows to learn from and those to judge on, and in words how they were found. */
export function holdOut(
  table: RawTable,
  y: Float64Array,
  by: HoldOut,
  seed: number,
): { split: Split; how: string } {
  const found = found_();
  const { train, later } = found.split;
  if (train.length === 0 || later.length === 0) {
    throw invalid(
      `The split leaves ${train.length} rows to learn from and ${later.length} to judge on (${found.how}); expected some of both.`,
    );
  }
  return found;

  function found_(): { split: Split; how: string } {
    if (by.fold !== undefined) return byFold(cellsOf(table, by.fold), by.fold);
    if (by.time !== undefined) {
      const moments = momentsOf(table, by.time);
      const sorted = moments.toSorted();
      const cut = sorted[Math.floor((1 - HELD_OUT) * sorted.length)]!;
      return { split: splitByTime(moments, cut), how: `the latest quarter by "${by.time}"` };
    }
    if (by.group !== undefined) {
      const split = splitGrouped(cellsOf(table, by.group), HELD_OUT, seed);
      return { split, how: `a random quarter of the groups of "${by.group}"` };
    }
    return { split: splitStratified(y, HELD_OUT, seed), how: 'a random quarter of the rows' };
  }
}

function byFold(cells: readonly string[], name: string): { split: Split; how: string } {
  const words = new Set(cells.map((cell) => cell.trim().toLowerCase()));
  const named = [...words].filter((word) => HELD_OUT_WORDS.has(word));
  if (named.length > 0) {
    const mark = cells.map((cell) => (HELD_OUT_WORDS.has(cell.trim().toLowerCase()) ? 1 : 0));
    return { split: splitByMark(mark), how: `"${name}" is ${named.join(' or ')}` };
  }
  const numbers = [...words].map(Number);
  if (words.size < 2 || words.has('') || !numbers.every(Number.isFinite)) {
    const some = [...words].slice(0, 5).join(', ');
    throw invalid(
      `The fold column "${name}" holds ${some}; expected train and test, or numbers of folds.`,
      { column: name },
    );
  }
  const last = Math.max(...numbers);
  const mark = cells.map((cell) => (Number(cell.trim()) === last ? 1 : 0));
  return { split: splitByMark(mark), how: `"${name}" is ${last}` };
}

/** Milliseconds of a column of dates, or its numbers. Errors: MODEL_INVALID where a row has neither. */
export function momentsOf(table: RawTable, name: string): Float64Array {
  const cells = cellsOf(table, name);
  const filled = cells.filter((cell) => !isBlank(cell));
  const order = dateOrderOf(filled);
  const decimal = decimalOf(filled);
  const read = (cell: string): number =>
    order === null ? parseNumber(cell, decimal) : parseDate(cell, order);
  const moments = Float64Array.from(cells, read);
  const row = moments.findIndex((moment) => Number.isNaN(moment));
  if (row < 0) return moments;
  throw invalid(
    `The time column "${name}" says "${cells[row]!}" in row ${row + 1}; expected a date or a number in each row.`,
    { row, column: name },
  );
}

/** How the rows that are learnt from judge candidates among each other: in the same way as the held-out ones do. */
export function foldsFor(
  table: RawTable,
  y: Float64Array,
  by: HoldOut,
  seed: number,
): { folds: Split[]; how: string } {
  // Few rows judge roughly, so they are all asked, and more often.
  const k = table.rows < 10_000 ? 5 : 3;
  if (by.time !== undefined) {
    return { folds: timeFolds(momentsOf(table, by.time), k), how: `${k} slices by time` };
  }
  if (by.group !== undefined) {
    return { folds: groupedFolds(cellsOf(table, by.group), k, seed), how: `${k} folds of groups` };
  }
  return { folds: stratifiedFolds(y, k, seed), how: `${k} stratified folds` };
}
