/** Waits for things that come back: doubling from `firstMs` to `maxMs`, with a tenth of jitter from `random`. */
export function backoffMs(
  attempt: number,
  firstMs: number,
  maxMs: number,
  random: () => number = () => 0.5,
): number {
  const base = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(base * (0.95 + 0.1 * random()));
}
