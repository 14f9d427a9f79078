import { checkBinaryTarget, checkJson, checkMatrix, numberOf } from '../check.ts';
import { checkRegressionTarget, checkSampleWeight } from '../tree/checks.ts';
import type {
  Attribution,
  BinaryModel,
  Estimator,
  FitContext,
  ModelJson,
  RegressionModel,
  SelfExplaining,
} from '../estimator.ts';
import { classesOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { TreeEnsemble } from '../tree/ensemble.ts';
import type { BoostingParams, Stopped } from './boost.ts';
import { boost, DEFAULTS } from './boost.ts';
import { LOGISTIC, SQUARED } from './loss.ts';

type Options = Partial<BoostingParams> & { seed?: number };
type Params = Readonly<BoostingParams & Record<string, unknown>>;

/**
 * Gradient-boosted trees on the log loss (Friedman 2001, with Newton steps and leaf-wise trees as LightGBM, Ke et al.
 * 2017). NaN is read as "missing" and has its side at each node; categories stay categories.
 */
export class Boosting implements Estimator<FittedBoosting> {
  readonly kind = 'boosting';
  readonly seed: number;
  readonly params: Params;
  readonly traits = { supervised: true, missing: 'accepts', rowOrder: 'exact' } as const;

  constructor({ seed = 1, ...params }: Options = {}) {
    this.seed = seed;
    this.params = { ...DEFAULTS, ...params };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedBoosting {
    checkMatrix(X, 'accepts');
    checkBinaryTarget(X, y);
    checkSampleWeight(X, ctx.sampleWeight);
    const { ensemble, stopped } = boost(X, y!, LOGISTIC, this.params, this.seed, ctx);
    return new FittedBoosting(ensemble, stopped);
  }
}

/** Gradient-boosted trees on the squared error. */
export class BoostingRegression implements Estimator<FittedBoostingRegression> {
  readonly kind = 'boosting-regression';
  readonly seed: number;
  readonly params: Params;
  readonly traits = { supervised: true, missing: 'accepts', rowOrder: 'exact' } as const;

  constructor({ seed = 1, ...params }: Options = {}) {
    this.seed = seed;
    this.params = { ...DEFAULTS, ...params };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedBoostingRegression {
    checkMatrix(X, 'accepts');
    const target = checkRegressionTarget(X, y);
    checkSampleWeight(X, ctx.sampleWeight);
    const { ensemble, stopped } = boost(X, target, SQUARED, this.params, this.seed, ctx);
    return new FittedBoostingRegression(ensemble, stopped);
  }
}

const FORMAT = 1;

function stoppedOf(json: ModelJson): Stopped {
  const loss = json['laterLoss'];
  return {
    treesTried: numberOf(json, 'treesTried'),
    laterLoss: loss === null ? null : numberOf(json, 'laterLoss'),
  };
}

export class FittedBoosting implements BinaryModel, SelfExplaining {
  readonly kind = 'boosting';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly importance: Float64Array;
  /** How many trees were tried, and the mean loss on the later slice, where there was one. */
  readonly stopped: Stopped;
  readonly #ensemble: TreeEnsemble;

  constructor(ensemble: TreeEnsemble, stopped: Stopped) {
    this.#ensemble = ensemble;
    this.names = ensemble.names;
    this.importance = ensemble.importance;
    this.stopped = stopped;
  }

  get treeCount(): number {
    return this.#ensemble.treeCount;
  }

  predictProba(X: Matrix): Float64Array {
    const scores = this.#ensemble.scores(X);
    for (let i = 0; i < scores.length; i++) scores[i] = 1 / (1 + Math.exp(-scores[i]!));
    return scores;
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  /** Exact path-dependent Shapley values of one prediction, as log-odds. */
  contributions(row: Float64Array): Attribution {
    return this.#ensemble.attribution(row, 'logit');
  }

  /** Exact Shapley values against the people of `background` (interventional), as log-odds. */
  contributionsAgainst(row: Float64Array, background: Matrix): Attribution {
    return this.#ensemble.attributionAgainst(row, background, 'logit');
  }

  toJSON(): ModelJson {
    return { kind: this.kind, format: FORMAT, ...this.#ensemble.parts(), ...this.stopped };
  }

  static fromJSON(json: ModelJson): FittedBoosting {
    checkJson(json, 'boosting', FORMAT);
    return new FittedBoosting(TreeEnsemble.fromParts(json), stoppedOf(json));
  }
}

export class FittedBoostingRegression implements RegressionModel, SelfExplaining {
  readonly kind = 'boosting-regression';
  readonly task = 'regression';
  readonly names: readonly string[];
  readonly importance: Float64Array;
  readonly stopped: Stopped;
  readonly #ensemble: TreeEnsemble;

  constructor(ensemble: TreeEnsemble, stopped: Stopped) {
    this.#ensemble = ensemble;
    this.names = ensemble.names;
    this.importance = ensemble.importance;
    this.stopped = stopped;
  }

  get treeCount(): number {
    return this.#ensemble.treeCount;
  }

  predict(X: Matrix): Float64Array {
    return this.#ensemble.scores(X);
  }

  /** Exact path-dependent Shapley values of one prediction, in units of the target. */
  contributions(row: Float64Array): Attribution {
    return this.#ensemble.attribution(row, 'value');
  }

  /** Exact Shapley values against the people of `background` (interventional), in units of the target. */
  contributionsAgainst(row: Float64Array, background: Matrix): Attribution {
    return this.#ensemble.attributionAgainst(row, background, 'value');
  }

  toJSON(): ModelJson {
    return { kind: this.kind, format: FORMAT, ...this.#ensemble.parts(), ...this.stopped };
  }

  static fromJSON(json: ModelJson): FittedBoostingRegression {
    checkJson(json, 'boosting-regression', FORMAT);
    return new FittedBoostingRegression(TreeEnsemble.fromParts(json), stoppedOf(json));
  }
}
