import type { Target } from './matrix.ts';
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
  const ranked = [a, b].map((score) => ranking(score));
  const weight = new Int32Array(y.length);
  const found: number[] = [];
  for (let r = 0; r < rounds; r++) {
    weight.fill(0);
    for (let i = 0; i < y.length; i++) weight[random.int(y.length)]! += 1;
    const difference = weightedAuc(y, ranked[0]!, weight) - weightedAuc(y, ranked[1]!, weight);
    // A resample of one class says nothing.
    if (!Number.isNaN(difference)) found.push(difference);
  }
  found.sort((x, z) => x - z);
  const at = (share: number) => found[Math.round(share * (found.length - 1))] ?? Number.NaN;
  return { estimate: rocAuc(y, a) - rocAuc(y, b), low: at(0.025), high: at(0.975) };
}

interface Ranking {
  /** Rows by ascending score. */
  readonly order: Int32Array;
  /** 1 where a place begins a new score. */
  readonly begins: Uint8Array;
}

/** Sorted once for all resamples, which only weigh the rows. */
function ranking(score: Float64Array): Ranking {
  const order = Int32Array.from(score.keys()).sort((i, j) => score[i]! - score[j]!);
  const begins = Uint8Array.from(order, (row, place) =>
    place === 0 || score[row] !== score[order[place - 1]!] ? 1 : 0,
  );
  return { order, begins };
}

/** The AUC where each row stands `weight` times. */
function weightedAuc(y: Target, { order, begins }: Ranking, weight: Int32Array): number {
  let won = 0;
  let positives = 0;
  let negativesBelow = 0;
  let negativesHere = 0;
  let positivesHere = 0;
  for (let place = 0; place <= order.length; place++) {
    if (place === order.length || begins[place] === 1) {
      won += positivesHere * (negativesBelow + negativesHere / 2);
      positives += positivesHere;
      negativesBelow += negativesHere;
      positivesHere = 0;
      negativesHere = 0;
    }
    if (place === order.length) break;
    const row = order[place]!;
    if (y[row] === 1) positivesHere += weight[row]!;
    else negativesHere += weight[row]!;
  }
  return won / (positives * negativesBelow);
}
