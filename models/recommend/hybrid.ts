import { MS_PER_DAY } from '../../domain/clock.ts';
import { checkJson, invalid, invalidJson, namesOf, numberOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import { advance, partOf } from '../estimator.ts';
import type { FitContext, ModelJson } from '../estimator.ts';
import { idealGain } from '../evaluate/recommendation.ts';
import { peopleOf } from './interactions.ts';
import type { Interactions } from './interactions.ts';
import { FittedRecommender } from './recommender.ts';
import type { Profile, RecommenderEstimator, Why } from './recommender.ts';

/** One part: an estimator, and how it looks at a history. */
export interface HybridPart {
  readonly name: string;
  /** Parts with the same one share its model. */
  readonly estimator: RecommenderEstimator;
  /** What the person took so many days ago counts half for this part; all the same where absent. */
  readonly recentDays?: number;
}

/** A later slice: rows of `train`, and the numbers of items that were taken after it and are not in the row. */
export interface LaterSlice {
  readonly train: Interactions;
  readonly later: ReadonlyMap<number, ReadonlySet<number>>;
}

/**
 * A weighted sum of the parts' scores, each standardised over the products. The weights are those with the best nDCG
 * on a later slice, which the parts have not seen; then all parts learn from everything.
 */
export class Hybrid implements RecommenderEstimator {
  readonly kind = 'hybrid';
  readonly params: Readonly<Record<string, unknown>>;
  readonly #parts: readonly HybridPart[];
  readonly #slice: LaterSlice;

  constructor(parts: readonly HybridPart[], slice: LaterSlice) {
    this.params = { parts: parts.map(({ name }) => name) };
    this.#parts = parts;
    this.#slice = slice;
  }

  fit(X: Interactions, ctx: FitContext = {}): FittedHybrid {
    if (this.#parts.length === 0) throw invalid('A hybrid has no parts; expected at least one.');
    const before = this.#fitParts(this.#slice.train, partOf(ctx, 0, 0.4, 'before: '));
    const weights = learnWeights(before, this.#slice, partOf(ctx, 0.4, 0.6, 'weights: '));
    return this.#fitParts(X, partOf(ctx, 0.6, 1)).weighted(weights);
  }

  #fitParts(X: Interactions, ctx: FitContext): FittedHybrid {
    const n = this.#parts.length;
    const fitted = new Map<RecommenderEstimator, FittedRecommender>();
    const parts = this.#parts.map(({ name, estimator, recentDays }, p) => {
      const part = partOf(ctx, p / n, (p + 1) / n, `${name}: `);
      const model = fitted.get(estimator) ?? estimator.fit(X, part);
      fitted.set(estimator, model);
      return { name, model, recentDays: recentDays ?? null };
    });
    const even = Float64Array.from(parts, () => 1 / n);
    return new FittedHybrid(X.items, peopleOf(X), X.asOfMs, parts, even);
  }
}

/** Items that any part would show: the rest cannot be among the first ten. */
const CANDIDATES = 100;
const STEPS = [-0.5, -0.2, -0.1, -0.05, 0.05, 0.1, 0.2, 0.5];
/** A step has to gain so much nDCG: below it is noise of the slice. */
const GAIN_MIN = 0.000_1;
const PEOPLE_MAX = 2000;

interface Sheet {
  /** Items × parts. */
  readonly features: Float64Array;
  readonly relevant: Uint8Array;
  readonly ideal: number;
}

/**
 * Coordinate ascent on nDCG@10 (Metzler & Croft 2007), from the best single part or from the weights that make what
 * was taken most probable: nDCG has steps that the ascent would be caught on.
 */
function learnWeights(model: FittedHybrid, slice: LaterSlice, ctx: FitContext): Float64Array {
  const sheets = sheetsOf(model, slice);
  if (sheets.length === 0) {
    throw invalid('The later slice of the hybrid has nobody with new products; take a longer one.');
  }
  const n = model.parts.length;
  const single = Array.from({ length: n }, (_, p) =>
    Float64Array.from({ length: n }, (__, q) => (p === q ? 1 : 0)),
  );
  const scored: { weights: Float64Array; ndcg: number }[] = single.map((weights) => ({
    weights,
    ndcg: meanNdcg(sheets, weights),
  }));
  const smooth = listwise(sheets, n);
  scored.push({ weights: smooth, ndcg: meanNdcg(sheets, smooth) });
  let best = scored.reduce((a, b) => (b.ndcg > a.ndcg ? b : a));
  for (let pass = 0; pass < 10; pass++) {
    const before = best.ndcg;
    for (let p = 0; p < n; p++) {
      for (const step of STEPS) {
        const weights = best.weights.slice();
        weights[p]! += step;
        const ndcg = meanNdcg(sheets, weights);
        if (ndcg > best.ndcg + GAIN_MIN) best = { weights, ndcg };
      }
    }
    advance(ctx, Math.min(0.99, (pass + 1) / 10), `nDCG ${best.ndcg.toFixed(4)}`);
    if (best.ndcg === before) break;
  }
  advance(ctx, 1, `nDCG ${best.ndcg.toFixed(4)}`);
  return best.weights;
}

