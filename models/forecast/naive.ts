import type { FittedForecaster, ForecastJson, Forecaster, Series } from './series.ts';
import { checkHorizon, checkSeries, meanOf } from './series.ts';

/** What was one season ago; the last value where there is no season or less than one of history. The method to beat. */
export class SeasonalNaive implements Forecaster {
  readonly kind = 'seasonal-naive';

  fit(series: Series): FittedRepeat {
    checkSeries(series);
    const { values, period } = series;
    const length = values.length >= period ? period : 1;
    return new FittedRepeat('seasonal-naive', values.slice(values.length - length));
  }
}

/** The mean of the last `window` values, for demand without trend or season. */
export class WindowMean implements Forecaster {
  readonly kind = 'window-mean';
  readonly window: number;

  constructor(window = 8) {
    this.window = window;
  }

  fit(series: Series): FittedRepeat {
    checkSeries(series);
    const { values } = series;
    const from = Math.max(0, values.length - this.window);
    return new FittedRepeat('window-mean', Float64Array.of(meanOf(values, from)));
  }
}

/** Some values, again and again: also what flat methods such as Croston's forecast. */
export class FittedRepeat implements FittedForecaster {
  readonly kind: string;
  readonly #values: Float64Array;

  constructor(kind: string, values: Float64Array) {
    this.kind = kind;
    this.#values = values;
  }

  predict(horizon: number): Float64Array {
    checkHorizon(horizon);
    return Float64Array.from({ length: horizon }, (_, k) => this.#values[k % this.#values.length]!);
  }

  toJSON(): ForecastJson {
    return { kind: this.kind, format: 1, repeat: [...this.#values] };
  }

  static fromJSON(json: ForecastJson): FittedRepeat {
    return new FittedRepeat(json.kind, Float64Array.from(json['repeat'] as number[]));
  }
}
