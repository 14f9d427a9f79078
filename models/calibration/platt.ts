import type { Target } from '../matrix.ts';

/** A probability p becomes σ(slope · logit p + intercept). */
export interface Platt {
  readonly method: 'platt';
  readonly slope: number;
  readonly intercept: number;
}

/**
 * Platt scaling: a logistic curve in the log-odds, by Newton's method, with Platt's smoothed targets so that a sure
 * sample does not make sure curves (Platt 1999; Lin, Lin, Weng 2007). Scores may be probabilities or margins;
 * `isMargin` says that they are not probabilities. It never changes who ranks above whom, unless the slope is not above 0.
 */
export function fitPlatt(y: Target, scores: Float64Array, isMargin = false): Platt {
  const x = isMargin ? scores : scores.map(logit);
  let positives = 0;
  for (const value of y) positives += value;
  const high = (positives + 1) / (positives + 2);
  const low = 1 / (y.length - positives + 2);
  let slope = isMargin ? 0 : 1;
  let intercept = isMargin ? Math.log((positives + 1) / (y.length - positives + 1)) : 0;
  let loss = lossOf(slope, intercept);
  for (let it = 0; it < 100; it++) {
    let [gs, gi, hss, hsi, hii] = [0, 0, 1e-12, 0, 1e-12];
    for (let i = 0; i < x.length; i++) {
      const p = 1 / (1 + Math.exp(-(slope * x[i]! + intercept)));
      const error = p - (y[i] === 1 ? high : low);
      const weight = p * (1 - p);
      gs += error * x[i]!;
      gi += error;
      hss += weight * x[i]! * x[i]!;
      hsi += weight * x[i]!;
      hii += weight;
    }
    if (Math.abs(gs) < 1e-7 && Math.abs(gi) < 1e-7) break;
    const determinant = hss * hii - hsi * hsi;
    const ds = -(hii * gs - hsi * gi) / determinant;
    const di = -(hss * gi - hsi * gs) / determinant;
    let step = 1;
    let next = lossOf(slope + ds, intercept + di);
    while (!(next < loss + 1e-12) && step > 1e-10) {
      step /= 2;
      next = lossOf(slope + step * ds, intercept + step * di);
    }
    slope += step * ds;
    intercept += step * di;
    loss = next;
  }
  return { method: 'platt', slope, intercept };

  function lossOf(a: number, b: number): number {
    let sum = 0;
    for (let i = 0; i < x.length; i++) {
      const z = a * x[i]! + b;
      // log(1 + e^z) − t z, without overflow.
      sum += Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - (y[i] === 1 ? high : low) * z;
    }
    return sum;
  }
}

/** Log-odds; probabilities of 0 and 1 are moved in by 1e-6. */
export function logit(p: number): number {
  const inside = Math.min(1 - 1e-6, Math.max(1e-6, p));
  return Math.log(inside / (1 - inside));
}
