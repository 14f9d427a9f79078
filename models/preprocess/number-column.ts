import type { Decimal } from './parse.ts';
import { parseNumber } from './parse.ts';
import { invalidJson } from '../check.ts';

/** How the numbers of a column become columns of a matrix. */
export interface NumberOptions {
  /** Missing values are filled with the median and marked, and long tails are shortened; else they stay NaN. */
  readonly fill: boolean;
  /** 1 for the group of the value, of so many groups of about as many rows; 0 for none. */
  readonly bins: number;
}

export interface NumberState extends NumberOptions {
  readonly kind: 'number';
  readonly name: string;
  readonly decimal: Decimal;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Some were missing, so that "missing" is a column too. */
  readonly marked: boolean;
  /** log(1 + value − min): the tail is longer than the body. */
  readonly log: boolean;
  readonly cuts: readonly number[];
}

export function fitNumber(
  cells: readonly string[],
  { name, decimal }: { name: string; decimal: Decimal },
  { fill, bins }: NumberOptions,
): NumberState {
  const values = Float64Array.from(cells, (cell) => parseNumber(cell, decimal));
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const [min, max] = [at(0), at(1)];
  const cuts: number[] = [];
  for (let b = 1; b < bins; b++) {
    const cut = at(b / bins);
    if (cut > (cuts.at(-1) ?? min)) cuts.push(cut);
  }
  return {
    kind: 'number',
    name,
    decimal,
    fill,
    bins,
    median: at(0.5),
    min,
    max,
    marked: fill && sorted.length < values.length,
    log: fill && skewness(sorted) > 2,
    cuts,
  };
}

export function numberNames({ name, marked, cuts }: NumberState): string[] {
  const names = [name];
  if (marked) names.push(`${name} is missing`);
  cuts.forEach((cut) => names.push(`${name} >= ${cut}`));
  return names;
}

/** Values outside of what was learnt from are moved to its border, so that a line does not shoot off. */
export function encodeNumber(
  state: NumberState,
  cell: string,
  out: Float64Array,
  at: number,
): void {
  const { fill, median, min, max, log, marked, cuts } = state;
  const read = parseNumber(cell, state.decimal);
  const missing = Number.isNaN(read);
  if (!fill) {
    out[at] = read;
    return;
  }
  const value = missing ? median : Math.min(max, Math.max(min, read));
  out[at++] = log ? Math.log1p(value - min) : value;
  if (marked) out[at++] = missing ? 1 : 0;
  for (const cut of cuts) out[at++] = value >= cut ? 1 : 0;
}

function skewness(values: Float64Array): number {
  let mean = 0;
  for (const value of values) mean += value / values.length;
  let [square, cube] = [0, 0];
  for (const value of values) {
    square += (value - mean) ** 2 / values.length;
    cube += (value - mean) ** 3 / values.length;
  }
  return square > 0 ? cube / square ** 1.5 : 0;
}

export function checkNumber(state: NumberState): void {
  for (const key of ['median', 'min', 'max'] as const) {
    if (!Number.isFinite(state[key])) throw invalidJson('table', `${key} of "${state.name}"`);
  }
}
