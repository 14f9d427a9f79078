import { MS_PER_DAY } from '../../domain/clock.ts';
import { checkJson, checkParam, namesOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type { ModelJson } from '../estimator.ts';
import { peopleOf } from './interactions.ts';
import type { Interactions } from './interactions.ts';
import { FittedRecommender } from './recommender.ts';
import type { Profile, RecommenderEstimator, Why } from './recommender.ts';

export interface PopularityParams {
  /** Days after which a pair counts half, which makes it "trending"; each counts the same where absent. */
  readonly halfLifeDays?: number;
}

/** The same for everybody: what most people have, or take to lately. What every other model has to beat. */
export class Popularity implements RecommenderEstimator {
  readonly kind = 'popularity';
  readonly params: { readonly halfLifeDays: number | null };

  constructor({ halfLifeDays }: PopularityParams = {}) {
    this.params = { halfLifeDays: halfLifeDays ?? null };
  }

  fit(X: Interactions): FittedPopularity {
    const { halfLifeDays } = this.params;
    const scores = new Float64Array(X.items.length);
    if (halfLifeDays !== null) checkParam('halfLifeDays', halfLifeDays, 0.001, 36_500);
    for (let e = 0; e < X.item.length; e++) {
      const days = (X.asOfMs - X.lastMs[e]!) / MS_PER_DAY;
      scores[X.item[e]!]! += halfLifeDays === null ? 1 : 2 ** (-days / halfLifeDays);
    }
    return new FittedPopularity(X.items, peopleOf(X), scores, halfLifeDays !== null);
  }
}

export class FittedPopularity extends FittedRecommender {
  readonly kind = 'popularity';
  readonly #scores: Float64Array;
  readonly #trending: boolean;

  constructor(
    names: readonly string[],
    people: Int32Array,
    scores: Float64Array,
    trending: boolean,
  ) {
    super(names, people);
    this.#scores = scores;
    this.#trending = trending;
  }

  static fromJSON(json: ModelJson): FittedPopularity {
    checkJson(json, 'popularity', 1);
    const names = namesOf(json);
    const people = unpack(json['people'], 'i32', names.length);
    const scores = unpack(json['scores'], 'f64', names.length);
    return new FittedPopularity(names, people, scores, json['trending'] === true);
  }

  score(_: Profile): Float64Array {
    return this.#scores.slice();
  }

  shares({ item }: Profile): Float64Array {
    return new Float64Array(item.length);
  }

  override why(): Why {
    return { signal: this.#trending ? 'trending' : 'popular', because: [] };
  }

  toJSON(): ModelJson {
    const [people, scores] = [pack(this.people), pack(this.#scores)];
    const trending = this.#trending;
    return { kind: this.kind, format: 1, names: [...this.names], people, scores, trending };
  }
}
