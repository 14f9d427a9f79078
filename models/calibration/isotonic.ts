import type { Target } from '../matrix.ts';

/** Steps that never fall: the probability at `from[k]` is `value[k]`, and between two places it lies on their line. */
export interface Isotonic {
  readonly method: 'isotonic';
  readonly from: readonly number[];
  readonly value: readonly number[];
}

/**
 * The never-falling curve nearest to the outcomes in squares, by pooling adjacent violators (Ayer et al. 1955). It
 * needs some thousand rows; ties that it makes can cost a little of the AUC.
 */
export function fitIsotonic(y: Target, scores: Float64Array): Isotonic {
  const order = Int32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]!);
  const blocks: { low: number; high: number; sum: number; count: number }[] = [];
  for (let place = 0; place < order.length;) {
    const score = scores[order[place]!]!;
    let [sum, count] = [0, 0];
    // Rows of one score have one probability.
    while (place < order.length && scores[order[place]!] === score) {
      sum += y[order[place]!]!;
      count++;
      place++;
    }
    blocks.push({ low: score, high: score, sum, count });
    while (blocks.length > 1) {
      const last = blocks.at(-1)!;
      const before = blocks.at(-2)!;
      if (before.sum / before.count < last.sum / last.count) break;
      blocks.pop();
      before.high = last.high;
      before.sum += last.sum;
      before.count += last.count;
    }
  }
  const from: number[] = [];
  const value: number[] = [];
  for (const { low, high, sum, count } of blocks) {
    for (const edge of high > low ? [low, high] : [low]) {
      from.push(edge);
      value.push(sum / count);
    }
  }
  return { method: 'isotonic', from, value };
}

export function isotonicAt({ from, value }: Isotonic, score: number): number {
  let [low, high] = [0, from.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (from[middle]! <= score) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return value[0]!;
  if (low === from.length) return value.at(-1)!;
  const share = (score - from[low - 1]!) / (from[low]! - from[low - 1]!);
  return value[low - 1]! + share * (value[low]! - value[low - 1]!);
}
