/** The special functions that the lifetime models need, for positive arguments. */

const HALF_LOG_TAU = 0.918_938_533_204_672_8;

/** ln Γ(x) for x > 0 to about 1e-14: the recurrence up to 10, then Stirling's series (Abramowitz, Stegun 6.1.41). */
export function logGamma(x: number): number {
  let shift = 0;
  let at = x;
  // One logarithm of a product is cheaper than many; ten factors below 10 cannot overflow.
  let product = 1;
  while (at < 10) product *= at++;
  if (product !== 1) shift = Math.log(product);
  const inverse = 1 / at;
  const square = inverse * inverse;
  const series =
    inverse *
    (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))));
  return (at - 0.5) * Math.log(at) - at + HALF_LOG_TAU + series - shift;
}

/** ψ(x) = d ln Γ(x) / dx for x > 0 to about 1e-14 (Abramowitz, Stegun 6.3.18). */
export function digamma(x: number): number {
  let shift = 0;
  let at = x;
  while (at < 10) shift += 1 / at++;
  const square = 1 / (at * at);
  const series =
    square *
    (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square * (1 / 132)))));
  return Math.log(at) - 0.5 / at - series - shift;
}

/**
 * ₂F₁(a, b; c; z) for 0 ≤ z < 1 by its series, which stops when a term no longer counts. Fast and exact where a and b
 * are small, so callers bring it into that form first (Euler's transformation).
 */
export function hypergeometric(a: number, b: number, c: number, z: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 0; n < 100_000; n++) {
    term *= (((a + n) * (b + n)) / ((c + n) * (n + 1))) * z;
    sum += term;
    if (Math.abs(term) <= 1e-16 * Math.abs(sum) * (1 - z)) break;
  }
  return sum;
}
