import { invalid } from '../check.ts';
import type { Design } from '../design.ts';
import type { FitContext } from '../estimator.ts';
import { advance } from '../estimator.ts';
import { solveSymmetric } from '../linear-algebra.ts';
import type { Target } from '../matrix.ts';

export interface NewtonResult {
  readonly weights: Float64Array;
  readonly intercept: number;
  readonly iterations: number;
}

/**
 * Minimises Σ weightᵢ · loss(yᵢ, xᵢ·w + b) + ½ λ |w|² over w and b. The objective is strictly convex in w, so that
 * Newton's method with step halving finds its only minimum, usually in 5 to 8 steps. The intercept is not penalised.
 */
export function newton(
  X: Design,
  y: Target,
  weight: Float64Array,
  { lambda, iterations }: { lambda: number; iterations: number },
  ctx: FitContext,
): NewtonResult {
  const n = X.columns + 1;
  // The intercept is last. It starts at the log-odds of the rate, so that rare targets need no more steps.
  let beta: Float64Array = new Float64Array(n);
  let sum = 0;
  let ones = 0;
  for (let i = 0; i < X.rows; i++) {
    sum += weight[i]!;
    ones += weight[i]! * y[i]!;
  }
  beta[n - 1] = Math.log(ones / (sum - ones));
  let logits = new Float64Array(X.rows);
  let nextLogits = new Float64Array(X.rows);
  let cost = objective(X, y, weight, beta, lambda, logits);
  let done = 0;
  while (done < iterations) {
    const step = newtonStep(X, y, weight, beta, lambda, logits);
    done++;
    let size = 1;
    let next = beta;
    let nextCost = cost;
    // Far from the minimum the full step may overshoot.
    for (; size > 1e-6; size /= 2) {
      next = beta.map((value, j) => value - size * step[j]!);
      nextCost = objective(X, y, weight, next, lambda, nextLogits);
      if (nextCost < cost) break;
    }
    if (!(nextCost < cost)) break;
    const gained = cost - nextCost;
    beta = next;
    cost = nextCost;
    [logits, nextLogits] = [nextLogits, logits];
    advance(ctx, done / iterations, `step ${done}`);
    if (gained < 1e-12 * (1 + Math.abs(cost))) break;
  }
  return { weights: beta.slice(0, n - 1), intercept: beta[n - 1]!, iterations: done };
}

/** The objective at `beta`; the log-odds of each row are left in `logits`. */
function objective(
  { rows, columns, start, column, value, offset }: Design,
  y: Target,
  weight: Float64Array,
  beta: Float64Array,
  lambda: number,
  logits: Float64Array,
): number {
  let base = beta[columns]!;
  let cost = 0;
  for (let j = 0; j < columns; j++) {
    base -= offset[j]! * beta[j]!;
    cost += 0.5 * lambda * beta[j]! ** 2;
  }
  for (let i = 0; i < rows; i++) {
    let logit = base;
    for (let e = start[i]!; e < start[i + 1]!; e++) logit += value[e]! * beta[column[e]!]!;
    logits[i] = logit;
    // log(1 + e^z) − y z, without overflow.
    const soft = logit > 0 ? logit + Math.log1p(Math.exp(-logit)) : Math.log1p(Math.exp(logit));
    cost += weight[i]! * (soft - y[i]! * logit);
  }
  return cost;
}

/** H⁻¹ g at `beta`. */
function newtonStep(
  X: Design,
  y: Target,
  weight: Float64Array,
  beta: Float64Array,
  lambda: number,
  logits: Float64Array,
): Float64Array {
  const n = X.columns + 1;
  const { hessian, gradient } = derivatives(X, y, weight, logits);
  for (let j = 0; j < n; j++) {
    if (j < n - 1) {
      hessian[j * n + j]! += lambda;
      gradient[j]! += lambda * beta[j]!;
    }
    // Where all probabilities are 0 or 1 the curvature is nothing but rounding; this keeps the system solvable.
    hessian[j * n + j]! += 1e-10;
  }
  if (!solveSymmetric(hessian, gradient)) {
    throw invalid(
      `The columns depend on each other too closely for the penalty lambda ${lambda}; raise lambda, or drop columns.`,
    );
  }
  return gradient;
}

/** Of the losses: the gradient and the lower half of the Hessian, summed over entries that are not 0. */
function derivatives(
  { rows, columns, start, column, value, offset }: Design,
  y: Target,
  weight: Float64Array,
  logits: Float64Array,
): { hessian: Float64Array; gradient: Float64Array } {
  const n = columns + 1;
  const last = columns * n;
  const hessian = new Float64Array(n * n);
  const gradient = new Float64Array(n);
  for (let i = 0; i < rows; i++) {
    const p = 1 / (1 + Math.exp(-logits[i]!));
    const slope = weight[i]! * (p - y[i]!);
    const curve = weight[i]! * p * (1 - p);
    const [from, to] = [start[i]!, start[i + 1]!];
    for (let e = from; e < to; e++) {
      const a = column[e]!;
      gradient[a]! += slope * value[e]!;
      const scaled = curve * value[e]!;
      hessian[last + a]! += scaled;
      const at = a * n;
      for (let f = from; f <= e; f++) hessian[at + column[f]!]! += scaled * value[f]!;
    }
    gradient[columns]! += slope;
    hessian[last + columns]! += curve;
  }
  // Σ c (v − o)(v − o)ᵀ of what was summed as Σ c v vᵀ; the last row of the sum is Σ c v.
  const sums = hessian.slice(last);
  const whole = sums[columns]!;
  for (let a = 0; a < n; a++) {
    const oa = a < columns ? offset[a]! : 0;
    gradient[a]! -= oa * gradient[columns]!;
    for (let b = 0; b <= a; b++) {
      const ob = b < columns ? offset[b]! : 0;
      hessian[a * n + b]! += whole * oa * ob - oa * sums[b]! - ob * sums[a]!;
    }
  }
  return { hessian, gradient };
}
