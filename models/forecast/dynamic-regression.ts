import { solveSymmetric } from '../linear-algebra.ts';
import type { Matrix } from '../matrix.ts';
import { columnOf } from '../matrix.ts';
import type { FittedForecaster, ForecastJson, Forecaster, Series } from './series.ts';
import { checkHorizon, checkSeries, invalid } from './series.ts';

export interface DynamicRegressionOptions {
  /** A straight line by time; true by default. */
  readonly trend?: boolean;
  /** Pairs of sine and cosine of the season; 2 by default, fewer where the period has no room, 0 for none. */
  readonly fourier?: number;
  /** On log(1 + y), so that effects multiply: a coefficient of 0.3 is about +30 %. False by default. */
  readonly logarithms?: boolean;
  /** Penalty on the standardised coefficients, in observations; 1 by default. */
  readonly ridge?: number;
}

interface Settings {
  readonly trend: boolean;
  readonly fourier: number;
  readonly logarithms: boolean;
  readonly period: number;
}

/** Correlations of neighbouring errors that are tried. */
const RHO = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/**
 * Regression on time, season and whatever is known ahead (price, promotion, holidays: the columns of a matrix), with
 * errors that follow their neighbour (AR(1), Hildreth and Lu's grid search). Says what each column does.
 */
export class DynamicRegression implements Forecaster {
  readonly kind = 'dynamic-regression';
  readonly options: DynamicRegressionOptions;

  constructor(options: DynamicRegressionOptions = {}) {
    this.options = options;
  }

  /** `X` has one row for each value; MODEL_INVALID where it does not, or holds what is no number. */
  fit(series: Series, X?: Matrix): FittedDynamicRegression {
    checkSeries(series);
    const { trend = true, fourier = 2, logarithms = false, ridge = 1 } = this.options;
    const { values, period } = series;
    const n = values.length;
    if (X) checkRows(X, n);
    const room = n >= 2 * period ? Math.min(fourier, Math.floor(period / 2)) : 0;
    const settings = { trend, fourier: room, logarithms, period };
    const y = logarithms ? values.map(logOf) : values;
    const columns = [...timeColumns(settings, 0, n), ...knownColumns(X)];
    const names = [...timeNames(settings), ...(X?.names ?? [])];
    let best: Solution | undefined;
    for (const rho of RHO) {
      const solution = solve(y, columns, rho, ridge);
      if (!best || solution.squares < best.squares) best = solution;
    }
    return new FittedDynamicRegression(settings, names, X?.names ?? [], best!, n);
  }
}

interface Solution {
  readonly intercept: number;
  readonly coefficients: readonly number[];
  readonly rho: number;
  readonly squares: number;
  /** The error at the last step, before it is split into what follows and what is new. */
  readonly lastError: number;
}

export class FittedDynamicRegression implements FittedForecaster {
  readonly kind = 'dynamic-regression';
  /** Correlation of neighbouring errors. */
  readonly rho: number;
  readonly #settings: Settings;
  readonly #names: readonly string[];
  readonly #known: readonly string[];
  readonly #solution: Solution;
  readonly #seen: number;

  constructor(
    settings: Settings,
    names: readonly string[],
    known: readonly string[],
    solution: Solution,
    seen: number,
  ) {
    this.#settings = settings;
    this.#names = names;
    this.#known = known;
    this.#solution = solution;
    this.#seen = seen;
    this.rho = solution.rho;
  }

