import { KairosError } from '../../domain/errors.ts';

/** Equally spaced numbers of one thing, the oldest first. */
export interface Series {
  readonly values: Float64Array;
  /** Steps in a season: 12 for months, 52 for weeks, 7 for days, 1 for none. */
  readonly period: number;
}

/** What learns from one series. The constructor stores settings; `fit` returns a new fitted model. */
export interface Forecaster {
  readonly kind: string;
  fit(series: Series): FittedForecaster;
}

export interface FittedForecaster {
  readonly kind: string;
  /** The expected values of the next `horizon` steps. */
  predict(horizon: number): Float64Array;
  toJSON(): ForecastJson;
}

/** A fitted forecaster as plain data. */
export interface ForecastJson {
  readonly kind: string;
  readonly format: 1;
  readonly [key: string]: unknown;
}

/** Refuses a series that no method can learn from: MODEL_INVALID with `{step}` in its details. */
export function checkSeries({ values, period }: Series): void {
  if (!Number.isInteger(period) || period < 1) {
    throw invalid(`The period of a series is ${period}; expected a whole number from 1.`);
  }
  if (values.length === 0) {
    throw invalid('The series has no values; expected at least one.');
  }
  for (let t = 0; t < values.length; t++) {
    if (Number.isFinite(values[t]!)) continue;
    throw invalid(`Step ${t} of the series is ${values[t]}; expected a finite number.`, {
      step: t,
    });
  }
}

/** Refuses a horizon that is no whole number from 1. */
export function checkHorizon(horizon: number): void {
  if (!Number.isInteger(horizon) || horizon < 1) {
    throw invalid(`The horizon is ${horizon}; expected a whole number of steps from 1.`);
  }
}

export function invalid(message: string, details: Record<string, unknown> = {}): KairosError {
  return new KairosError('MODEL_INVALID', message, details);
}

export function meanOf(values: Float64Array, from = 0, to = values.length): number {
  let sum = 0;
  for (let t = from; t < to; t++) sum += values[t]!;
  return sum / (to - from);
}

/** The values from `from` on as a series of their own. */
export function upTo({ values, period }: Series, to: number): Series {
  return { values: values.subarray(0, to), period };
}
