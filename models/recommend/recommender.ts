import { checkParam } from '../check.ts';
import type { FitContext, Model, ModelJson } from '../estimator.ts';
import type { Interactions } from './interactions.ts';

/** The one interface of everything that recommends; `test/models/recommend-contract.ts` holds each to it. */
export interface RecommenderEstimator {
  readonly kind: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Learns from all pairs. Errors: MODEL_INVALID; an AbortError when `ctx.signal` is aborted. */
  fit(X: Interactions, ctx?: FitContext): FittedRecommender;
}

/** What is known of one person: pairs as in `Interactions`. */
export interface HistoryEntry {
  readonly item: string;
  /** 1 where absent. */
  readonly weight?: number;
  readonly lastMs?: number;
}

export interface RecommendOptions {
  /** 10 by default. */
  readonly count?: number;
  /** Products that must not be named. */
  readonly exclude?: Iterable<string>;
  /** Whether products of the history may be named again. */
  readonly repeats?: boolean;
}

export interface Recommendation {
  readonly item: string;
  /** Orders the products of one answer; its unit is the model's own. */
  readonly score: number;
  readonly why: Why;
}

/** Which signal named the product, and which products of the history moved it how much. */
export interface Why {
  readonly signal: 'history' | 'popular' | 'trending' | 'description';
  /** Shares of what spoke for it, the largest first, at most 3; empty where the history did not. */
  readonly because: readonly { readonly item: string; readonly share: number }[];
}

/** A history by number of item: what the model has never seen is left out. */
export interface Profile {
  readonly item: Int32Array;
  readonly weight: Float64Array;
  /** NaN where unknown. */
  readonly lastMs: Float64Array;
}

export abstract class FittedRecommender implements Model {
  readonly task = 'recommend';
  abstract readonly kind: string;
  /** The products, ascending. */
  readonly names: readonly string[];
  /** People of each product: breaks ties, so that somebody without a history is shown what is liked. */
  readonly people: Int32Array;
  #place: Map<string, number> | undefined;

  constructor(names: readonly string[], people: Int32Array) {
    this.names = names;
    this.people = people;
  }

  /** A score of each product for one person. */
  abstract score(profile: Profile): Float64Array;

  /** How much each entry of the profile added to the score of one item. */
  abstract shares(profile: Profile, item: number): Float64Array;

  abstract toJSON(): ModelJson;

  profileOf(history: readonly HistoryEntry[]): Profile {
    this.#place ??= new Map(this.names.map((name, at) => [name, at]));
    const known = history
      .map((entry) => ({ ...entry, at: this.#place!.get(entry.item) }))
      .filter((entry) => entry.at !== undefined && (entry.weight ?? 1) > 0);
    return {
      item: Int32Array.from(known, ({ at }) => at!),
      weight: Float64Array.from(known, ({ weight }) => weight ?? 1),
      lastMs: Float64Array.from(known, ({ lastMs }) => lastMs ?? Number.NaN),
    };
  }

  /** The best products for somebody with this history, the best first; fewer where there are not enough. */
  recommend(history: readonly HistoryEntry[], options: RecommendOptions = {}): Recommendation[] {
    const { count = 10, exclude = [], repeats = false } = options;
    checkParam('count', count, 1, 10_000);
    const profile = this.profileOf(history);
    const scores = this.score(profile);
    const banned = this.profileOf(Array.from(exclude, (item) => ({ item }))).item;
    for (const item of banned) scores[item] = Number.NaN;
    if (!repeats) for (const item of profile.item) scores[item] = Number.NaN;
    return Array.from(best(scores, this.people, count), (item) => ({
      item: this.names[item]!,
      score: scores[item]!,
      why: this.why(profile, item),
    }));
  }

  why(profile: Profile, item: number): Why {
    const because = largestShares(this.shares(profile, item)).map(({ at, share }) => ({
      item: this.names[profile.item[at]!]!,
      share,
    }));
    return { signal: because.length > 0 ? 'history' : 'popular', because };
  }
}

/** The largest positive parts, as shares of all that is positive. */
function largestShares(parts: Float64Array, most = 3): { at: number; share: number }[] {
  let sum = 0;
  for (const part of parts) sum += Math.max(0, part);
  return Array.from(parts, (part, at) => ({ at, share: sum > 0 ? part / sum : 0 }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share || a.at - b.at)
    .slice(0, most);
}

/** Numbers of the best items: by score, then by people, then by number. NaN is never among them. */
export function best(scores: Float64Array, people: Int32Array, count: number): Int32Array {
  if (count > 100) return bestOfMany(scores, people, count);
  const top = new Int32Array(Math.min(count, scores.length));
  let size = 0;
  const before = (a: number, b: number): boolean =>
    scores[a]! > scores[b]! ||
    (scores[a] === scores[b] && (people[a]! > people[b]! || (people[a] === people[b] && a < b)));
  for (let item = 0; item < scores.length; item++) {
    if (Number.isNaN(scores[item]!) || (size === top.length && !before(item, top[size - 1]!))) {
      continue;
    }
    let place = size === top.length ? size - 1 : size++;
    for (; place > 0 && before(item, top[place - 1]!); place--) top[place] = top[place - 1]!;
    top[place] = item;
  }
  return top.slice(0, size);
}

/** The same by sorting, since insertion takes time by the product of both. */
function bestOfMany(scores: Float64Array, people: Int32Array, count: number): Int32Array {
  const known = Int32Array.from(scores.keys()).filter((item) => !Number.isNaN(scores[item]!));
  known.sort((a, b) => scores[b]! - scores[a]! || people[b]! - people[a]! || a - b);
  return known.slice(0, count);
}

/** The row of one person, as a profile. */
export function profileAt(X: Interactions, person: number): Profile {
  const [from, to] = [X.start[person]!, X.start[person + 1]!];
  return {
    item: X.item.subarray(from, to),
    weight: X.weight.subarray(from, to),
    lastMs: X.lastMs.subarray(from, to),
  };
}
