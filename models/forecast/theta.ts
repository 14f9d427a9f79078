import { nelderMead } from './nelder-mead.ts';
import type { Decomposition } from './season.ts';
import { decompose, isSeasonal, reseason } from './season.ts';
import type { FittedForecaster, ForecastJson, Forecaster, Series } from './series.ts';
import { checkHorizon, checkSeries, meanOf } from './series.ts';

/** The state after step t: the level, and the mean and slope of the line through all values so far. */
interface State {
  t: number;
  level: number;
  mean: number;
  slope: number;
}

interface Parameters {
  readonly level: number;
  readonly alpha: number;
  readonly theta: number;
}

/**
 * The dynamic optimised theta method (Fiorucci, Pellegrini, Louzada, Petropoulos, Koehler 2016): exponential smoothing
 * with a drift of (1 − 1/θ) of the line so far, on the series without its season, if it has one.
 */
export class Theta implements Forecaster {
  readonly kind = 'theta';

  fit(series: Series): FittedTheta {
    checkSeries(series);
    const season = isSeasonal(series) ? decompose(series, true) : undefined;
    const y = season?.adjusted ?? series.values;
    const parameters = optimise(y);
    const state = newState(parameters.level);
    run(y, parameters, state);
    return new FittedTheta(parameters, state, season);
  }
}

export class FittedTheta implements FittedForecaster {
  readonly kind = 'theta';
  readonly #parameters: Parameters;
  readonly #state: Readonly<State>;
  readonly #season: Pick<Decomposition, 'indexes' | 'multiplicative'> | undefined;

  constructor(
    parameters: Parameters,
    state: Readonly<State>,
    season: Pick<Decomposition, 'indexes' | 'multiplicative'> | undefined,
  ) {
    this.#parameters = parameters;
    this.#state = state;
    this.#season = season;
  }

  predict(horizon: number): Float64Array {
    checkHorizon(horizon);
    const state = { ...this.#state };
    const flat = new Float64Array(horizon);
    for (let k = 0; k < horizon; k++) {
      flat[k] = expected(this.#parameters, state);
      advance(flat[k]!, this.#parameters.alpha, state);
    }
    return this.#season ? reseason(flat, this.#season, this.#state.t) : flat;
  }

  toJSON(): ForecastJson {
    const season = this.#season && {
      indexes: [...this.#season.indexes],
      multiplicative: this.#season.multiplicative,
    };
    return {
      kind: 'theta',
      format: 1,
      parameters: this.#parameters,
      state: this.#state,
      season: season ?? null,
    };
  }

  static fromJSON(json: ForecastJson): FittedTheta {
    const season = json['season'] as { indexes: number[]; multiplicative: boolean } | null;
    return new FittedTheta(
      json['parameters'] as Parameters,
      json['state'] as State,
      season
        ? { indexes: Float64Array.from(season.indexes), multiplicative: season.multiplicative }
        : undefined,
    );
  }
}

function optimise(y: Float64Array): Parameters {
  const scale = Math.max(Math.abs(meanOf(y)), 1e-9);
  const decode = (x: Float64Array): Parameters => ({
    level: x[0]! * scale,
    alpha: 0.05 + 0.94 / (1 + Math.exp(-x[1]!)),
    theta: 1 + Math.exp(Math.min(x[2]!, 20)),
  });
  const state = newState(0);
  const best = nelderMead(
    (x) => {
      const parameters = decode(x);
      resetState(state, parameters.level);
      return run(y, parameters, state);
    },
    [y[0]! / scale / 2, 0, 0],
    [0.2, 0.7, 0.7],
    { evaluations: 220, tolerance: 1e-5 },
  );
  return decode(best.at);
}

const newState = (level: number): State => ({ t: 0, level, mean: 0, slope: 0 });

function resetState(state: State, level: number): void {
  state.t = 0;
  state.level = level;
  state.mean = 0;
  state.slope = 0;
}

/** Goes through all values and returns the sum of squared errors from the third on. */
function run(y: Float64Array, { alpha, theta }: Parameters, state: State): number {
  const drift = 1 - 1 / theta;
  let { level, mean, slope } = state;
  let kept = 1;
  let squares = 0;
  for (let i = 0; i < y.length; i++) {
    const value = y[i]!;
    // `kept` is (1 − α)^(t − 1), t = i + 1.
    const line = kept * (mean - (slope * (i + 1)) / 2);
    const error = value - (level + drift * (line + ((1 - kept * (1 - alpha)) / alpha) * slope));
    if (i > 1) squares += error * error;
    kept *= 1 - alpha;
    level = alpha * value + (1 - alpha) * level;
    slope = nextSlope(slope, value - mean, i + 1);
    mean = (i * mean + value) / (i + 1);
  }
  state.t += y.length;
  state.level = level;
  state.mean = mean;
  state.slope = slope;
  return squares;
}

/** The slope of the line through t values, from that through t − 1 and how far the new one is off their mean. */
function nextSlope(slope: number, fromMean: number, t: number): number {
  return t === 1 ? 0 : ((t - 2) * slope + (6 * fromMean) / t) / (t + 1);
}

function expected({ alpha, theta }: Parameters, { t, level, mean, slope }: State): number {
  const kept = (1 - alpha) ** t;
  const line = kept * (mean - (slope * (t + 1)) / 2);
  return level + (1 - 1 / theta) * (line + ((1 - kept * (1 - alpha)) / alpha) * slope);
}

function advance(value: number, alpha: number, state: State): void {
  state.level = alpha * value + (1 - alpha) * state.level;
  state.slope = nextSlope(state.slope, value - state.mean, state.t + 1);
  state.mean = (state.t * state.mean + value) / (state.t + 1);
  state.t++;
}