  /** What one more of a column adds; with logarithms, by what it multiplies, as a logarithm. */
  get effects(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      this.#names.map((name, j) => [name, this.#solution.coefficients[j]!]),
    );
  }

  /** `X` has one row for each step ahead with the columns it was fitted on. */
  predict(horizon: number, X?: Matrix): Float64Array {
    checkHorizon(horizon);
    const given = X?.names ?? [];
    if (given.join('\n') !== this.#known.join('\n')) {
      throw invalid(
        `The known columns ahead are ${given.join(', ') || 'absent'}; expected ${this.#known.join(', ') || 'none'}, as when it was fitted.`,
      );
    }
    if (X) checkRows(X, horizon);
    const { intercept, coefficients, rho, lastError } = this.#solution;
    const columns = [...timeColumns(this.#settings, this.#seen, horizon), ...knownColumns(X)];
    let error = lastError;
    return Float64Array.from({ length: horizon }, (_, k) => {
      error *= rho;
      let sum = intercept + error;
      for (let j = 0; j < columns.length; j++) sum += coefficients[j]! * columns[j]![k]!;
      return this.#settings.logarithms ? Math.expm1(Math.min(sum, 500)) : sum;
    });
  }

  toJSON(): ForecastJson {
    return {
      kind: 'dynamic-regression',
      format: 1,
      settings: this.#settings,
      names: this.#names,
      known: this.#known,
      solution: this.#solution,
      seen: this.#seen,
    };
  }

  static fromJSON(json: ForecastJson): FittedDynamicRegression {
    return new FittedDynamicRegression(
      json['settings'] as Settings,
      json['names'] as string[],
      json['known'] as string[],
      json['solution'] as Solution,
      json['seen'] as number,
    );
  }
}

function logOf(value: number, t: number): number {
  if (value >= 0) return Math.log1p(value);
  throw invalid(
    `Step ${t} of the series is ${value}; on logarithms it is expected to be 0 or more.`,
    {
      step: t,
    },
  );
}

function checkRows(X: Matrix, rows: number): void {
  if (X.rows !== rows) {
    throw invalid(`The known columns have ${X.rows} rows; expected ${rows}, one for each step.`);
  }
  const at = X.data.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const [row, column] = [Math.floor(at / X.columns), X.names[at % X.columns]!];
  throw invalid(`Row ${row} of column "${column}" is ${X.data[at]}; expected a finite number.`, {
    row,
    column,
  });
}

function knownColumns(X: Matrix | undefined): Float64Array[] {
  return X ? X.names.map((_, j) => columnOf(X, j)) : [];
}

function timeNames({ trend, fourier }: Settings): string[] {
  const pairs = Array.from({ length: fourier }, (_, i) => [`sine ${i + 1}`, `cosine ${i + 1}`]);
  return [...(trend ? ['trend'] : []), ...pairs.flat()];
}

function timeColumns(
  { trend, fourier, period }: Settings,
  from: number,
  n: number,
): Float64Array[] {
  const columns: Float64Array[] = [];
  const add = (f: (t: number) => number): void => {
    columns.push(Float64Array.from({ length: n }, (_, k) => f(from + k)));
  };
  if (trend) add((t) => t);
  for (let i = 1; i <= fourier; i++) {
    const turn = (2 * Math.PI * i) / period;
    add((t) => Math.sin(turn * t));
    add((t) => Math.cos(turn * t));
  }
  return columns;
}

/** Least squares on y(t) − ρ y(t − 1), the first step weighted as Prais and Winsten do, columns standardised. */
function solve(y: Float64Array, columns: Float64Array[], rho: number, ridge: number): Solution {
  const n = y.length;
  const first = Math.sqrt(1 - rho * rho);
  const filtered = (x: Float64Array): Float64Array =>
    x.map((value, t) => (t === 0 ? first * value : value - rho * x[t - 1]!));
  const sizes = columns.map((column) => {
    const mean = column.reduce((sum, value) => sum + value, 0) / n;
    const spread = Math.sqrt(column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
    return { mean, spread: spread > 1e-12 * (1 + Math.abs(mean)) ? spread : 0 };
  });
  const design = [
    filtered(new Float64Array(n).fill(1)),
    ...columns.map((column, j) => {
      const { mean, spread } = sizes[j]!;
      return filtered(column.map((value) => (spread > 0 ? (value - mean) / spread : 0)));
    }),
  ];
  const target = filtered(y);
  const k = design.length;
  const A = new Float64Array(k * k);
  const b = design.map((column) => product(column, target));
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) A[i * k + j] = product(design[i]!, design[j]!);
    A[i * k + i]! += i === 0 ? 1e-9 : ridge;
  }
  const beta = Float64Array.from(b);
  if (!solveSymmetric(A, beta)) beta.fill(0);
  let squares = 0;
  for (let t = 0; t < n; t++) {
    let error = target[t]!;
    for (let j = 0; j < k; j++) error -= beta[j]! * design[j]![t]!;
    squares += error * error;
  }
  const coefficients = sizes.map(({ spread }, j) => (spread > 0 ? beta[j + 1]! / spread : 0));
  const intercept = sizes.reduce((sum, { mean }, j) => sum - coefficients[j]! * mean, beta[0]!);
  const lastError = columns.reduce(
    (sum, column, j) => sum - coefficients[j]! * column[n - 1]!,
    y[n - 1]! - intercept,
  );
  // Minus the logarithm of the likelihood would add −½ log(1 − ρ²) once; as a factor on the squares it is this.
  return { intercept, coefficients, rho, squares: squares / (1 - rho * rho) ** (1 / n), lastError };
}

function product(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let t = 0; t < a.length; t++) sum += a[t]! * b[t]!;
  return sum;
}
