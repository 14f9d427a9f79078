import { checkJson, checkParam, invalid, namesOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import { partOf } from '../estimator.ts';
import type { FitContext, ModelJson } from '../estimator.ts';
import { byItem, peopleOf } from './interactions.ts';
import type { Interactions } from './interactions.ts';
import { BlockedInverse } from './inverse.ts';
import { FittedRecommender } from './recommender.ts';
import type { Profile, RecommenderEstimator } from './recommender.ts';

export interface EaseParams {
  /** Penalty on the squared weights; more for few people. */
  readonly lambda?: number;
}

/** Memory grows by the square and time by the cube: 8,000 items take 0.5 GB and about 25 s. */
export const EASE_ITEMS_MAX = 12_000;

/**
 * EASE^R (Steck 2019): the linear map from items to items, with nothing on its diagonal, that says each person's row
 * best: B = I − P diag(1 / P), P = (XᵀX + λ I)⁻¹.
 */
export class Ease implements RecommenderEstimator {
  readonly kind = 'ease';
  readonly params: Required<EaseParams>;

  constructor({ lambda = 250 }: EaseParams = {}) {
    this.params = { lambda };
  }

  fit(X: Interactions, ctx: FitContext = {}): FittedEase {
    const { lambda } = this.params;
    checkParam('lambda', lambda, 0.001, 1e9);
    const n = X.items.length;
    if (n > EASE_ITEMS_MAX) {
      throw invalid(
        `EASE takes at most ${EASE_ITEMS_MAX} items, not ${n}; raise minPeople, or use item-knn or als.`,
      );
    }
    const inverse = new BlockedInverse(n);
    gram(X, inverse.cells, inverse.stride);
    for (let i = 0; i < n; i++) inverse.cells[i * inverse.stride + i]! += lambda;
    inverse.invert(partOf(ctx, 0, 1));
    const { cells, stride } = inverse;
    const weights = new Float32Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        if (j !== i) weights[i * n + j] = -cells[i * stride + j]! / cells[j * stride + j]!;
      }
    }
    return new FittedEase(X.items, peopleOf(X), weights);
  }
}

/** The lower triangle of XᵀX. */
function gram(X: Interactions, cells: Float32Array, stride: number): void {
  const { start, person, weight } = byItem(X);
  for (let i = 0; i < X.items.length; i++) {
    const row = cells.subarray(i * stride, i * stride + i + 1);
    for (let e = start[i]!; e < start[i + 1]!; e++) {
      const w = weight[e]!;
      for (let at = X.start[person[e]!]!; ; at++) {
        const j = X.item[at]!;
        row[j]! += w * X.weight[at]!;
        // Rows ascend, and item i is among them.
        if (j === i) break;
      }
    }
  }
}

export class FittedEase extends FittedRecommender {
  readonly kind = 'ease';
  readonly #weights: Float32Array;

  constructor(names: readonly string[], people: Int32Array, weights: Float32Array) {
    super(names, people);
    this.#weights = weights;
  }

  static fromJSON(json: ModelJson): FittedEase {
    checkJson(json, 'ease', 1);
    const names = namesOf(json);
    const n = names.length;
    const people = unpack(json['people'], 'i32', n);
    return new FittedEase(names, people, unpack(json['weights'], 'f32', n * n));
  }

  score({ item, weight }: Profile): Float64Array {
    const n = this.names.length;
    const scores = new Float64Array(n);
    for (let e = 0; e < item.length; e++) {
      const w = weight[e]!;
      const from = item[e]! * n;
      for (let j = 0; j < n; j++) scores[j]! += w * this.#weights[from + j]!;
    }
    return scores;
  }

  shares({ item, weight }: Profile, to: number): Float64Array {
    const n = this.names.length;
    return Float64Array.from(item, (from, e) => weight[e]! * this.#weights[from * n + to]!);
  }

  toJSON(): ModelJson {
    const [people, weights] = [pack(this.people), pack(this.#weights)];
    return { kind: this.kind, format: 1, names: [...this.names], people, weights };
  }
}
