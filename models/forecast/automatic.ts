import { naiveError } from './accuracy.ts';
import { FittedCombination, pooled } from './combine.ts';
import { Ets } from './ets.ts';
import type { EtsForm } from './ets-run.ts';
import { Croston, shareOfZeros, Tsb } from './intermittent.ts';
import { Logged } from './logged.ts';
import { SeasonalNaive, WindowMean } from './naive.ts';
import type { FittedForecaster, ForecastJson, Forecaster, Series } from './series.ts';
import { checkHorizon, checkSeries, meanOf, upTo } from './series.ts';
import { Theta } from './theta.ts';

export interface AutomaticOptions {
  /** Steps ahead at which the methods are compared. */
  readonly horizon: number;
  /** How many times a stretch at the end is forecast from what was known before it. */
  readonly origins?: number;
  /** The methods; chosen by what the series looks like where absent. */
  readonly members?: readonly Forecaster[];
}

/** One rolling-origin trial: what was forecast from the first `at` values, and what came. */
export interface Backtest {
  readonly at: number;
  readonly forecast: Float64Array;
  readonly actual: Float64Array;
  /** The unit of the errors: the seasonal naive error within the first `at` values. */
  readonly scale: number;
}

/** Fewest values to learn from before a trial. */
const SHORTEST = 8;
/** A single method replaces the combination only if its rolling-origin error is below this share of the combination's. */
const CLEARLY_BETTER = 0.5;
/** From this share of zeros on, the methods for intermittent demand are used. */
const OFTEN_ZERO = 0.3;

/**
 * The automatic choice: several methods are tried at rolling origins, their weighted median is the forecast, each
 * weighted by the inverse of its error there; one method alone where it was clearly better than all together.
 */
export class Automatic implements Forecaster {
  readonly kind = 'automatic';
  readonly options: AutomaticOptions;

  constructor(options: AutomaticOptions) {
    this.options = options;
  }

  fit(series: Series): FittedAutomatic {
    checkSeries(series);
    const { horizon, origins = 1 } = this.options;
    checkHorizon(horizon);
    const members = this.options.members ?? membersFor(series);
    const trials = originsOf(series.values.length, horizon, origins).map((at) => ({
      at,
      actual: series.values.subarray(at, at + horizon),
      scale: scaleOf(upTo(series, at)),
      forecasts: members.map((member) => member.fit(upTo(series, at)).predict(horizon)),
    }));
    const errors = members.map((_, j) =>
      trials.reduce((sum, { actual, forecasts }) => sum + distance(actual, forecasts[j]!), 0),
    );
    const weights = weightsOf(errors);
    const combined = trials.map(({ forecasts }) => pooled(forecasts, weights));
    const together = trials.reduce((sum, { actual }, i) => sum + distance(actual, combined[i]!), 0);
    const best = errors.indexOf(Math.min(...errors));
    const alone = trials.length > 0 && errors[best]! < CLEARLY_BETTER * together;
    const used = alone ? weights.map((_, j) => (j === best ? 1 : 0)) : weights;
    const kept = members.map((_, j) => j).filter((j) => used[j]! > 0);
    return new FittedAutomatic(
      new FittedCombination(
        kept.map((j) => members[j]!.fit(series)),
        kept.map((j) => used[j]!),
      ),
      alone ? members[best]!.kind : 'combination',
      trials.map(({ at, actual, scale, forecasts }, i) => ({
        at,
        actual: actual.slice(),
        scale,
        forecast: alone ? forecasts[best]! : combined[i]!,
      })),
      scaleOf(series),
    );
  }
}

export class FittedAutomatic implements FittedForecaster {
  readonly kind = 'automatic';
  readonly inner: FittedForecaster;
  /** "combination", or the kind of the method that was clearly better. */
  readonly chosen: string;
  /** The trials with the chosen method: what intervals are calibrated on. */
  readonly backtests: readonly Backtest[];
  /** The unit of errors of this series now. */
  readonly scale: number;

  constructor(
    inner: FittedForecaster,
    chosen: string,
    backtests: readonly Backtest[],
    scale: number,
  ) {
    this.inner = inner;
    this.chosen = chosen;
    this.backtests = backtests;
    this.scale = scale;
  }

  predict(horizon: number): Float64Array {
    return this.inner.predict(horizon);
  }

  toJSON(): ForecastJson {
    return {
      kind: 'automatic',
      format: 1,
      inner: this.inner.toJSON(),
      chosen: this.chosen,
      scale: this.scale,
      backtests: this.backtests.map(({ at, scale, forecast, actual }) => ({
        at,
        scale,
        forecast: [...forecast],
        actual: [...actual],
      })),
    };
  }

  static fromJSON(
    json: ForecastJson,
    read: (json: ForecastJson) => FittedForecaster,
  ): FittedAutomatic {
    const backtests = json['backtests'] as {
      at: number;
      scale: number;
      forecast: number[];
      actual: number[];
    }[];
    return new FittedAutomatic(
      read(json['inner'] as ForecastJson),
      json['chosen'] as string,
      backtests.map(({ at, scale, forecast, actual }) => ({
        at,
        scale,
        forecast: Float64Array.from(forecast),
        actual: Float64Array.from(actual),
      })),
      json['scale'] as number,
    );
  }
}

const ADDITIVE: readonly EtsForm[] = (['N', 'A', 'Ad'] as const).flatMap((trend) =>
  (['N', 'A'] as const).map((season): EtsForm => ({ error: 'A', trend, season })),
);

/** The methods that suit a series. */
export function membersFor({ values, period }: Series): Forecaster[] {
  const least = values.reduce((low, value) => Math.min(low, value), Infinity);
  if (least >= 0 && shareOfZeros(values) >= OFTEN_ZERO) {
    const simple = new Ets({ forms: [{ error: 'A', trend: 'N', season: 'N' }] });
    return [simple, new WindowMean(), new Tsb(), new Croston('sba')];
  }
  const both = [new Theta(), new Ets()];
  // Without a season to smooth, the forms with relative errors add time and nothing else.
  const logs = new Ets(period > 24 ? { forms: ADDITIVE } : {});
  const logged = [new Logged(new Theta()), new Logged(logs)];
  const members = least > 0 ? [...both, ...logged] : both;
  // A season too long for ETS: only last year's values can tell of it.
  return period > 24 && values.length >= 2 * period ? [...members, new SeasonalNaive()] : members;
}

/** The unit of a series' errors, above 0: seasonal naive, else naive, else the mean size. */
export function scaleOf({ values, period }: Series): number {
  return naiveError(values, period) || naiveError(values, 1) || Math.abs(meanOf(values)) || 1;
}

/** Where the trials begin: the last whole horizon, and half a horizon earlier each time. */
function originsOf(n: number, horizon: number, origins: number): number[] {
  const step = Math.max(1, Math.floor(horizon / 2));
  return Array.from({ length: origins }, (_, i) => n - horizon - i * step).filter(
    (at) => at >= SHORTEST,
  );
}

function distance(actual: Float64Array, forecast: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < actual.length; k++) sum += Math.abs(actual[k]! - forecast[k]!);
  return sum / actual.length;
}

/** Inverse errors, damped towards equal weights: one stretch says little about the next. */
function weightsOf(errors: readonly number[]): number[] {
  const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  if (!(mean > 0)) return errors.map(() => 1);
  return errors.map((error) => 1 / Math.sqrt(error / mean + 0.2));
}
