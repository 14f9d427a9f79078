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

/** As `splitByFraction`, and both classes keep their shares in both slices. */
export function splitStratified(y: ArrayLike<number>, fraction: number, seed: number): Split {
  checkParam('fraction', fraction, Number.MIN_VALUE, 1 - Number.EPSILON);
  const random = new Random(seed);
  const taken = new Uint8Array(y.length);
  for (const rows of byClass(y)) {
    const order = random.sample(rows.length, Math.round(rows.length * fraction));
    for (const place of order) taken[rows[place]!] = 1;
  }
  return splitByMark(taken);
}

/** A random `fraction` of the groups as `later`: no person stands on both sides. */
export function splitGrouped(
  groups: readonly (string | number)[],
  fraction: number,
  seed: number,
): Split {
  checkParam('fraction', fraction, Number.MIN_VALUE, 1 - Number.EPSILON);
  const names = [...new Set(groups)];
  const chosen = new Random(seed).sample(names.length, Math.round(names.length * fraction));
  const later = new Set(Array.from(chosen, (place) => names[place]!));
  return splitByMark(Uint8Array.from(groups, (group) => (later.has(group) ? 1 : 0)));
}

/** `later` where the mark is 1. */
export function splitByMark(mark: ArrayLike<number>): Split {
  const train: number[] = [];
  const later: number[] = [];
  for (let i = 0; i < mark.length; i++) (mark[i] === 1 ? later : train).push(i);
  return { train: Int32Array.from(train), later: Int32Array.from(later) };
}

/** `k` splits that each hold out another part, with the classes' shares in each part. */
export function stratifiedFolds(y: ArrayLike<number>, k: number, seed: number): Split[] {
  const random = new Random(seed);
  const fold = new Int32Array(y.length);
  let next = 0;
  for (const rows of byClass(y)) {
    for (const place of random.sample(rows.length, rows.length)) fold[rows[place]!] = next++ % k;
  }
  return foldsOf(fold, k);
}

/** `k` splits that each hold out the groups of another part. */
export function groupedFolds(
  groups: readonly (string | number)[],
  k: number,
  seed: number,
): Split[] {
  const names = [...new Set(groups)];
  const order = new Random(seed).sample(names.length, names.length);
  const foldOf = new Map(Array.from(order, (place, at) => [names[place]!, at % k]));
  return foldsOf(
    Int32Array.from(groups, (group) => foldOf.get(group)!),
    k,
  );
}

/**
 * Up to `k` splits by time: the rows are cut into `k + 1` slices of about as many rows, and each but the first is
 * judged by what was known before it. Rows of one moment stay together.
 */
export function timeFolds(atMs: ArrayLike<number>, k: number): Split[] {
  const sorted = Float64Array.from(atMs).sort();
  const cuts = new Set<number>();
  for (let s = 1; s <= k; s++) cuts.add(sorted[Math.floor((s * sorted.length) / (k + 1))]!);
  const bounds = [...cuts].filter((cut) => cut > sorted[0]!);
  return bounds.map((cut, s) => {
    const end = bounds[s + 1] ?? Infinity;
    const train: number[] = [];
    const later: number[] = [];
    for (let i = 0; i < atMs.length; i++) {
      if (atMs[i]! < cut) train.push(i);
      else if (atMs[i]! < end) later.push(i);
    }
    return { train: Int32Array.from(train), later: Int32Array.from(later) };
  });
}

function foldsOf(fold: Int32Array, k: number): Split[] {
  return Array.from({ length: k }, (_, f) => splitByMark(fold.map((own) => (own === f ? 1 : 0))));
}

function byClass(y: ArrayLike<number>): number[][] {
  const rows: number[][] = [[], []];
  for (let i = 0; i < y.length; i++) rows[y[i] === 1 ? 1 : 0]!.push(i);
  return rows;
}
