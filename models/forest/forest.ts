import { figures } from '../card.ts';
import { checkBinaryTarget, checkJson, checkMatrix, numberOf } from '../check.ts';
import type { Estimator, FitContext, ModelJson } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { logLoss, rocAuc } from '../metrics.ts';
import type { Bins } from '../tree/bins.ts';
import { checkSampleWeight } from '../tree/checks.ts';
import { TreeEnsemble } from '../tree/ensemble.ts';
import { FittedBinaryTrees } from '../tree/fitted.ts';
import type { ForestParams, ForestPart, ForestTask } from './parts.ts';
import { DEFAULTS, finish, growPart, prepare } from './parts.ts';

export type { ForestParams } from './parts.ts';

/**
 * A random forest of probability trees (Breiman 2001): each tree learns a bootstrap of the rows, tries few columns at
 * each node, and the forest's probability is the mean of its trees'. NaN is read as "missing" and has its side at each
 * node; categories stay categories. Rows left out of a tree judge it, which gives a score without a second data set
 * (`outOfBag`).
 */
export class Forest implements Estimator<FittedForest> {
  readonly kind = 'forest';
  readonly seed: number;
  readonly params: Readonly<ForestParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'accepts', rowOrder: 'statistical' } as const;

  constructor(options: Partial<ForestParams> & { seed?: number } = {}) {
    const { seed = 1, ...params } = options;
    this.seed = seed;
    this.params = { ...DEFAULTS, ...params };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedForest {
    const prepared = this.prepare(X, y, ctx);
    const part = growPart(prepared.task, 0, prepared.task.params.trees, ctx);
    return this.finish(X.names, prepared, [part]);
  }

  /** What its trees are grown from; with `growPart` and `finish` a forest grows in parts. */
  prepare(X: Matrix, y?: Target, ctx: FitContext = {}): { task: ForestTask; bins: Bins } {
    checkMatrix(X, 'accepts');
    checkBinaryTarget(X, y);
    checkSampleWeight(X, ctx.sampleWeight);
    return prepare(X, Float64Array.from(y!), true, this.params, this.seed, ctx);
  }

  /** The forest of its parts, in the order of their trees. */
  finish(
    names: readonly string[],
    prepared: { task: ForestTask; bins: Bins },
    parts: readonly ForestPart[],
  ): FittedForest {
    const { ensemble, unseen } = finish(names, prepared, parts);
    const { truth, predicted } = unseen;
    const judged = { rocAuc: rocAuc(truth, predicted), logLoss: logLoss(truth, predicted) };
    return new FittedForest(ensemble, { rows: truth.length, ...figures(judged) });
  }
}

/** How the trees judge rows they have not seen: an honest score from the training rows alone. */
export interface OutOfBag {
  /** Rows that at least one tree left out. */
  readonly rows: number;
  /** `null` where the rows left out do not hold both classes. */
  readonly rocAuc: number | null;
  readonly logLoss: number | null;
}

const FORMAT = 2;

export class FittedForest extends FittedBinaryTrees {
  readonly kind = 'forest';
  readonly outOfBag: OutOfBag;

  constructor(ensemble: TreeEnsemble, outOfBag: OutOfBag) {
    super(ensemble, 'probability');
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

  static fromJSON(json: ModelJson): FittedForest {
    checkJson(json, 'forest', FORMAT);
    const judged = json['outOfBag'] as OutOfBag;
    return new FittedForest(TreeEnsemble.fromParts(json), {
      rows: numberOf(json, 'rows', judged),
      rocAuc: judged.rocAuc === null ? null : numberOf(json, 'rocAuc', judged),
      logLoss: judged.logLoss === null ? null : numberOf(json, 'logLoss', judged),
    });
  }
}