/** Weights by the listwise loss (Cao et al. 2007): a softmax over the candidates of each person, 60 steps of Adam. */
function listwise(sheets: readonly Sheet[], n: number): Float64Array {
  const weights = new Float64Array(n);
  const [mean, square] = [new Float64Array(n), new Float64Array(n)];
  for (let step = 1; step <= 60; step++) {
    const gradient = new Float64Array(n);
    for (const sheet of sheets) addGradient(sheet, weights, gradient);
    for (let p = 0; p < n; p++) {
      const g = gradient[p]! / sheets.length;
      mean[p] = 0.9 * mean[p]! + 0.1 * g;
      square[p] = 0.99 * square[p]! + 0.01 * g * g;
      const pace = Math.sqrt(square[p]! / (1 - 0.99 ** step)) + 1e-9;
      weights[p]! += (0.05 * mean[p]!) / (1 - 0.9 ** step) / pace;
    }
  }
  return weights;
}

/** Of the mean log probability of what one person took. */
function addGradient(
  { features, relevant }: Sheet,
  weights: Float64Array,
  out: Float64Array,
): void {
  const n = weights.length;
  const odds = new Float64Array(relevant.length);
  let most = -Infinity;
  let taken = 0;
  for (let i = 0; i < odds.length; i++) {
    for (let p = 0; p < n; p++) odds[i]! += weights[p]! * features[i * n + p]!;
    most = Math.max(most, odds[i]!);
    taken += relevant[i]!;
  }
  if (taken === 0) return;
  let sum = 0;
  for (let i = 0; i < odds.length; i++) {
    odds[i] = Math.exp(odds[i]! - most);
    sum += odds[i]!;
  }
  for (let i = 0; i < odds.length; i++) {
    const error = relevant[i]! / taken - odds[i]! / sum;
    for (let p = 0; p < n; p++) out[p]! += error * features[i * n + p]!;
  }
}

function sheetsOf(model: FittedHybrid, { train, later }: LaterSlice): Sheet[] {
  const rows = [...later].filter(([, relevant]) => relevant.size > 0);
  const every = Math.max(1, Math.ceil(rows.length / PEOPLE_MAX));
  return rows
    .filter((_, at) => at % every === 0)
    .map(([person, relevant]) => {
      const [from, to] = [train.start[person]!, train.start[person + 1]!];
      const item = train.item.subarray(from, to);
      const features = model.features({
        item,
        weight: train.weight.subarray(from, to),
        lastMs: train.lastMs.subarray(from, to),
      });
      const seen = new Set(item);
      const candidates = candidatesOf(features, seen);
      return {
        features: Float64Array.from(
          { length: candidates.length * features.length },
          (_, at) =>
            features[at % features.length]![candidates[Math.floor(at / features.length)]!]!,
        ),
        relevant: Uint8Array.from(candidates, (i) => (relevant.has(i) ? 1 : 0)),
        ideal: idealGain(Math.min(10, relevant.size)),
      };
    });
}

function candidatesOf(features: readonly Float64Array[], seen: ReadonlySet<number>): number[] {
  const taken = new Set<number>();
  for (const scores of features) {
    const order = Int32Array.from(scores.keys()).filter((item) => !seen.has(item));
    order.sort((a, b) => scores[b]! - scores[a]! || a - b);
    for (const item of order.subarray(0, CANDIDATES)) taken.add(item);
  }
  return [...taken].toSorted((a, b) => a - b);
}

function meanNdcg(sheets: readonly Sheet[], weights: Float64Array): number {
  let sum = 0;
  const top = new Float64Array(10);
  const hit = new Uint8Array(10);
  for (const { features, relevant, ideal } of sheets) {
    let size = 0;
    for (let i = 0; i < relevant.length; i++) {
      let score = 0;
      for (let p = 0; p < weights.length; p++) {
        score += weights[p]! * features[i * weights.length + p]!;
      }
      if (size === 10 && score <= top[9]!) continue;
      let place = size === 10 ? 9 : size++;
      for (; place > 0 && score > top[place - 1]!; place--) {
        top[place] = top[place - 1]!;
        hit[place] = hit[place - 1]!;
      }
      top[place] = score;
      hit[place] = relevant[i]!;
    }
    let gain = 0;
    for (let place = 0; place < size; place++) if (hit[place]) gain += 1 / Math.log2(place + 2);
    sum += gain / ideal;
  }
  return sum / sheets.length;
}

interface FittedPart {
  readonly name: string;
  readonly model: FittedRecommender;
  readonly recentDays: number | null;
}

export class FittedHybrid extends FittedRecommender {
  readonly kind = 'hybrid';
  readonly parts: readonly FittedPart[];
  /** Of each part's standardised scores. */
  readonly weights: Float64Array;
  readonly #asOfMs: number;
  /** Where each item of ours is in a part; −1 where the part does not know it. */
  readonly #places: readonly Int32Array[];

