import { invalid } from '../check.ts';
import type { Matrix } from '../matrix.ts';

/** Code of a missing value and of a category that was not known in training; others have codes from 1. */
export const MISSING = 0;
/** Codes fit in a byte, and 254 groups of values are as good as all of them for a split. */
export const GROUPS_MAX = 254;

/** How the values of each column become codes. */
export interface Bins {
  /** Of a numeric column the cuts between its groups, ascending; of a categorical one its known categories, ascending. */
  readonly cuts: readonly Float64Array[];
  /** 1 where a column's numbers are names of categories, without an order. */
  readonly categorical: Uint8Array;
}

/** Groups each column's values. MODEL_INVALID where `categorical` names a column that is not there. */
export function findBins(X: Matrix, categorical: readonly string[] = []): Bins {
  const flags = new Uint8Array(X.columns);
  for (const name of categorical) {
    const column = X.names.indexOf(name);
    if (column < 0) {
      throw invalid(
        `The parameter categorical names the column "${name}", which the data does not have.`,
        { column: name },
      );
    }
    flags[column] = 1;
  }
  const cuts = Array.from({ length: X.columns }, (_, j) =>
    flags[j] === 1 ? categoriesOf(X, j) : cutsOf(X, j, GROUPS_MAX),
  );
  return { cuts, categorical: flags };
}

/**
 * The cuts between groups of values, for each column, ascending. A value's code is 1 + how many cuts are below it, so
 * "code ≤ c" is the same question as "value ≤ cut c". Few different values give one group each, many give groups of
 * about as many rows each.
 */
export function findCuts(X: Matrix, groupsMax = GROUPS_MAX): Float64Array[] {
  return Array.from({ length: X.columns }, (_, j) => cutsOf(X, j, groupsMax));
}

/** The most frequent categories that have a code, ascending; the rest is read as unknown. */
function categoriesOf(X: Matrix, column: number): Float64Array {
  const counts = new Map<number, number>();
  for (let at = column; at < X.data.length; at += X.columns) {
    const value = X.data[at]!;
    if (!Number.isNaN(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const known = [...counts].toSorted(([a, n], [b, m]) => m - n || a - b).slice(0, GROUPS_MAX);
  return Float64Array.from(known, ([value]) => value).sort();
}

function cutsOf(X: Matrix, column: number, groupsMax: number): Float64Array {
  const few = fewValues(X, column, groupsMax);
  if (few) return few.subarray(1).map((value, i) => between(few[i]!, value));
  const sorted = new Float64Array(X.rows);
  let present = 0;
  for (let at = column; at < X.data.length; at += X.columns) {
    const value = X.data[at]!;
    if (!Number.isNaN(value)) sorted[present++] = value;
  }
  return equalCuts(sorted.subarray(0, present).sort(), groupsMax);
}

/** The different values, ascending, or null where there are more than `limit`. Sorting all rows would cost 20 times. */
function fewValues(X: Matrix, column: number, limit: number): Float64Array | null {
  const { data, columns } = X;
  const values = new Set<number>();
  // Two values that alternate, as in a column of 0 and 1, need no look into the set.
  let last = Number.NaN;
  let other = Number.NaN;
  for (let at = column; at < data.length; at += columns) {
    const value = data[at]!;
    if (value === last || value === other || value !== value) continue;
    other = last;
    last = value;
    if (values.size === limit && !values.has(value)) return null;
    values.add(value);
  }
  return Float64Array.from(values).sort();
}

/** Cuts sorted values into groups of about equal size; equal values stay in one group. */
function equalCuts(sorted: Float64Array, groupsMax: number): Float64Array {
  const cuts: number[] = [];
  let start = 0;
  for (let i = 1; i < sorted.length && cuts.length < groupsMax - 1; i++) {
    if (sorted[i] === sorted[i - 1]) continue;
    // Aimed at anew each time, since a heavy value fills a group of its own and leaves fewer for the rest.
    if (i - start < (sorted.length - start) / (groupsMax - cuts.length)) continue;
    cuts.push(between(sorted[i - 1]!, sorted[i]!));
    start = i;
  }
  return Float64Array.from(cuts);
}

/** A number at or above `low` and below `high`, whatever rounding does. */
function between(low: number, high: number): number {
  const middle = low + (high - low) / 2;
  return middle < high ? middle : low;
}

/** The code of one number. */
export function codeOf(value: number, cuts: Float64Array): number {
  if (value !== value) return MISSING;
  let low = 0;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cuts[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low + 1;
}

/** The code of one category. */
function codeOfCategory(value: number, known: Float64Array): number {
  const code = codeOf(value, known);
  return code > 0 && known[code - 1] === value ? code : MISSING;
}

/** The codes of one row. */
export function encodeRow(row: Float64Array, { cuts, categorical }: Bins): Uint8Array {
  return Uint8Array.from(row, (value, j) =>
    categorical[j] === 1 ? codeOfCategory(value, cuts[j]!) : codeOf(value, cuts[j]!),
  );
}

/** Codes of all values: column after column to grow trees, row after row to predict. */
export function encode(X: Matrix, bins: Bins, by: 'column' | 'row'): Uint8Array {
  const codes = new Uint8Array(X.rows * X.columns);
  encodeInto(codes, X, bins, by, 0, X.rows);
  return codes;
}

/** Codes of the rows `from` to `to`, written from the beginning of `codes`. */
export function encodeInto(
  codes: Uint8Array,
  { data, columns, rows }: Matrix,
  { cuts, categorical }: Bins,
  by: 'column' | 'row',
  from: number,
  to: number,
): void {
  for (let j = 0; j < columns; j++) {
    const own = cuts[j]!;
    let at = by === 'column' ? j * rows : j;
    const stride = by === 'column' ? 1 : columns;
    const end = to * columns;
    if (categorical[j] === 1) {
      for (let v = from * columns + j; v < end; v += columns, at += stride) {
        codes[at] = codeOfCategory(data[v]!, own);
      }
    } else if (own.length === 1) {
      const cut = own[0]!;
      for (let v = from * columns + j; v < end; v += columns, at += stride) {
        const value = data[v]!;
        codes[at] = value <= cut ? 1 : value === value ? 2 : MISSING;
      }
    } else {
      for (let v = from * columns + j; v < end; v += columns, at += stride) {
        codes[at] = codeOf(data[v]!, own);
      }
    }
  }
}
