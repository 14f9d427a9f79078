import type { Design } from '../design.ts';
import type { FitContext } from '../estimator.ts';
import { throwIfAborted } from '../estimator.ts';
import { Random } from '../random.ts';

export interface DescentOptions {
  /** Price of each row's squared hinge loss; 0 leaves a row out. */
  readonly cost: Float64Array;
  readonly tolerance: number;
  /** Passes over all rows. */
  readonly epochs: number;
  readonly seed: number;
}

export interface LinearMargin {
  /** On the design's values; the last is the bias. */
  readonly weights: Float64Array;
  readonly epochs: number;
  readonly converged: boolean;
}

/**
 * min ½|w|² + Σ costᵢ max(0, 1 − yᵢ w·xᵢ)² by dual coordinate descent in random order, with rows that stay at 0 set
 * aside (Hsieh, Chang, Lin, Keerthi, Sundararajan 2008, algorithms 1 and 3). `y` is ±1. The bias is a column of ones.
 */
export function dualDescent(
  X: Design,
  y: Float64Array,
  { cost, tolerance, epochs, seed }: DescentOptions,
  ctx: FitContext,
): LinearMargin {
  const { start, column, value, columns } = X;
  const w = new Float64Array(columns + 1);
  const alpha = new Float64Array(X.rows);
  const rows = Int32Array.from(cost.keys()).filter((i) => cost[i]! > 0);
  const diagonal = new Float64Array(X.rows);
  for (const i of rows) {
    let square = 1;
    for (let e = start[i]!; e < start[i + 1]!; e++) square += value[e]! * value[e]!;
    diagonal[i] = square + 0.5 / cost[i]!;
  }
  const random = new Random(seed, 5);
  let active = rows.length;
  let limit = Infinity;
  let done = 0;
  while (done < epochs) {
    throwIfAborted(ctx);
    let most = 0;
    let highest = -Infinity;
    for (let s = 0; s < active; s++) {
      const swap = s + random.int(active - s);
      const i = rows[swap]!;
      rows[swap] = rows[s]!;
      rows[s] = i;
      let dot = w[columns]!;
      for (let e = start[i]!; e < start[i + 1]!; e++) dot += value[e]! * w[column[e]!]!;
      const gradient = y[i]! * dot - 1 + (0.5 / cost[i]!) * alpha[i]!;
      if (alpha[i] === 0) {
        if (gradient > limit) {
          // It will stay at 0: look at it again only at the end.
          active--;
          rows[s] = rows[active]!;
          rows[active] = i;
          s--;
          continue;
        }
        if (gradient >= 0) continue;
      }
      most = Math.max(most, Math.abs(gradient));
      highest = Math.max(highest, gradient);
      const before = alpha[i]!;
      alpha[i] = Math.max(0, before - gradient / diagonal[i]!);
      const step = (alpha[i]! - before) * y[i]!;
      if (step === 0) continue;
      for (let e = start[i]!; e < start[i + 1]!; e++) w[column[e]!]! += step * value[e]!;
      w[columns]! += step;
    }
    done++;
    if (most <= tolerance) {
      if (active === rows.length) return { weights: w, epochs: done, converged: true };
      active = rows.length;
      limit = Infinity;
    } else limit = highest > 0 ? highest : Infinity;
  }
  return { weights: w, epochs: done, converged: false };
}