  constructor(
    names: readonly string[],
    people: Int32Array,
    asOfMs: number,
    parts: readonly FittedPart[],
    weights: Float64Array,
  ) {
    super(names, people);
    this.#asOfMs = asOfMs;
    this.parts = parts;
    this.weights = weights;
    this.#places = parts.map(({ model }) => {
      const place = new Map(model.names.map((name, at) => [name, at]));
      return Int32Array.from(names, (name) => place.get(name) ?? -1);
    });
  }

  /** `read` reads the parts, as the registry does. */
  static fromJSON(json: ModelJson, read: (part: ModelJson) => FittedRecommender): FittedHybrid {
    checkJson(json, 'hybrid', 1);
    const names = namesOf(json);
    const parts: unknown = json['parts'];
    if (!Array.isArray(parts)) throw invalidJson('hybrid', 'its parts are absent');
    const weights = unpack(json['weights'], 'f64', parts.length);
    const fitted = parts.map(
      (part: { name: string; model: ModelJson; recentDays: number | null }) => ({
        name: part.name,
        model: read(part.model),
        recentDays: part.recentDays,
      }),
    );
    const people = unpack(json['people'], 'i32', names.length);
    return new FittedHybrid(names, people, numberOf(json, 'asOfMs'), fitted, weights);
  }

  weighted(weights: Float64Array): FittedHybrid {
    return new FittedHybrid(this.names, this.people, this.#asOfMs, this.parts, weights);
  }

  /** The standardised scores of each part. */
  features(profile: Profile): Float64Array[] {
    return this.parts.map((_, p) => this.#standardised(profile, p).scores);
  }

  score(profile: Profile): Float64Array {
    const scores = new Float64Array(this.names.length);
    this.parts.forEach((_, p) => {
      const weight = this.weights[p]!;
      if (weight === 0) return;
      const part = this.#standardised(profile, p).scores;
      for (let i = 0; i < scores.length; i++) scores[i]! += weight * part[i]!;
    });
    return scores;
  }

  shares(profile: Profile, item: number): Float64Array {
    const shares = new Float64Array(profile.item.length);
    this.parts.forEach(({ model }, p) => {
      const at = this.#places[p]![item]!;
      if (this.weights[p] === 0 || at < 0) return;
      const { spread } = this.#standardised(profile, p);
      const { entries, known } = this.#seenBy(profile, p);
      const parts = model.shares(known, at);
      parts.forEach((part, e) => (shares[entries[e]!]! += (this.weights[p]! * part) / spread));
    });
    return shares;
  }

  /** The signal of the part that did most for the item; what of the history moved it comes from all parts. */
  override why(profile: Profile, item: number): Why {
    const moved = this.parts.map((_, p) => {
      return this.weights[p]! * this.#standardised(profile, p).scores[item]!;
    });
    const most = moved.indexOf(Math.max(...moved));
    const at = this.#places[most]![item]!;
    if (at < 0) return super.why(profile, item);
    const { signal } = this.parts[most]!.model.why(this.#seenBy(profile, most).known, at);
    return { ...super.why(profile, item), signal };
  }

  /** The history as a part counts it: by its own numbers, the recent more where the part wants that. */
  #seenBy(profile: Profile, p: number): { known: Profile; entries: number[] } {
    const place = this.#places[p]!;
    const { recentDays } = this.parts[p]!;
    const entries = [...profile.item.keys()].filter((e) => place[profile.item[e]!]! >= 0);
    const newest = profile.lastMs.reduce((max, ms) => Math.max(max, Number.isNaN(ms) ? 0 : ms), 0);
    const decay = (e: number): number => {
      const ms = profile.lastMs[e]!;
      if (recentDays === null || Number.isNaN(ms)) return 1;
      return 2 ** (-(newest - ms) / MS_PER_DAY / recentDays);
    };
    const known = {
      item: Int32Array.from(entries, (e) => place[profile.item[e]!]!),
      weight: Float64Array.from(entries, (e) => profile.weight[e]! * decay(e)),
      lastMs: Float64Array.from(entries, (e) => profile.lastMs[e]!),
    };
    return { known, entries };
  }

  #standardised(profile: Profile, p: number): { scores: Float64Array; spread: number } {
    const raw = this.parts[p]!.model.score(this.#seenBy(profile, p).known);
    const place = this.#places[p]!;
    const n = place.length;
    const scores = new Float64Array(n);
    let [sum, squares] = [0, 0];
    for (let i = 0; i < n; i++) {
      const score = place[i]! < 0 ? 0 : raw[place[i]!]!;
      scores[i] = score;
      sum += score;
      squares += score * score;
    }
    const mean = sum / n;
    const spread = Math.sqrt(Math.max(0, squares / n - mean * mean)) || 1;
    for (let i = 0; i < n; i++) scores[i] = (scores[i]! - mean) / spread;
    return { scores, spread };
  }

  toJSON(): ModelJson {
    return {
      kind: this.kind,
      format: 1,
      names: [...this.names],
      people: pack(this.people),
      asOfMs: this.#asOfMs,
      weights: pack(this.weights),
      parts: this.parts.map(({ name, model, recentDays }) => ({
        name,
        model: model.toJSON(),
        recentDays,
      })),
    };
  }
}
