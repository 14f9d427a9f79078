import type { FitContext } from './estimator.ts';
import { advance } from './estimator.ts';

/** A function of few parameters with its gradient, which it writes into `gradient`. */
export type Objective = (at: Float64Array, gradient: Float64Array) => number;

export interface Minimum {
  readonly at: Float64Array;
  readonly value: number;
  readonly iterations: number;
  /** Whether the gradient vanished; else the steps were used up or the function is flat. */
  readonly converged: boolean;
}

export interface MinimiseOptions {
  readonly iterations?: number;
  /** Largest gradient at which it stops, relative to 1 + |value|. */
  readonly tolerance?: number;
}

/**
 * The minimum of a smooth function by BFGS with a line search that halves (Nocedal, Wright: Numerical Optimization,
 * ch. 6). For a handful of parameters: it keeps a dense inverse Hessian. A value of NaN or infinity is stepped back
 * from, so an objective may refuse a place by returning `Infinity`.
 */
export function minimise(
  objective: Objective,
  start: ArrayLike<number>,
  { iterations = 200, tolerance = 1e-9 }: MinimiseOptions = {},
  ctx: FitContext = {},
): Minimum {
  const n = start.length;
  let at = Float64Array.from(start);
  let gradient = new Float64Array(n);
  let value = objective(at, gradient);
  const inverse = identity(n);
  for (let step = 0; step < iterations; step++) {
    if (largest(gradient) <= tolerance * (1 + Math.abs(value))) {
      return { at, value, iterations: step, converged: true };
    }
    let direction = descent(inverse, gradient);
    let slope = dot(direction, gradient);
    if (!(slope < 0)) {
      inverse.set(identity(n));
      direction = gradient.map((g) => -g);
      slope = -dot(gradient, gradient);
    }
    // Parameters are logarithms here: a step of e² is as far as one should trust a quadratic.
    let size = Math.min(1, 2 / largest(direction));
    const next = new Float64Array(n);
    const nextGradient = new Float64Array(n);
    let nextValue = Infinity;
    for (; size > 1e-14; size /= 2) {
      for (let j = 0; j < n; j++) next[j] = at[j]! + size * direction[j]!;
      nextValue = objective(next, nextGradient);
      if (nextValue <= value + 1e-4 * size * slope) break;
    }
    if (!(nextValue < value)) {
      const converged = largest(gradient) <= 1e3 * tolerance * (1 + Math.abs(value));
      return { at, value, iterations: step, converged };
    }
    update(inverse, at, next, gradient, nextGradient, step === 0);
    at = next;
    gradient = nextGradient;
    value = nextValue;
    advance(ctx, (step + 1) / iterations, `step ${step + 1}`);
  }
  return { at, value, iterations, converged: false };
}

/** The BFGS update of the inverse Hessian; left out where the curvature is not positive. */
function update(
  H: Float64Array,
  at: Float64Array,
  next: Float64Array,
  gradient: Float64Array,
  nextGradient: Float64Array,
  first: boolean,
): void {
  const n = at.length;
  const s = next.map((value, j) => value - at[j]!);
  const y = nextGradient.map((value, j) => value - gradient[j]!);
  const sy = dot(s, y);
  if (sy <= 1e-12 * Math.sqrt(dot(s, s) * dot(y, y))) return;
  if (first) for (let j = 0; j < n; j++) H[j * n + j] = sy / dot(y, y);
  const Hy = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) Hy[i]! += H[i * n + j]! * y[j]!;
  const factor = (1 + dot(y, Hy) / sy) / sy;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      H[i * n + j]! += factor * s[i]! * s[j]! - (Hy[i]! * s[j]! + s[i]! * Hy[j]!) / sy;
    }
  }
}

/**
 * The Hessian at a place by central differences of the gradient, symmetric, row-major: its inverse at the minimum of a
 * negative log-likelihood is the covariance of the parameters.
 */
export function hessianAt(objective: Objective, at: Float64Array, step = 1e-4): Float64Array {
  const n = at.length;
  const hessian = new Float64Array(n * n);
  const [up, down] = [new Float64Array(n), new Float64Array(n)];
  for (let j = 0; j < n; j++) {
    objective(
      at.map((value, i) => (i === j ? value + step : value)),
      up,
    );
    objective(
      at.map((value, i) => (i === j ? value - step : value)),
      down,
    );
    for (let i = 0; i < n; i++) {
      const slope = (up[i]! - down[i]!) / (2 * step) / 2;
      hessian[i * n + j]! += slope;
      hessian[j * n + i]! += slope;
    }
  }
  return hessian;
}

function descent(H: Float64Array, gradient: Float64Array): Float64Array {
  const n = gradient.length;
  return gradient.map((_, i) => -dot(H.subarray(i * n, (i + 1) * n), gradient));
}

function identity(n: number): Float64Array {
  const matrix = new Float64Array(n * n);
  for (let j = 0; j < n; j++) matrix[j * n + j] = 1;
  return matrix;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += a[j]! * b[j]!;
  return sum;
}

function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
