import { checkParam } from './check.ts';
import { Random } from './random.ts';

/** Row numbers of two slices that share no row and together hold all. */
export interface Split {
  readonly train: Int32Array;
  readonly later: Int32Array;
}

/**
 * Rows before `cutMs` to learn from, the others to judge on. The honest split for anything that will be used on
 * tomorrow's data: a random one lets the model look at the same days that it is judged on.
 */
export function splitByTime(atMs: ArrayLike<number>, cutMs: number): Split {
  const train: number[] = [];
  const later: number[] = [];
  for (let i = 0; i < atMs.length; i++) (atMs[i]! < cutMs ? train : later).push(i);
  return { train: Int32Array.from(train), later: Int32Array.from(later) };
}

/** A random `fraction` of the rows (rounded) as `later`, both slices in ascending order. */
export function splitByFraction(rows: number, fraction: number, seed: number): Split {
  checkParam('fraction', fraction, Number.MIN_VALUE, 1 - Number.EPSILON);
  const later = new Random(seed).sample(rows, Math.round(rows * fraction)).sort();
  const taken = new Uint8Array(rows);
  for (const row of later) taken[row] = 1;
  const train: number[] = [];
  for (let i = 0; i < rows; i++) if (taken[i] === 0) train.push(i);
  return { train: Int32Array.from(train), later };
}

/** At most `count` random rows, in ascending order: what a model that is too slow for all of them is fitted on. */
export function sampleRows(rows: number, count: number, seed: number): Int32Array {
  if (rows <= count) return Int32Array.from({ length: rows }, (_, i) => i);
  return new Random(seed).sample(rows, count).sort();
}
