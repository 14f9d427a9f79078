import { checkJson, checkMatrix, numberOf } from '../check.ts';
import type {
  Attribution,
  Estimator,
  FitContext,
  ModelJson,
  RegressionModel,
  SelfExplaining,
} from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { checkRegressionTarget, checkSampleWeight } from '../tree/checks.ts';
import { TreeEnsemble } from '../tree/ensemble.ts';
import type { ForestParams } from './parts.ts';
import { DEFAULTS, finish, growPart, prepare } from './parts.ts';

/** A random forest that says a number: cuts by the squared error, the mean of its trees' means (Breiman 2001). */
export class ForestRegression implements Estimator<FittedForestRegression> {
  readonly kind = 'forest-regression';
  readonly seed: number;
  readonly params: Readonly<ForestParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'accepts', rowOrder: 'statistical' } as const;

  constructor({ seed = 1, ...params }: Partial<ForestParams> & { seed?: number } = {}) {
    this.seed = seed;
    this.params = { ...DEFAULTS, ...params };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedForestRegression {
    checkMatrix(X, 'accepts');
    const target = checkRegressionTarget(X, y);
    checkSampleWeight(X, ctx.sampleWeight);
    const prepared = prepare(X, target, false, this.params, this.seed, ctx);
    const part = growPart(prepared.task, 0, prepared.task.params.trees, ctx);
    const { ensemble, unseen } = finish(X.names, prepared, [part]);
    const { truth, predicted } = unseen;
    let squares = 0;
    for (let i = 0; i < truth.length; i++) squares += (truth[i]! - predicted[i]!) ** 2;
    return new FittedForestRegression(ensemble, {
      rows: truth.length,
      meanSquaredError: truth.length === 0 ? null : squares / truth.length,
    });
  }
}

/** How the trees judge rows they have not seen. */
export interface OutOfBagError {
  readonly rows: number;
  readonly meanSquaredError: number | null;
}

const FORMAT = 1;

export class FittedForestRegression implements RegressionModel, SelfExplaining {
  readonly kind = 'forest-regression';
  readonly task = 'regression';
  readonly names: readonly string[];
  readonly importance: Float64Array;
  readonly outOfBag: OutOfBagError;
  readonly #ensemble: TreeEnsemble;

  constructor(ensemble: TreeEnsemble, outOfBag: OutOfBagError) {
    this.#ensemble = ensemble;
    this.names = ensemble.names;
    this.importance = ensemble.importance;
    this.outOfBag = outOfBag;
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
    return {
      kind: this.kind,
      format: FORMAT,
      ...this.#ensemble.parts(),
      outOfBag: this.outOfBag,
    };
  }

  static fromJSON(json: ModelJson): FittedForestRegression {
    checkJson(json, 'forest-regression', FORMAT);
    const judged = json['outOfBag'] as OutOfBagError;
    const error = judged.meanSquaredError;
    return new FittedForestRegression(TreeEnsemble.fromParts(json), {
      rows: numberOf(json, 'rows', judged),
      meanSquaredError: error === null ? null : numberOf(json, 'meanSquaredError', judged),
    });
  }
}
