import { checkBinaryTarget, checkJson, checkMatrix, numberOf } from '../check.ts';
import { checkRegressionTarget, checkSampleWeight } from '../tree/checks.ts';
import type { Estimator, FitContext, ModelJson } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { TreeEnsemble } from '../tree/ensemble.ts';
import { FittedBinaryTrees, FittedRegressionTrees } from '../tree/fitted.ts';
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

export class FittedBoosting extends FittedBinaryTrees {
  readonly kind = 'boosting';
  /** How many trees were tried, and the mean loss on the later slice, where there was one. */
  readonly stopped: Stopped;

  constructor(ensemble: TreeEnsemble, stopped: Stopped) {
    super(ensemble, 'logit');
    this.stopped = stopped;
  }

  override predictProba(X: Matrix): Float64Array {
    const scores = this.scores(X);
    for (let i = 0; i < scores.length; i++) scores[i] = 1 / (1 + Math.exp(-scores[i]!));
    return scores;
  }

  toJSON(): ModelJson {
    return { kind: this.kind, format: FORMAT, ...this.parts(), ...this.stopped };
  }

  static fromJSON(json: ModelJson): FittedBoosting {
    checkJson(json, 'boosting', FORMAT);
    return new FittedBoosting(TreeEnsemble.fromParts(json), stoppedOf(json));
  }
}

export class FittedBoostingRegression extends FittedRegressionTrees {
  readonly kind = 'boosting-regression';
  readonly stopped: Stopped;

  constructor(ensemble: TreeEnsemble, stopped: Stopped) {
    super(ensemble);
    this.stopped = stopped;
  }

  toJSON(): ModelJson {
    return { kind: this.kind, format: FORMAT, ...this.parts(), ...this.stopped };
  }

  static fromJSON(json: ModelJson): FittedBoostingRegression {
    checkJson(json, 'boosting-regression', FORMAT);
    return new FittedBoostingRegression(TreeEnsemble.fromParts(json), stoppedOf(json));
  }
}
