import { invalid } from '../check.ts';
import { mae, rmse } from '../metrics.ts';

export interface RegressionMetrics {
  readonly rows: number;
  readonly mae: number;
  readonly rmse: number;
  readonly medianError: number;
  /** Share of the variance that is explained; NaN where the truth does not vary. */
  readonly r2: number;
  /** Mean of |error| / |truth|; NaN where a truth is 0. */
  readonly mape: number;
  /** Sum of |error| over the sum of |truth|. */
  readonly wape: number;
}

export function regressionMetrics(y: Float64Array, predicted: Float64Array): RegressionMetrics {
  if (y.length === 0) throw invalid('There are no rows to judge; expected at least one.');
  const error = mae(y, predicted);
  const mean = y.reduce((a, b) => a + b, 0) / y.length;
  let [spread, relative, size] = [0, 0, 0];
  for (let i = 0; i < y.length; i++) {
    spread += (y[i]! - mean) ** 2;
    relative += y[i] === 0 ? Number.NaN : Math.abs((y[i]! - predicted[i]!) / y[i]!);
    size += Math.abs(y[i]!);
  }
  const squared = rmse(y, predicted);
  const absolute = y.map((value, i) => Math.abs(value - predicted[i]!)).sort();
  const [low, high] = [absolute[(y.length - 1) >> 1]!, absolute[y.length >> 1]!];
  return {
    rows: y.length,
    mae: error,
    rmse: squared,
    medianError: (low + high) / 2,
    r2: spread > 0 ? 1 - (squared * squared * y.length) / spread : Number.NaN,
    mape: relative / y.length,
    wape: (error * y.length) / size,
  };
}
