import { invalid } from '../check.ts';
import type { Target } from '../matrix.ts';

export interface PairedTest {
  readonly aucA: number;
  readonly aucB: number;
  /** B above A. */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  /** Two-sided: how likely a difference so large is, if there is none. */
  readonly p: number;
}

/**
 * Whether the AUC of B differs from that of A on the same rows (DeLong, DeLong, Clarke-Pearson 1988, by the mid-ranks
 * of Sun & Xu 2014), with the 95 % interval of the difference.
 */
export function delong(y: Target, a: Float64Array, b: Float64Array): PairedTest {
  if (a.length !== y.length || b.length !== y.length) {
    throw invalid(
      `There are ${y.length} outcomes and ${a.length} and ${b.length} predictions; expected as many.`,
    );
  }
  const pa = placements(y, a);
  const pb = placements(y, b);
  const difference = pb.auc - pa.auc;
  const variance =
    varianceOf(pa.positive, pb.positive) / pa.positive.length +
    varianceOf(pa.negative, pb.negative) / pa.negative.length;
  const deviation = Math.sqrt(Math.max(0, variance));
  const z = deviation > 0 ? difference / deviation : difference === 0 ? 0 : Infinity;
  return {
    aucA: pa.auc,
    aucB: pb.auc,
    difference,
    low: difference - 1.959963984540054 * deviation,
    high: difference + 1.959963984540054 * deviation,
    p: Math.min(1, 2 * (1 - normalCdf(Math.abs(z)))),
  };
}

interface Placements {
  readonly auc: number;
  /** Of each positive the share of negatives below it; of each negative the share of positives above it. */
  readonly positive: Float64Array;
  readonly negative: Float64Array;
}

function placements(y: Target, score: Float64Array): Placements {
  const rows = Int32Array.from(score.keys());
  const positives = rows.filter((i) => y[i] === 1);
  const negatives = rows.filter((i) => y[i] !== 1);
  const above = Float64Array.from(negatives, (i) => score[i]!).sort();
  const below = Float64Array.from(positives, (i) => score[i]!).sort();
  const positive = Float64Array.from(positives, (i) => beaten(above, score[i]!));
  const negative = Float64Array.from(negatives, (i) => 1 - beaten(below, score[i]!));
  return { auc: mean(positive), positive, negative };
}

/** Share of sorted values below, ties by half. */
function beaten(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  let end = sorted.length;
  let from = low;
  while (from < end) {
    const middle = (from + end) >> 1;
    if (sorted[middle]! <= value) from = middle + 1;
    else end = middle;
  }
  return (low + from) / 2 / sorted.length;
}

/** Of the difference of two paired samples. */
function varianceOf(a: Float64Array, b: Float64Array): number {
  const apart = b.map((value, i) => value - a[i]!);
  const middle = mean(apart);
  let sum = 0;
  for (const value of apart) sum += (value - middle) ** 2;
  return sum / (apart.length - 1);
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** Φ by the complementary error function of W. J. Cody's kind (Numerical Recipes' Chebyshev fit, error < 1.2e-7). */
export function normalCdf(z: number): number {
  if (z === Infinity) return 1;
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + x / 2);
  const poly = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398,
    1.48851587, -0.82215223, 0.17087277,
  ].reduceRight((sum, c) => sum * t + c, 0);
  const tail = (t * Math.exp(-x * x + poly)) / 2;
  return z >= 0 ? 1 - tail : tail;
}
