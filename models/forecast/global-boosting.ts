import type { BoostingParams } from '../boosting/boost.ts';
import { BoostingRegression, FittedBoostingRegression } from '../boosting/boosting.ts';
import type { FitContext, ModelJson } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import { scaleOf } from './automatic.ts';
import type { ForecastJson, Series } from './series.ts';
import { checkHorizon, checkSeries, invalid, meanOf, upTo } from './series.ts';

export interface GlobalBoostingOptions {
  /** Steps ahead that it learns to see. */
  readonly horizon: number;
  /** How many of the last values it looks at. */
  readonly lags?: number;
  /** How many places of each series it learns from, the latest first. */
  readonly origins?: number;
  readonly boosting?: Partial<BoostingParams>;
  readonly seed?: number;
}

interface Shape {
  readonly horizon: number;
  readonly lags: number;
}

/**
 * One model for all series (as in the M5 competition; Makridakis et al. 2022): gradient-boosted trees on the last
 * values, running means, the value a season ago and the steps ahead, all in units of each series. It learns from all
 * what one alone is too short to show.
 */
export class GlobalBoosting {
  readonly kind = 'global-boosting';
  readonly options: GlobalBoostingOptions;

  constructor(options: GlobalBoostingOptions) {
    this.options = options;
  }

  /** MODEL_INVALID where no series is as long as lags and horizon together. */
  fit(all: readonly Series[], ctx: FitContext = {}): FittedGlobalBoosting {
    const { horizon, lags = 12, origins = 12, boosting = {}, seed = 1 } = this.options;
    checkHorizon(horizon);
    const shape = { horizon, lags };
    const rows: number[] = [];
    const targets: number[] = [];
    for (const series of all) {
      checkSeries(series);
      const n = series.values.length;
      for (let i = 0; i < origins; i++) {
        const at = n - horizon - i;
        if (at < lags) break;
        const past = upTo(series, at);
        const { level, scale } = unitOf(past, lags);
        for (let k = 0; k < horizon; k++) {
          pushFeatures(rows, past, shape, k);
          targets.push((series.values[at + k]! - level) / scale);
        }
      }
    }
    if (targets.length === 0) {
      throw invalid(
        `No series has ${lags + horizon} values; a global model needs lags and horizon together in at least one.`,
      );
    }
    const model = new BoostingRegression({ ...boosting, seed }).fit(
      matrixFrom(rows, targets.length, lags),
      Float64Array.from(targets),
      ctx,
    );
    return new FittedGlobalBoosting(model, shape);
  }
}

export class FittedGlobalBoosting {
  readonly kind = 'global-boosting';
  readonly #model: FittedBoostingRegression;
  readonly #shape: Shape;

  constructor(model: FittedBoostingRegression, shape: Shape) {
    this.#model = model;
    this.#shape = shape;
  }

  /** The next steps of a series, one that it learnt from or another; a short one is read as far as it goes. */
  predict(series: Series, horizon = this.#shape.horizon): Float64Array {
    checkSeries(series);
    checkHorizon(horizon);
    if (horizon > this.#shape.horizon) {
      throw invalid(
        `The horizon is ${horizon}; the global model was taught ${this.#shape.horizon} steps ahead.`,
      );
    }
    const rows: number[] = [];
    for (let k = 0; k < horizon; k++) pushFeatures(rows, series, this.#shape, k);
    const { level, scale } = unitOf(series, this.#shape.lags);
    return this.#model
      .predict(matrixFrom(rows, horizon, this.#shape.lags))
      .map((value) => level + scale * value);
  }

  toJSON(): ForecastJson {
    return { kind: 'global-boosting', format: 1, shape: this.#shape, model: this.#model.toJSON() };
  }

  static fromJSON(json: ForecastJson): FittedGlobalBoosting {
    return new FittedGlobalBoosting(
      FittedBoostingRegression.fromJSON(json['model'] as ModelJson),
      json['shape'] as Shape,
    );
  }
}

/** The level and the unit that a series is measured in, from its past only. */
function unitOf(series: Series, lags: number): { level: number; scale: number } {
  const { values } = series;
  return { level: meanOf(values, Math.max(0, values.length - lags)), scale: scaleOf(series) };
}

function namesOf(lags: number): string[] {
  const last = Array.from({ length: lags }, (_, i) => `lag ${i + 1}`);
  return ['ahead', ...last, 'mean of 4', 'mean of a season', 'a season ago', 'sine', 'cosine'];
}

/** One row, as the past sees step k ahead; NaN, "missing", where the past is too short. */
function pushFeatures(rows: number[], series: Series, { lags }: Shape, k: number): void {
  const { values, period } = series;
  const n = values.length;
  const { level, scale } = unitOf(series, lags);
  const unit = (value: number): number => (value - level) / scale;
  rows.push(k + 1);
  for (let i = 1; i <= lags; i++) rows.push(i <= n ? unit(values[n - i]!) : Number.NaN);
  rows.push(unit(meanOf(values, Math.max(0, n - 4))));
  rows.push(n >= period ? unit(meanOf(values, n - period)) : Number.NaN);
  const ago = n + k - period * Math.ceil((k + 1) / period);
  rows.push(ago >= 0 && period > 1 ? unit(values[ago]!) : Number.NaN);
  const turn = (2 * Math.PI * (n + k)) / period;
  rows.push(period > 1 ? Math.sin(turn) : 0, period > 1 ? Math.cos(turn) : 0);
}

function matrixFrom(rows: readonly number[], count: number, lags: number): Matrix {
  const names = namesOf(lags);
  return { rows: count, columns: names.length, data: Float64Array.from(rows), names };
}
