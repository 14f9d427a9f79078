import {
  checkBinaryTarget,
  checkJson,
  checkMatrix,
  checkParam,
  checkPredict,
  namesOf,
  numberOf,
} from '../check.ts';
import type { Platt } from '../calibration/platt.ts';
import { fitPlatt } from '../calibration/platt.ts';
import { pack, unpack } from '../codec.ts';
import type { BinaryModel, Estimator, FitContext, ModelJson } from '../estimator.ts';
import { advance, classesOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { takeRows, takeTarget } from '../matrix.ts';
import { scaleOf, standardise } from '../scale.ts';
import { sampleRows } from '../splits.ts';
import type { ClassWeight } from './folds.ts';
import { classWeights, plattFromJson, stratifiedFolds } from './folds.ts';
import { KernelCache, kernelRow, squaresOf } from './kernel.ts';
import { smo } from './smo.ts';

export interface SvmRbfParams {
  /** Price of a row on the wrong side of its margin. */
  readonly cost: number;
  /** Width of the kernel exp(−γ |a − b|²) on standardised columns; `auto` is 1 / columns. */
  readonly gamma: number | 'auto';
  readonly classWeight: ClassWeight;
  readonly tolerance: number;
  /** Steps of two multipliers. */
  readonly iterations: number;
  /** Memory for rows of the kernel, in MiB. */
  readonly cacheMiB: number;
  /** Parts on which margins are told by the others, for the curve from margins to probabilities. */
  readonly folds: number;
  /** More rows than this are sampled: time and memory grow with their square. */
  readonly rowsMax: number;
}

const DEFAULTS: SvmRbfParams = {
  cost: 1,
  gamma: 'auto',
  classWeight: 'none',
  tolerance: 1e-3,
  iterations: 1_000_000,
  cacheMiB: 256,
  folds: 5,
  rowsMax: 20_000,
};

/**
 * A support vector machine with the Gaussian kernel (Cortes, Vapnik 1995) by sequential minimal optimisation, and
 * Platt's curve over margins that each fold's rows get from the other folds, so that its probabilities are honest.
 */
export class SvmRbf implements Estimator<FittedSvmRbf> {
  readonly kind = 'svm-rbf';
  readonly seed: number;
  readonly params: Readonly<SvmRbfParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'rejects', rowOrder: 'statistical' } as const;

  constructor({ seed = 1, ...options }: Partial<SvmRbfParams> & { seed?: number } = {}) {
    this.seed = seed;
    this.params = { ...DEFAULTS, ...options };
  }

  fit(given: Matrix, target?: Target, ctx: FitContext = {}): FittedSvmRbf {
    checkMatrix(given, 'rejects');
    checkBinaryTarget(given, target);
    const { cost, classWeight, tolerance, iterations, cacheMiB, folds, rowsMax } = this.params;
    this.#check();
    const taken = sampleRows(given.rows, rowsMax, this.seed);
    const X = taken.length < given.rows ? takeRows(given, taken) : given;
    const truth = taken.length < given.rows ? takeTarget(target!, taken) : target!;
    const ones = checkBinaryTarget(X, truth);
    advance(ctx, 0, 'standardising');
    const scale = scaleOf(X);
    const { data } = standardise(X, scale);
    const gamma = this.params.gamma === 'auto' ? 1 / X.columns : this.params.gamma;
    const kernel = new KernelCache(data, X.rows, gamma, cacheMiB * 1_048_576);
    const y = Float64Array.from(truth, (value) => (value === 1 ? 1 : -1));
    const weights = classWeights(classWeight, X.rows, ones);
    const bound = Float64Array.from(truth, (value) => cost * weights[value === 1 ? 1 : 0]);
    const options = { tolerance, iterations };
    const whole = smo(kernel, y, { ...options, bound }, ctx);
    advance(ctx, 1 / (folds + 1), `${whole.iterations} steps`);
    const fold = stratifiedFolds(truth, folds, this.seed);
    const held = new Float64Array(X.rows);
    for (let f = 0; f < folds; f++) {
      // The rows of a fold are bound to 0, so the others alone decide, over the same kernel rows.
      const others = bound.map((value, i) => (fold[i] === f ? 0 : value));
      const { margins } = smo(kernel, y, { ...options, bound: others }, ctx);
      for (let i = 0; i < X.rows; i++) if (fold[i] === f) held[i] = margins[i]!;
      advance(ctx, (f + 2) / (folds + 1), `part ${f + 1} of ${folds}`);
    }
    const { alpha } = whole;
    const support = Int32Array.from(alpha.keys()).filter((i) => alpha[i]! > 0);
    return new FittedSvmRbf({
      names: [...X.names],
      ...scale,
      gamma,
      vectors: takeRows({ ...X, data }, support).data,
      coefficients: Float64Array.from(support, (i) => alpha[i]! * y[i]!),
      rho: whole.rho,
      platt: fitPlatt(truth, held, true),
    });
  }

  #check(): void {
    const { cost, gamma, classWeight, tolerance, iterations, cacheMiB, folds, rowsMax } =
      this.params;
    checkParam('cost', cost, Number.MIN_VALUE, 1e9);
    if (gamma !== 'auto') checkParam('gamma', gamma, Number.MIN_VALUE, 1e9);
    checkParam('tolerance', tolerance, Number.MIN_VALUE, 0.5);
    checkParam('iterations', iterations, 1, 1e12);
    checkParam('cacheMiB', cacheMiB, 1, 65_536);
    checkParam('folds', folds, 2, 100);
    checkParam('rowsMax', rowsMax, 2, 100_000);
    if (typeof classWeight === 'string') return;
    checkParam('classWeight of 0', classWeight[0], Number.MIN_VALUE, 1e12);
    checkParam('classWeight of 1', classWeight[1], Number.MIN_VALUE, 1e12);
  }
}

