import type { Target } from '../matrix.ts';

/** Rows by descending score; rows of one score share a step, so that their order changes nothing. */
export function descending(score: Float64Array): Int32Array {
  return Int32Array.from(score.keys()).sort((a, b) => score[b]! - score[a]!);
}

/**
 * Area under precision and recall as average precision: the mean of the precision at each found positive, without
 * interpolation. NaN without a positive.
 */
export function prAuc(y: Target, score: Float64Array): number {
  const order = descending(score);
  let [found, sum, foundBefore] = [0, 0, 0];
  for (let place = 0; place < order.length;) {
    const at = score[order[place]!]!;
    while (place < order.length && score[order[place]!] === at) {
      if (y[order[place]!] === 1) found++;
      place++;
    }
    sum += (found - foundBefore) * (found / place);
    foundBefore = found;
  }
  return found === 0 ? Number.NaN : sum / found;
}

export interface LiftStep {
  /** Of all rows, those with the highest scores up to here. */
  readonly share: number;
  /** Of all positives, those found up to here (gain). */
  readonly gain: number;
  /** Rate of positives among the step's own rows over the mean rate. */
  readonly lift: number;
  /** The same among all rows up to here. */
  readonly liftSoFar: number;
}

/** Lift and gain by tenths of the rows, the highest scores first. Rows of one score count by their mean. */
export function liftTable(y: Target, score: Float64Array, steps = 10): LiftStep[] {
  const order = descending(score);
  const n = order.length;
  // Positives among the first rows, ties counted by their mean.
  const found = new Float64Array(n + 1);
  for (let place = 0; place < n;) {
    let end = place;
    let ones = 0;
    while (end < n && score[order[end]!] === score[order[place]!]) ones += y[order[end++]!]!;
    for (let k = place; k < end; k++) found[k + 1] = found[k]! + ones / (end - place);
    place = end;
  }
  const rate = found[n]! / n;
  return Array.from({ length: steps }, (_, s) => {
    const from = Math.round((s * n) / steps);
    const to = Math.round(((s + 1) * n) / steps);
    return {
      share: to / n,
      gain: found[to]! / found[n]!,
      lift: (found[to]! - found[from]!) / (to - from) / rate,
      liftSoFar: found[to]! / to / rate,
    };
  });
}
