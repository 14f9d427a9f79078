import { invalid } from '../check.ts';

/**
 * Population stability index of a column or a score: how far its distribution has moved from the one that was learnt
 * from, over tenths of the latter (missing values are a group of their own). Below 0.1 nothing moved, above 0.25 much did.
 */
export function psi(before: Float64Array, after: Float64Array, groups = 10): number {
  if (before.length === 0 || after.length === 0) {
    throw invalid('A distribution without rows cannot have moved; expected at least one row each.');
  }
  const sorted = before.filter((value) => !Number.isNaN(value)).sort();
  const cuts: number[] = [];
  for (let g = 1; g < groups; g++) {
    const cut = sorted[Math.floor((g * sorted.length) / groups)];
    if (cut !== undefined && cut !== cuts.at(-1)) cuts.push(cut);
  }
  const was = shares(before, cuts);
  const is = shares(after, cuts);
  let sum = 0;
  for (let g = 0; g < was.length; g++) sum += (is[g]! - was[g]!) * Math.log(is[g]! / was[g]!);
  return sum;
}

/** Shares of the groups; half a row is added to each, since an empty one would be infinitely far away. */
function shares(values: Float64Array, cuts: readonly number[]): Float64Array {
  const counts = new Float64Array(cuts.length + 2).fill(0.5);
  for (const value of values) {
    let group = 0;
    if (Number.isNaN(value)) group = cuts.length + 1;
    else while (group < cuts.length && value >= cuts[group]!) group++;
    counts[group]! += 1;
  }
  return counts.map((count) => count / (values.length + counts.length / 2));
}

export type DriftLevel = 'none' | 'some' | 'much';

export function driftLevel(index: number): DriftLevel {
  return index < 0.1 ? 'none' : index < 0.25 ? 'some' : 'much';
}

export interface OutcomeDrift {
  /** What the model said would come true, and what did. */
  readonly predicted: number;
  readonly observed: number;
  /** Difference in standard errors of the predictions' own making; beyond 3 it is no chance. */
  readonly z: number;
}

/** Whether outcomes still come true as often as they are predicted (calibration in the large). */
export function outcomeDrift(y: ArrayLike<number>, p: Float64Array): OutcomeDrift {
  if (y.length !== p.length || y.length === 0) {
    throw invalid(`There are ${y.length} outcomes and ${p.length} predictions; expected as many.`);
  }
  let [predicted, observed, variance] = [0, 0, 0];
  for (let i = 0; i < p.length; i++) {
    predicted += p[i]!;
    observed += y[i]!;
    variance += p[i]! * (1 - p[i]!);
  }
  return {
    predicted: predicted / p.length,
    observed: observed / p.length,
    z: variance > 0 ? (observed - predicted) / Math.sqrt(variance) : 0,
  };
}
