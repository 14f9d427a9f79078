import type { Target } from './matrix.ts';
import { takeTarget } from './matrix.ts';
import { rocAuc } from './metrics.ts';
import { Random } from './random.ts';

/** A difference with its 95 % interval. */
export interface Difference {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/**
 * ROC AUC of `a` minus that of `b` on the same rows, with the interval of a paired bootstrap (percentiles of
 * `rounds` resamples): whether one is better, or only luckier on this slice.
 */
export function aucDifference(
  y: Target,
  a: Float64Array,
  b: Float64Array,
  { rounds = 200, seed = 1 }: { rounds?: number; seed?: number } = {},
): Difference {
  const random = new Random(seed);
  const found: number[] = [];
  for (let r = 0; r < rounds; r++) {
    const rows = Int32Array.from({ length: y.length }, () => random.int(y.length));
    const drawn = takeTarget(y, rows);
    const difference = rocAuc(drawn, takeTarget(a, rows)) - rocAuc(drawn, takeTarget(b, rows));
    // A resample of one class says nothing.
    if (!Number.isNaN(difference)) found.push(difference);
  }
  found.sort((x, z) => x - z);
  const at = (share: number) => found[Math.round(share * (found.length - 1))] ?? Number.NaN;
  return { estimate: rocAuc(y, a) - rocAuc(y, b), low: at(0.025), high: at(0.975) };
}
