import type { Series } from './series.ts';
import { meanOf } from './series.ts';

/** A series without its season, and the season, one index a step of the period. */
export interface Decomposition {
  readonly adjusted: Float64Array;
  /** `indexes[t % period]` belongs to step t. */
  readonly indexes: Float64Array;
  readonly multiplicative: boolean;
}

/**
 * Whether the autocorrelation at one period stands out at 90 %, with the correlations before it taken into account: the
 * test of the theta method (Fiorucci et al. 2016). Fewer than two periods and a bit cannot show a season.
 */
export function isSeasonal({ values, period }: Series): boolean {
  const n = values.length;
  if (period < 2 || n < 2 * period + 2) return false;
  const mean = meanOf(values);
  let variance = 0;
  for (let t = 0; t < n; t++) variance += (values[t]! - mean) ** 2;
  if (variance <= 1e-12 * n * mean * mean) return false;
  let squares = 0;
  let last = 0;
  for (let lag = 1; lag <= period; lag++) {
    let sum = 0;
    for (let t = lag; t < n; t++) sum += (values[t]! - mean) * (values[t - lag]! - mean);
    last = sum / variance;
    if (lag < period) squares += last * last;
  }
  return last > 1.645 * Math.sqrt((1 + 2 * squares) / n);
}

/**
 * Classical decomposition by a centred moving average. Multiplicative only where every value is positive and no index
 * is near zero; the caller's wish is otherwise met by an additive one.
 */
export function decompose({ values, period }: Series, multiplicative: boolean): Decomposition {
  const positive = values.every((value) => value > 0);
  const indexes = seasonIndexes(values, period, multiplicative && positive);
  if (multiplicative && positive && indexes.some((index) => !(index > 0.01))) {
    return decompose({ values, period }, false);
  }
  const times = multiplicative && positive;
  const adjusted = values.map((value, t) =>
    times ? value / indexes[t % period]! : value - indexes[t % period]!,
  );
  return { adjusted, indexes, multiplicative: times };
}

/** Puts the season back on forecasts whose first step is step `from` of the series. */
export function reseason(
  forecast: Float64Array,
  { indexes, multiplicative }: Pick<Decomposition, 'indexes' | 'multiplicative'>,
  from: number,
): Float64Array {
  return forecast.map((value, k) => {
    const index = indexes[(from + k) % indexes.length]!;
    return multiplicative ? value * index : value + index;
  });
}

function seasonIndexes(values: Float64Array, period: number, times: boolean): Float64Array {
  const n = values.length;
  const half = Math.floor(period / 2);
  const even = period % 2 === 0;
  const sums = new Float64Array(period);
  const counts = new Int32Array(period);
  for (let t = half; t + half < n; t++) {
    let sum = 0;
    for (let k = -half; k <= half; k++) {
      sum += (even && Math.abs(k) === half ? 0.5 : 1) * values[t + k]!;
    }
    const level = sum / period;
    sums[t % period]! += times ? values[t]! / level : values[t]! - level;
    counts[t % period]!++;
  }
  const indexes = sums.map((sum, k) => (counts[k]! > 0 ? sum / counts[k]! : times ? 1 : 0));
  const mean = meanOf(indexes);
  return indexes.map((index) => (times ? index / mean : index - mean));
}
