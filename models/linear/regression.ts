import { checkJson, checkMatrix, checkParam, invalid, numberOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type {
  Attribution,
  Estimator,
  FitContext,
  ModelJson,
  RegressionModel,
  SelfExplaining,
} from '../estimator.ts';
import { advance } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { scaleOf, standardise } from '../scale.ts';
import { leastSquares } from './least-squares.ts';
import type { LinearState } from './score.ts';
import { linearFromJson, linearParts, linearScores, linearToJson } from './score.ts';

export interface LinearRegressionParams {
  /** Strength of the ridge penalty λ |w|² on the standardised weights, beside the sum of squares; 0 is none. */
  readonly ridge: number;
}

/** Linear regression in closed form by Householder QR, with ridge (Hoerl, Kennard 1970) and standard errors. */
export class LinearRegression implements Estimator<FittedLinearRegression> {
  readonly kind = 'linear-regression';
  readonly seed = 0;
  readonly params: Readonly<LinearRegressionParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'rejects', rowOrder: 'exact' } as const;

  constructor(options: Partial<LinearRegressionParams> = {}) {
    this.params = { ridge: 0, ...options };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedLinearRegression {
    checkMatrix(X, 'rejects');
    checkNumbers(X, y);
    checkParam('ridge', this.params.ridge, 0, 1e15 + 0.5);
    advance(ctx, 0, 'standardising');
    const scale = scaleOf(X);
    const centred = Float64Array.from(y!);
    const intercept = centred.reduce((sum, value) => sum + value, 0) / X.rows;
    for (let i = 0; i < X.rows; i++) centred[i]! -= intercept;
    const found = leastSquares(standardise(X, scale), centred, this.params.ridge);
    advance(ctx, 1, 'solved');
    const state = { names: [...X.names], ...scale, weights: found.weights, intercept };
    return new FittedLinearRegression(state, found.errors, found.sigma);
  }
}

function checkNumbers(X: Matrix, y: Target | undefined): void {
  if (!y) throw invalid('There is no target; expected a number for each row.');
  if (y.length !== X.rows) {
    throw invalid(`The target has ${y.length} values; expected ${X.rows}, one for each row.`, {
      row: Math.min(y.length, X.rows),
    });
  }
  for (let i = 0; i < y.length; i++) {
    if (Number.isFinite(y[i])) continue;
    throw invalid(`The target is ${y[i]} in row ${i}; expected a finite number.`, { row: i });
  }
}

/** One line of the table that a statistician reads. */
export interface Coefficient {
  readonly name: string;
  /** Change of the target with one unit of the column. */
  readonly value: number;
  /** Its standard error; 0 for a column that the others determine, which has the coefficient 0. */
  readonly error: number;
}

const FORMAT = 1;

export class FittedLinearRegression implements RegressionModel, SelfExplaining {
  readonly kind = 'linear-regression';
  readonly task = 'regression';
  readonly names: readonly string[];
  /** Standard deviation of the residuals, in the target's unit. */
  readonly sigma: number;
  readonly #state: LinearState;
  readonly #errors: Float64Array;

  constructor(state: LinearState, errors: Float64Array, sigma: number) {
    this.names = state.names;
    this.sigma = sigma;
    this.#state = state;
    this.#errors = errors;
  }

  /** In the columns' own units. */
  get coefficients(): Coefficient[] {
    const { weights, scale } = this.#state;
    return this.names.map((name, j) => ({
      name,
      value: weights[j]! / scale[j]!,
      error: this.#errors[j]! / scale[j]!,
    }));
  }

  /** What is said of a row of zeros. */
  get intercept(): number {
    const { weights, scale, mean, intercept } = this.#state;
    return weights.reduce((sum, weight, j) => sum - (weight * mean[j]!) / scale[j]!, intercept);
  }

  predict(X: Matrix): Float64Array {
    return linearScores(this.#state, X);
  }

  contributions(row: Float64Array): Attribution {
    return { base: this.#state.intercept, scale: 'value', values: linearParts(this.#state, row) };
  }

  toJSON(): ModelJson {
    const { kind, sigma } = this;
    return {
      kind,
      format: FORMAT,
      ...linearToJson(this.#state),
      errors: pack(this.#errors),
      sigma,
    };
  }

  static fromJSON(json: ModelJson): FittedLinearRegression {
    checkJson(json, 'linear-regression', FORMAT);
    const state = linearFromJson(json);
    const errors = unpack(json['errors'], 'f64', state.names.length);
    return new FittedLinearRegression(state, errors, numberOf(json, 'sigma'));
  }
}
