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

export interface GaussianBayesParams {
  /** Share of the largest column's variance that is added to every variance, so that none is 0. */
  readonly smoothing: number;
}

/**
 * Naive Bayes with a normal distribution per class and column (as in Hastie, Tibshirani, Friedman 2009, 6.6.3). Fast and
 * robust in its ranking; its probabilities are far too sure where columns depend on each other, so calibrate them.
 */
export class GaussianBayes implements Estimator<FittedGaussianBayes> {
  readonly kind = 'gaussian-bayes';
  readonly seed = 0;
  readonly params: Readonly<GaussianBayesParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'rejects', rowOrder: 'exact' } as const;

  constructor(options: Partial<GaussianBayesParams> = {}) {
    this.params = { smoothing: 1e-9, ...options };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedGaussianBayes {
    checkMatrix(X, 'rejects');
    const ones = checkBinaryTarget(X, y);
    checkParam('smoothing', this.params.smoothing, Number.MIN_VALUE, 1e6);
    advance(ctx, 0, 'means');
    const counts = [X.rows - ones, ones] as const;
    const m = X.columns;
    // Both classes in one array: class 1 stands behind class 0.
    const mean = new Float64Array(2 * m);
    const variance = new Float64Array(2 * m);
    for (let i = 0, at = 0; i < X.rows; i++) {
      const k = y![i]! * m;
      for (let j = 0; j < m; j++, at++) mean[k + j]! += X.data[at]!;
    }
    for (let k = 0; k < 2 * m; k++) mean[k]! /= counts[k < m ? 0 : 1];
    for (let i = 0, at = 0; i < X.rows; i++) {
      const k = y![i]! * m;
      for (let j = 0; j < m; j++, at++) variance[k + j]! += (X.data[at]! - mean[k + j]!) ** 2;
    }
    let largest = 0;
    const rate = ones / X.rows;
    for (let j = 0; j < m; j++) {
      variance[j]! /= counts[0];
      variance[m + j]! /= counts[1];
      const gap = mean[m + j]! - mean[j]!;
      const whole =
        (1 - rate) * variance[j]! + rate * variance[m + j]! + rate * (1 - rate) * gap * gap;
      largest = Math.max(largest, whole);
    }
    // Where every column is constant any width does.
    const added = this.params.smoothing * (largest || 1);
    for (let k = 0; k < 2 * m; k++) variance[k]! += added;
    advance(ctx, 1, 'variances');
    return new FittedGaussianBayes([...X.names], mean, variance, rate);
  }
}

const FORMAT = 1;

export class FittedGaussianBayes implements BinaryModel, SelfExplaining {
  readonly kind = 'gaussian-bayes';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly rate: number;
  readonly #mean: Float64Array;
  readonly #variance: Float64Array;

  constructor(names: readonly string[], mean: Float64Array, variance: Float64Array, rate: number) {
    this.names = names;
    this.rate = rate;
    this.#mean = mean;
    this.#variance = variance;
  }

  predictProba(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'rejects');
    const p = new Float64Array(X.rows);
    const base = Math.log(this.rate / (1 - this.rate));
    for (let i = 0, at = 0; i < X.rows; i++) {
      let logit = base;
      for (let j = 0; j < X.columns; j++, at++) logit += this.#evidence(X.data[at]!, j);
      p[i] = 1 / (1 + Math.exp(-logit));
    }
    return p;
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  /** Log-odds that each column's value speaks for; the base is the log-odds of the rate. */
  contributions(row: Float64Array): Attribution {
    checkPredict(
      { rows: 1, columns: row.length, data: row, names: this.names },
      this.names,
      'rejects',
    );
    const values = row.map((value, j) => this.#evidence(value, j));
    return { base: Math.log(this.rate / (1 - this.rate)), scale: 'logit', values };
  }

  #evidence(value: number, j: number): number {
    const k = this.names.length + j;
    const [v0, v1] = [this.#variance[j]!, this.#variance[k]!];
    const [d0, d1] = [value - this.#mean[j]!, value - this.#mean[k]!];
    return 0.5 * (Math.log(v0 / v1) + (d0 * d0) / v0 - (d1 * d1) / v1);
  }

  toJSON(): ModelJson {
    const { kind, names, rate } = this;
    return {
      kind,
      format: FORMAT,
      names,
      rate,
      mean: pack(this.#mean),
      variance: pack(this.#variance),
    };
  }

  static fromJSON(json: ModelJson): FittedGaussianBayes {
    checkJson(json, 'gaussian-bayes', FORMAT);
    const names = namesOf(json);
    const both = 2 * names.length;
    const mean = unpack(json['mean'], 'f64', both);
    return new FittedGaussianBayes(
      names,
      mean,
      unpack(json['variance'], 'f64', both),
      numberOf(json, 'rate'),
    );
  }
}
