import { logit } from '../calibration/platt.ts';
import type { Target } from '../matrix.ts';
import { logLoss, rocAuc } from '../metrics.ts';

/** The mean of several models' log-odds, weighted, as a probability. */
export function blend(weights: ArrayLike<number>, said: readonly Float64Array[]): Float64Array {
  const rows = said[0]!.length;
  const mixed = new Float64Array(rows);
  let sum = 0;
  for (let m = 0; m < said.length; m++) sum += weights[m]!;
  for (let m = 0; m < said.length; m++) {
    if (weights[m] === 0) continue;
    for (let i = 0; i < rows; i++) mixed[i]! += (weights[m]! / sum) * logit(said[m]![i]!);
  }
  return mixed.map((z) => 1 / (1 + Math.exp(-z)));
}

/** What a choice is made by; both are "higher is better". */
export type Score = 'rocAuc' | 'logLoss';

export function scoreOf(score: Score, y: Target, p: Float64Array): number {
  return score === 'rocAuc' ? rocAuc(y, p) : -logLoss(y, p);
}

/** A gain below this on the held-out predictions is noise that would only add a model. */
const GAIN_MIN = 2e-4;
const ROUNDS = 12;

/**
 * Weights of a blend, by forward selection with replacement on predictions for rows that no model learnt from
 * (Caruana et al. 2004): it starts with the best model, adds what helps most, and stops where nothing helps.
 */
export function chooseBlend(
  y: Target,
  said: readonly Float64Array[],
  score: Score,
): { weights: number[]; score: number } {
  const alone = said.map((p) => scoreOf(score, y, p));
  const first = alone.indexOf(Math.max(...alone));
  let weights: number[] = said.map((_, m) => (m === first ? 1 : 0));
  let best = alone[first]!;
  for (let round = 0; round < ROUNDS; round++) {
    const tries = said.map((_, m) => {
      const next = weights.map((weight, k) => weight + (k === m ? 1 : 0));
      return { next, score: scoreOf(score, y, blend(next, said)) };
    });
    const top = tries.reduce((a, b) => (b.score > a.score ? b : a));
    if (!(top.score > best + GAIN_MIN / (round + 1))) break;
    best = top.score;
    weights = top.next;
  }
  return { weights, score: best };
}
