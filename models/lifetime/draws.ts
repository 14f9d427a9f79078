import type { Random } from '../random.ts';

/** Gamma with shape `shape` and scale 1 (Marsaglia, Tsang 2000). */
export function gammaDraw(shape: number, random: Random): number {
  // Below 1 by the boost of the same paper; the logarithm keeps tiny shapes from rounding to 0.
  if (shape < 1) {
    return gammaDraw(shape + 1, random) * Math.exp(Math.log(1 - random.next()) / shape);
  }
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = random.normal();
    const v = (1 + c * normal) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - random.next()) < normal ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

export function betaDraw(a: number, b: number, random: Random): number {
  const first = gammaDraw(a, random);
  const sum = first + gammaDraw(b, random);
  return sum > 0 ? first / sum : 1;
}
