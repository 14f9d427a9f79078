import { invalid } from '../check.ts';
import type { FitContext } from '../estimator.ts';
import { advance } from '../estimator.ts';
import { solveSymmetric } from '../linear-algebra.ts';
import type { Matrix, Target } from '../matrix.ts';

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
  X: Matrix,
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
  let cost = objective(X, y, weight, beta, lambda);
  let done = 0;
  while (done < iterations) {
    const step = newtonStep(X, y, weight, beta, lambda);
    done++;
    let size = 1;
    let next = beta;
    let nextCost = cost;
    // Far from the minimum the full step may overshoot.
    for (; size > 1e-6; size /= 2) {
      next = beta.map((value, j) => value - size * step[j]!);
      nextCost = objective(X, y, weight, next, lambda);
      if (nextCost < cost) break;
    }
    if (!(nextCost < cost)) break;
    const gained = cost - nextCost;
    beta = next;
    cost = nextCost;
    advance(ctx, done / iterations, `step ${done}`);
    if (gained < 1e-12 * (1 + Math.abs(cost))) break;
  }
  return { weights: beta.slice(0, n - 1), intercept: beta[n - 1]!, iterations: done };
}

function logitOf(X: Matrix, row: number, beta: Float64Array): number {
  let logit = beta[X.columns]!;
  const at = row * X.columns;
  for (let j = 0; j < X.columns; j++) logit += X.data[at + j]! * beta[j]!;
  return logit;
}

function objective(
  X: Matrix,
  y: Target,
  weight: Float64Array,
  beta: Float64Array,
  lambda: number,
): number {
  let cost = 0;
  for (let i = 0; i < X.rows; i++) {
    const logit = logitOf(X, i, beta);
    // log(1 + e^z) − y z, without overflow.
    const soft = logit > 0 ? logit + Math.log1p(Math.exp(-logit)) : Math.log1p(Math.exp(logit));
    cost += weight[i]! * (soft - y[i]! * logit);
  }
  for (let j = 0; j < X.columns; j++) cost += 0.5 * lambda * beta[j]! ** 2;
  return cost;
}

/** H⁻¹ g at `beta`. */
function newtonStep(
  X: Matrix,
  y: Target,
  weight: Float64Array,
  beta: Float64Array,
  lambda: number,
): Float64Array {
  const n = X.columns + 1;
  const hessian = new Float64Array(n * n);
  const gradient = new Float64Array(n);
  const row = new Float64Array(n);
  row[n - 1] = 1;
  for (let i = 0; i < X.rows; i++) {
    row.set(X.data.subarray(i * X.columns, (i + 1) * X.columns));
    const p = 1 / (1 + Math.exp(-logitOf(X, i, beta)));
    const slope = weight[i]! * (p - y[i]!);
    const curve = weight[i]! * p * (1 - p);
    for (let a = 0; a < n; a++) {
      const value = row[a]!;
      if (value === 0) continue;
      gradient[a]! += slope * value;
      const scaled = curve * value;
      for (let b = 0; b <= a; b++) hessian[a * n + b]! += scaled * row[b]!;
    }
  }
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