interface SvmRbfState {
  readonly names: readonly string[];
  readonly mean: Float64Array;
  readonly scale: Float64Array;
  readonly gamma: number;
  /** Standardised rows that bear on the boundary. */
  readonly vectors: Float64Array;
  /** α y of each of them. */
  readonly coefficients: Float64Array;
  readonly rho: number;
  readonly platt: Platt;
}

const FORMAT = 1;

export class FittedSvmRbf implements BinaryModel {
  readonly kind = 'svm-rbf';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly #state: SvmRbfState;
  readonly #squares: Float64Array;

  constructor(state: SvmRbfState) {
    this.names = state.names;
    this.#state = state;
    this.#squares = squaresOf(state.vectors, state.coefficients.length);
  }

  get supportVectors(): number {
    return this.#state.coefficients.length;
  }

  /** Signed distance to the boundary in units of the margin. */
  margins(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'rejects');
    const { vectors, coefficients, gamma, rho } = this.#state;
    const { data } = standardise(X, this.#state);
    const squares = squaresOf(data, Math.max(1, X.rows));
    const similar = new Float64Array(coefficients.length);
    const margins = new Float64Array(X.rows);
    for (let i = 0; i < X.rows; i++) {
      kernelRow(
        vectors,
        this.#squares,
        X.columns,
        data,
        i * X.columns,
        squares[i]!,
        gamma,
        similar,
      );
      let sum = -rho;
      for (let s = 0; s < similar.length; s++) sum += coefficients[s]! * similar[s]!;
      margins[i] = sum;
    }
    return margins;
  }

  predictProba(X: Matrix): Float64Array {
    const { slope, intercept } = this.#state.platt;
    return this.margins(X).map((margin) => 1 / (1 + Math.exp(-(slope * margin + intercept))));
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  toJSON(): ModelJson {
    const { names, mean, scale, gamma, vectors, coefficients, rho, platt } = this.#state;
    return {
      kind: this.kind,
      format: FORMAT,
      names,
      mean: pack(mean),
      scale: pack(scale),
      gamma,
      vectors: pack(vectors),
      coefficients: pack(coefficients),
      rho,
      platt,
    };
  }

  static fromJSON(json: ModelJson): FittedSvmRbf {
    checkJson(json, 'svm-rbf', FORMAT);
    const names = namesOf(json);
    const coefficients = unpack(json['coefficients'], 'f64');
    return new FittedSvmRbf({
      names,
      mean: unpack(json['mean'], 'f64', names.length),
      scale: unpack(json['scale'], 'f64', names.length),
      gamma: numberOf(json, 'gamma'),
      vectors: unpack(json['vectors'], 'f64', names.length * coefficients.length),
      coefficients,
      rho: numberOf(json, 'rho'),
      platt: plattFromJson(json),
    });
  }
}
