import type {
  Attribution,
  BinaryModel,
  ModelJson,
  RegressionModel,
  SelfExplaining,
} from '../estimator.ts';
import { classesOf } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import type { TreeEnsemble } from './ensemble.ts';

/** What every fitted model of trees says of itself, on the scale of its scores. */
abstract class FittedTrees implements SelfExplaining {
  readonly names: readonly string[];
  readonly importance: Float64Array;
  readonly #ensemble: TreeEnsemble;
  readonly #scale: Attribution['scale'];

  constructor(ensemble: TreeEnsemble, scale: Attribution['scale']) {
    this.#ensemble = ensemble;
    this.#scale = scale;
    this.names = ensemble.names;
    this.importance = ensemble.importance;
  }

  get treeCount(): number {
    return this.#ensemble.treeCount;
  }

  get leafCount(): number {
    return this.#ensemble.leafCount;
  }

  /** Exact path-dependent Shapley values of one prediction. */
  contributions(row: Float64Array): Attribution {
    return this.#ensemble.attribution(row, this.#scale);
  }

  /** Exact Shapley values against the people of `background` (interventional). */
  contributionsAgainst(row: Float64Array, background: Matrix): Attribution {
    return this.#ensemble.attributionAgainst(row, background, this.#scale);
  }

  protected scores(X: Matrix): Float64Array {
    return this.#ensemble.scores(X);
  }

  /** The trees as JSON has them. */
  protected parts(): Record<string, unknown> {
    return this.#ensemble.parts();
  }
}

/** Trees that say a probability. */
export abstract class FittedBinaryTrees extends FittedTrees implements BinaryModel {
  abstract readonly kind: string;
  readonly task = 'binary';

  abstract toJSON(): ModelJson;

  predictProba(X: Matrix): Float64Array {
    return this.scores(X);
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }
}

/** Trees that say a number; contributions are in units of the target. */
export abstract class FittedRegressionTrees extends FittedTrees implements RegressionModel {
  abstract readonly kind: string;
  readonly task = 'regression';

  constructor(ensemble: TreeEnsemble) {
    super(ensemble, 'value');
  }

  abstract toJSON(): ModelJson;

  predict(X: Matrix): Float64Array {
    return this.scores(X);
  }
}
