import { checkJson, checkParam, invalidJson, namesOf, numberOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import { advance } from '../estimator.ts';
import type { FitContext, ModelJson } from '../estimator.ts';
import { byItem, peopleOf } from './interactions.ts';
import type { Interactions } from './interactions.ts';
import { best, FittedRecommender } from './recommender.ts';
import type { Profile, RecommenderEstimator } from './recommender.ts';

export interface ItemKnnParams {
  /** Places among the similar products of each one; it takes one of them itself, as its peers count it. */
  readonly neighbours?: number;
  /**
   * `cosine` of the columns; `jaccard` of their people (as SAR has it); `walk`: the chance to get there by product,
   * person, product, divided by people^`damping` (RP3beta, Paudel et al. 2017).
   */
  readonly similarity?: 'cosine' | 'jaccard' | 'walk';
  /** Of `walk`: how much what everybody buys is held back, 0 to 1. */
  readonly damping?: number;
}

/**
 * Item-item collaborative filtering (Sarwar et al. 2001): what is bought by the same people is similar. Each candidate
 * listens to its own nearest products only, so that what everybody buys does not win by the number of its friends.
 */
export class ItemKnn implements RecommenderEstimator {
  readonly kind = 'item-knn';
  readonly params: Required<ItemKnnParams>;

  constructor({ neighbours = 100, similarity = 'cosine', damping = 0.6 }: ItemKnnParams = {}) {
    this.params = { neighbours, similarity, damping };
  }

  fit(X: Interactions, ctx: FitContext = {}): FittedItemKnn {
    const { neighbours } = this.params;
    checkParam('neighbours', neighbours, 2, 10_000);
    checkParam('damping', this.params.damping, 0, 1.5);
    const n = X.items.length;
    const kept = Math.min(neighbours, n) - 1;
    const people = peopleOf(X);
    const item = new Int32Array(n * kept).fill(-1);
    const similarity = new Float64Array(n * kept);
    const row = this.#rows(X, people);
    for (let i = 0; i < n; i++) {
      const scores = row(i);
      scores[i] = Number.NaN;
      let at = i * kept;
      for (const j of best(scores, people, kept)) {
        if (!(scores[j]! > 0)) break;
        item[at] = j;
        similarity[at++] = scores[j]!;
      }
      if (i % 256 === 255 || i === n - 1) advance(ctx, (i + 1) / n, `item ${i + 1} of ${n}`);
    }
    return new FittedItemKnn(X.items, people, kept, item, similarity);
  }

  /** Similarities of one item to all. */
  #rows(X: Interactions, people: Int32Array): (item: number) => Float64Array {
    const { similarity, damping } = this.params;
    const { start, person, weight } = byItem(X);
    const squares = new Float64Array(X.items.length);
    for (let e = 0; e < X.item.length; e++) squares[X.item[e]!]! += X.weight[e]! ** 2;
    const scaled = (i: number, j: number, together: number): number => {
      if (similarity === 'cosine') return together / Math.sqrt(squares[i]! * squares[j]!);
      if (similarity === 'jaccard') return together / (people[i]! + people[j]! - together);
      // Item i is the candidate here, and j where the walk begins.
      return together / people[j]! / people[i]! ** damping;
    };
    return (i) => {
      const row = new Float64Array(X.items.length);
      for (let e = start[i]!; e < start[i + 1]!; e++) {
        const [from, to] = [X.start[person[e]!]!, X.start[person[e]! + 1]!];
        const step = similarity === 'walk' ? 1 / (to - from) : 1;
        for (let at = from; at < to; at++) {
          const both = similarity === 'cosine' ? weight[e]! * X.weight[at]! : step;
          row[X.item[at]!]! += both;
        }
      }
      for (let j = 0; j < row.length; j++) if (row[j] !== 0) row[j] = scaled(i, j, row[j]!);
      return row;
    };
  }
}

export class FittedItemKnn extends FittedRecommender {
  readonly kind = 'item-knn';
  readonly #kept: number;
  readonly #item: Int32Array;
  readonly #similarity: Float64Array;
  readonly #votes: Votes;

  constructor(
    names: readonly string[],
    people: Int32Array,
    kept: number,
    item: Int32Array,
    similarity: Float64Array,
  ) {
    super(names, people);
    this.#kept = kept;
    this.#item = item;
    this.#similarity = similarity;
    this.#votes = votesOf(names.length, kept, item, similarity);
  }

  static fromJSON(json: ModelJson): FittedItemKnn {
    checkJson(json, 'item-knn', 1);
    const names = namesOf(json);
    const n = names.length;
    const kept = numberOf(json, 'kept');
    const item = unpack(json['item'], 'i32', n * kept);
    if (item.some((j) => j < -1 || j >= n)) throw invalidJson('item-knn', 'an item is unknown');
    const similarity = unpack(json['similarity'], 'f64', n * kept);
    return new FittedItemKnn(names, unpack(json['people'], 'i32', n), kept, item, similarity);
  }

  score({ item, weight }: Profile): Float64Array {
    const scores = new Float64Array(this.names.length);
    const { start, target, similarity } = this.#votes;
    for (let e = 0; e < item.length; e++) {
      const w = weight[e]!;
      for (let at = start[item[e]!]!; at < start[item[e]! + 1]!; at++) {
        scores[target[at]!]! += w * similarity[at]!;
      }
    }
    return scores;
  }

  shares({ item, weight }: Profile, to: number): Float64Array {
    const row = this.#item.subarray(to * this.#kept, (to + 1) * this.#kept);
    return Float64Array.from(item, (from, e) => {
      const at = row.indexOf(from);
      return at < 0 ? 0 : weight[e]! * this.#similarity[to * this.#kept + at]!;
    });
  }

  toJSON(): ModelJson {
    return {
      kind: this.kind,
      format: 1,
      names: [...this.names],
      people: pack(this.people),
      kept: this.#kept,
      item: pack(this.#item),
      similarity: pack(this.#similarity),
    };
  }
}

interface Votes {
  readonly start: Int32Array;
  readonly target: Int32Array;
  readonly similarity: Float64Array;
}

/** The neighbours the other way round: which products each one speaks for. */
function votesOf(n: number, kept: number, item: Int32Array, similarity: Float64Array): Votes {
  const start = new Int32Array(n + 1);
  for (const from of item) if (from >= 0) start[from + 1]!++;
  for (let i = 0; i < n; i++) start[i + 1]! += start[i]!;
  const next = start.slice(0, -1);
  const target = new Int32Array(start[n]!);
  const votes = new Float64Array(start[n]!);
  for (let e = 0; e < item.length; e++) {
    if (item[e]! < 0) continue;
    const at = next[item[e]!]!++;
    target[at] = Math.floor(e / kept);
    votes[at] = similarity[e]!;
  }
  return { start, target, similarity: votes };
}
