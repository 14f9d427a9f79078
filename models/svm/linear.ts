import type { Platt } from '../calibration/platt.ts';
import { fitPlatt } from '../calibration/platt.ts';
import { checkBinaryTarget, checkJson, checkMatrix, checkParam } from '../check.ts';
import type { Design } from '../design.ts';
import { designOf, sparseColumns } from '../design.ts';
import type {
  Attribution,
  BinaryModel,
  Estimator,
  FitContext,
  ModelJson,
  SelfExplaining,
} from '../estimator.ts';
import { advance, classesOf } from '../estimator.ts';
import type { LinearState } from '../linear/score.ts';
import { linearFromJson, linearParts, linearScores, linearToJson } from '../linear/score.ts';
import type { Matrix, Target } from '../matrix.ts';
import { scaleOf } from '../scale.ts';
import { dualDescent } from './descent.ts';
import type { ClassWeight } from './folds.ts';
import { classWeights, plattFromJson, stratifiedFolds } from './folds.ts';

export interface SvmLinearParams {
  /** Price of a row on the wrong side of its margin, squared. */
  readonly cost: number;
  readonly classWeight: ClassWeight;
  readonly tolerance: number;
  /** Passes over the rows at most. */
  readonly epochs: number;
  /** Parts on which margins are told by the others, for the curve from margins to probabilities. */
  readonly folds: number;
}

const DEFAULTS: SvmLinearParams = {
  cost: 0.01,
  classWeight: 'none',
  tolerance: 0.05,
  epochs: 50,
  folds: 3,
};

/**
 * A linear support vector machine with squared hinge loss on standardised columns by dual coordinate descent, and
 * Platt's curve over margins that each fold's rows get from the other folds.
 */
export class SvmLinear implements Estimator<FittedSvmLinear> {
  readonly kind = 'svm-linear';
  readonly seed: number;
  readonly params: Readonly<SvmLinearParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'rejects', rowOrder: 'statistical' } as const;

  constructor({ seed = 1, ...options }: Partial<SvmLinearParams> & { seed?: number } = {}) {
    this.seed = seed;
    this.params = { ...DEFAULTS, ...options };
  }

  fit(X: Matrix, target?: Target, ctx: FitContext = {}): FittedSvmLinear {
    checkMatrix(X, 'rejects');
    const ones = checkBinaryTarget(X, target);
    const { cost, classWeight, tolerance, epochs, folds } = this.params;
    checkParam('cost', cost, Number.MIN_VALUE, 1e9);
    checkParam('tolerance', tolerance, Number.MIN_VALUE, 0.9);
    checkParam('epochs', epochs, 1, 1_000_000);
    checkParam('folds', folds, 2, 100);
    const weigh = classWeights(classWeight, X.rows, ones);
    checkParam('classWeight of 0', weigh[0], Number.MIN_VALUE, 1e12);
    checkParam('classWeight of 1', weigh[1], Number.MIN_VALUE, 1e12);
    advance(ctx, 0, 'standardising');
    const scale = scaleOf(X);
    const design = designOf(X, scale, sparseColumns(X));
    const y = Float64Array.from(target!, (value) => (value === 1 ? 1 : -1));
    const costs = Float64Array.from(target!, (value) => cost * weigh[value === 1 ? 1 : 0]);
    const options = { tolerance, epochs, seed: this.seed };
    const whole = dualDescent(design, y, { ...options, cost: costs }, ctx);
    advance(ctx, 1 / (folds + 1), `${whole.epochs} passes`);
    const fold = stratifiedFolds(target!, folds, this.seed);
    const held = new Float64Array(X.rows);
    for (let f = 0; f < folds; f++) {
      const others = costs.map((value, i) => (fold[i] === f ? 0 : value));
      const part = dualDescent(design, y, { ...options, cost: others }, ctx);
      for (let i = 0; i < X.rows; i++)
        if (fold[i] === f) held[i] = marginOf(design, i, part.weights);
      advance(ctx, (f + 2) / (folds + 1), `part ${f + 1} of ${folds}`);
    }
    const weights = whole.weights.slice(0, X.columns);
    // The columns that were not centred are so now: their means move into the intercept.
    let intercept = whole.weights[X.columns]!;
    for (let j = 0; j < X.columns; j++) intercept += weights[j]! * design.offset[j]!;
    const state = { names: [...X.names], ...scale, weights, intercept };
    return new FittedSvmLinear(state, fitPlatt(target!, held, true));
  }
}

function marginOf({ start, column, value, columns }: Design, i: number, w: Float64Array): number {
  let sum = w[columns]!;
  for (let e = start[i]!; e < start[i + 1]!; e++) sum += value[e]! * w[column[e]!]!;
  return sum;
}

const FORMAT = 1;

export class FittedSvmLinear implements BinaryModel, SelfExplaining {
  readonly kind = 'svm-linear';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly #state: LinearState;
  readonly #platt: Platt;

  constructor(state: LinearState, platt: Platt) {
    this.names = state.names;
    this.#state = state;
    this.#platt = platt;
  }

  /** Signed distance to the boundary in units of the margin. */
  margins(X: Matrix): Float64Array {
    return linearScores(this.#state, X);
  }

  predictProba(X: Matrix): Float64Array {
    const { slope, intercept } = this.#platt;
    return this.margins(X).map((margin) => 1 / (1 + Math.exp(-(slope * margin + intercept))));
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  /** Log-odds by which each column differs from its mean, through Platt's curve. */
  contributions(row: Float64Array): Attribution {
    const { slope, intercept } = this.#platt;
    const values = linearParts(this.#state, row).map((part) => slope * part);
    return { base: slope * this.#state.intercept + intercept, scale: 'logit', values };
  }

  toJSON(): ModelJson {
    return { kind: this.kind, format: FORMAT, ...linearToJson(this.#state), platt: this.#platt };
  }

  static fromJSON(json: ModelJson): FittedSvmLinear {
    checkJson(json, 'svm-linear', FORMAT);
    return new FittedSvmLinear(linearFromJson(json), plattFromJson(json));
  }
}
