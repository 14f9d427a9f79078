import {
  checkBinaryTarget,
  checkJson,
  checkMatrix,
  checkParam,
  checkPredict,
  namesOf,
  numberOf,
} from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type {
  Attribution,
  BinaryModel,
  Estimator,
  FitContext,
  ModelJson,
  SelfExplaining,
} from '../estimator.ts';
import { advance, classesOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { designOf, sparseColumns } from '../design.ts';
import { scaleOf } from '../scale.ts';
import { newton } from './newton.ts';

export interface LogisticParams {
  /** Strength of the L2 penalty ½ λ |w|² on the standardised weights, beside the sum of the losses; 1/C elsewhere. */
  readonly lambda: number;
  /** How much a row counts by its class; `balanced` gives both classes the same sum. */
  readonly classWeight: 'none' | 'balanced' | readonly [zero: number, one: number];
  readonly iterations: number;
}

const DEFAULTS: LogisticParams = { lambda: 1, classWeight: 'none', iterations: 100 };

/** Logistic regression with an L2 penalty, on standardised columns, by Newton's method (IRLS). */
export class Logistic implements Estimator<FittedLogistic> {
  readonly kind = 'logistic';
  readonly seed = 0;
  readonly params: Readonly<LogisticParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'rejects', rowOrder: 'exact' } as const;

  constructor(options: Partial<LogisticParams> = {}) {
    this.params = { ...DEFAULTS, ...options };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedLogistic {
    checkMatrix(X, 'rejects');
    const ones = checkBinaryTarget(X, y);
    const { lambda, iterations, classWeight } = this.params;
    checkParam('lambda', lambda, 1e-9, 1e12);
    checkParam('iterations', iterations, 1, 10_000);
    const [zero, one] =
      classWeight === 'none'
        ? [1, 1]
        : classWeight === 'balanced'
          ? [X.rows / (2 * (X.rows - ones)), X.rows / (2 * ones)]
          : classWeight;
    checkParam('classWeight of 0', zero, Number.MIN_VALUE, 1e12);
    checkParam('classWeight of 1', one, Number.MIN_VALUE, 1e12);
    advance(ctx, 0, 'standardising');
    const scale = scaleOf(X);
    const weight = Float64Array.from(y!, (value) => (value === 1 ? one : zero));
    const fitted = newton(
      designOf(X, scale, sparseColumns(X)),
      y!,
      weight,
      { lambda, iterations },
      ctx,
    );
    advance(ctx, 1, `${fitted.iterations} steps`);
    return new FittedLogistic({
      names: [...X.names],
      ...scale,
      weights: fitted.weights,
      intercept: fitted.intercept,
      iterations: fitted.iterations,
    });
  }
}

interface LogisticState {
  readonly names: readonly string[];
  readonly mean: Float64Array;
  readonly scale: Float64Array;
  /** On standardised columns. */
  readonly weights: Float64Array;
  readonly intercept: number;
  readonly iterations: number;
}

const FORMAT = 1;

export class FittedLogistic implements BinaryModel, SelfExplaining {
  readonly kind = 'logistic';
  readonly task = 'binary';
  readonly names: readonly string[];
  /** Log-odds per standard deviation of each column. */
  readonly weights: Float64Array;
  /** Log-odds of the average person. */
  readonly intercept: number;
  readonly iterations: number;
  readonly #mean: Float64Array;
  readonly #scale: Float64Array;

  constructor(state: LogisticState) {
    this.names = state.names;
    this.weights = state.weights;
    this.intercept = state.intercept;
    this.iterations = state.iterations;
    this.#mean = state.mean;
    this.#scale = state.scale;
  }

  predictProba(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'rejects');
    const p = new Float64Array(X.rows);
    for (let i = 0; i < X.rows; i++) {
      let logit = this.intercept;
      for (let j = 0; j < X.columns; j++) logit += this.#part(X.data[i * X.columns + j]!, j);
      p[i] = 1 / (1 + Math.exp(-logit));
    }
    return p;
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  /** Log-odds by which each column differs from its mean. */
  contributions(row: Float64Array): Attribution {
    checkPredict(
      { rows: 1, columns: row.length, data: row, names: this.names },
      this.names,
      'rejects',
    );
    const values = row.map((value, j) => this.#part(value, j));
    return { base: this.intercept, scale: 'logit', values };
  }

  #part(value: number, j: number): number {
    return (this.weights[j]! * (value - this.#mean[j]!)) / this.#scale[j]!;
  }

  toJSON(): ModelJson {
    return {
      kind: this.kind,
      format: FORMAT,
      names: this.names,
      mean: pack(this.#mean),
      scale: pack(this.#scale),
      weights: pack(this.weights),
      intercept: this.intercept,
      iterations: this.iterations,
    };
  }

  static fromJSON(json: ModelJson): FittedLogistic {
    checkJson(json, 'logistic', FORMAT);
    const names = namesOf(json);
    return new FittedLogistic({
      names,
      mean: unpack(json['mean'], 'f64', names.length),
      scale: unpack(json['scale'], 'f64', names.length),
      weights: unpack(json['weights'], 'f64', names.length),
      intercept: numberOf(json, 'intercept'),
      iterations: numberOf(json, 'iterations'),
    });
  }
}
