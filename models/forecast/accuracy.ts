/** Symmetric mean absolute percentage error in percent, as the M3 competition counts it: 200 |y − ŷ| / (|y| + |ŷ|). */
export function smape(actual: ArrayLike<number>, forecast: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < actual.length; k++) {
    const size = Math.abs(actual[k]!) + Math.abs(forecast[k]!);
    if (size > 0) sum += (200 * Math.abs(actual[k]! - forecast[k]!)) / size;
  }
  return sum / actual.length;
}

/** The mean absolute error of the seasonal naive forecast within the history: the unit of MASE (Hyndman, Koehler 2006). */
export function naiveError(history: ArrayLike<number>, period: number): number {
  const lag = history.length > period ? period : 1;
  let sum = 0;
  for (let t = lag; t < history.length; t++) sum += Math.abs(history[t]! - history[t - lag]!);
  return sum / Math.max(history.length - lag, 1);
}

/** Mean absolute error in units of `naiveError`; NaN where the history never changes. */
export function mase(
  actual: ArrayLike<number>,
  forecast: ArrayLike<number>,
  history: ArrayLike<number>,
  period: number,
): number {
  let sum = 0;
  for (let k = 0; k < actual.length; k++) sum += Math.abs(actual[k]! - forecast[k]!);
  return sum / actual.length / (naiveError(history, period) || Number.NaN);
}

/** Sum of absolute errors over the sum of the actual values: what share of the demand was misplaced. */
export function wape(actual: ArrayLike<number>, forecast: ArrayLike<number>): number {
  let [off, sum] = [0, 0];
  for (let k = 0; k < actual.length; k++) {
    off += Math.abs(actual[k]! - forecast[k]!);
    sum += Math.abs(actual[k]!);
  }
  return off / sum;
}

/** The share of actual values within their interval, ends included. */
export function coverage(
  actual: ArrayLike<number>,
  low: ArrayLike<number>,
  high: ArrayLike<number>,
): number {
  let within = 0;
  for (let k = 0; k < actual.length; k++) {
    if (actual[k]! >= low[k]! && actual[k]! <= high[k]!) within++;
  }
  return within / actual.length;
}
