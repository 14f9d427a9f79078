import type { Matrix } from '../matrix.ts';

/** Code of a missing value; real values have codes from 1, in the order of the values. */
export const MISSING = 0;
/** Codes fit in a byte, and 254 groups of values are as good as all of them for a split. */
export const GROUPS_MAX = 254;

/**
 * The cuts between groups of values, for each column, ascending. A value's code is 1 + how many cuts are below it, so
 * "code ≤ c" is the same question as "value ≤ cut c". Few different values give one group each, many give groups of
 * about as many rows each.
 */
export function findCuts(X: Matrix, groupsMax = GROUPS_MAX): Float64Array[] {
  return Array.from({ length: X.columns }, (_, j) => cutsOf(X, j, groupsMax));
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
  const values = new Set<number>();
  let last = Number.NaN;
  for (let at = column; at < X.data.length; at += X.columns) {
    const value = X.data[at]!;
    if (value === last || Number.isNaN(value)) continue;
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

/** The code of one value. */
export function codeOf(value: number, cuts: Float64Array): number {
  if (Number.isNaN(value)) return MISSING;
  let low = 0;
  let high = cuts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cuts[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low + 1;
}

/** Codes of all values: column after column to grow trees, row after row to predict. */
export function encode(X: Matrix, cuts: readonly Float64Array[], by: 'column' | 'row'): Uint8Array {
  const codes = new Uint8Array(X.rows * X.columns);
  for (let j = 0; j < X.columns; j++) {
    const columnCuts = cuts[j]!;
    let to = by === 'column' ? j * X.rows : j;
    const stride = by === 'column' ? 1 : X.columns;
    for (let at = j; at < X.data.length; at += X.columns, to += stride) {
      codes[to] = codeOf(X.data[at]!, columnCuts);
    }
  }
  return codes;
}
