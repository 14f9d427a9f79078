import { checkJson, checkMatrix, numberOf } from '../check.ts';
import type { Estimator, FitContext, ModelJson } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { checkRegressionTarget, checkSampleWeight } from '../tree/checks.ts';
import { TreeEnsemble } from '../tree/ensemble.ts';
import { FittedRegressionTrees } from '../tree/fitted.ts';
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

export class FittedForestRegression extends FittedRegressionTrees {
  readonly kind = 'forest-regression';
  readonly outOfBag: OutOfBagError;

  constructor(ensemble: TreeEnsemble, outOfBag: OutOfBagError) {
    super(ensemble);
    this.outOfBag = outOfBag;
  }

  toJSON(): ModelJson {
    return {
      kind: this.kind,
      format: FORMAT,
      ...this.parts(),
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
