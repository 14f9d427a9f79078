import type { FittedForecaster, ForecastJson, Forecaster, Series } from './series.ts';
import { checkSeries } from './series.ts';

/** Largest logarithm by which a forecast may leave the range of the history: exp(2) is sevenfold. */
const BEYOND = 2;

/**
 * Another method on the logarithms, where all values are positive; else on the values as they are. Growth becomes a
 * line and the season a factor; the forecast is the median, not the mean.
 */
export class Logged implements Forecaster {
  readonly kind: string;
  readonly inner: Forecaster;

  constructor(inner: Forecaster) {
    this.inner = inner;
    this.kind = `log-${inner.kind}`;
  }

  fit(series: Series): FittedForecaster {
    checkSeries(series);
    const { values, period } = series;
    if (!values.every((value) => value > 0)) return this.inner.fit(series);
    const logs = values.map(Math.log);
    let [low, high] = [Infinity, -Infinity];
    for (const value of logs) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    return new FittedLogged(this.inner.fit({ values: logs, period }), low - BEYOND, high + BEYOND);
  }
}

export class FittedLogged implements FittedForecaster {
  readonly kind = 'logged';
  readonly #inner: FittedForecaster;
  readonly #low: number;
  readonly #high: number;

  constructor(inner: FittedForecaster, low: number, high: number) {
    this.#inner = inner;
    this.#low = low;
    this.#high = high;
  }

  predict(horizon: number): Float64Array {
    return this.#inner
      .predict(horizon)
      .map((value) => Math.exp(Math.min(Math.max(value, this.#low), this.#high)));
  }

  toJSON(): ForecastJson {
    return {
      kind: 'logged',
      format: 1,
      low: this.#low,
      high: this.#high,
      inner: this.#inner.toJSON(),
    };
  }

  static fromJSON(
    json: ForecastJson,
    read: (json: ForecastJson) => FittedForecaster,
  ): FittedLogged {
    return new FittedLogged(
      read(json['inner'] as ForecastJson),
      json['low'] as number,
      json['high'] as number,
    );
  }
}
