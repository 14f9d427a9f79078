import { describe, expect, it } from 'vitest';
import { Random } from '../../models/random.ts';
import { Als } from '../../models/recommend/als.ts';
import { Content } from '../../models/recommend/content.ts';
import { Ease } from '../../models/recommend/ease.ts';
import { Hybrid } from '../../models/recommend/hybrid.ts';
import { interactionsOf } from '../../models/recommend/interactions.ts';
import type { Interaction } from '../../models/recommend/interactions.ts';
import { ItemKnn } from '../../models/recommend/item-knn.ts';
import { Popularity } from '../../models/recommend/popularity.ts';
import type { RecommenderEstimator } from '../../models/recommend/recommender.ts';
import { RECOMMENDER_KINDS, recommenderFromJSON } from '../../models/recommend/registry.ts';

const DAY = 86_400_000;
const TASTES = ['tea', 'garden', 'toys'];

/** Three tastes with eight products each; a person has one and strays from it at times. */
function events(seed: number): Interaction[] {
  const random = new Random(seed);
  return Array.from({ length: 150 }, (_, p) => p).flatMap((p) =>
    Array.from({ length: 6 }, () => {
      const taste = random.next() < 0.9 ? p % 3 : random.int(3);
      const item = `${TASTES[taste]} ${Math.floor(8 * random.next() ** 1.5)}`;
      return { person: `p${p}`, item, signal: 'order', atMs: random.int(90) * DAY };
    }),
  );
}

const all = events(1);
const X = interactionsOf(all, { asOfMs: 90 * DAY });
const text = new Map(X.items.map((item) => [item, `${item.split(' ')[0]} thing for the house`]));

/** As in use: the same items, and what came after day 60. */
function slice() {
  const train = interactionsOf(
    all.filter((event) => event.atMs < 60 * DAY),
    { asOfMs: 60 * DAY },
  );
  const later = new Map(
    train.people.map((person, p) => {
      const had = new Set(train.item.subarray(train.start[p]!, train.start[p + 1]!));
      const taken = all.filter((event) => event.person === person && event.atMs >= 60 * DAY);
      const items = taken.map((event) => train.items.indexOf(event.item));
      return [p, new Set(items.filter((item) => item >= 0 && !had.has(item)))];
    }),
  );
  return { train, later };
}

const ease = new Ease({ lambda: 20 });
const CASES: readonly { estimator: RecommenderEstimator; personal: boolean }[] = [
  { estimator: new Popularity(), personal: false },
  { estimator: new ItemKnn({ neighbours: 10 }), personal: true },
  { estimator: ease, personal: true },
  { estimator: new Als({ factors: 4, lambda: 1, alpha: 3 }), personal: true },
  { estimator: new Content(text), personal: true },
  {
    estimator: new Hybrid(
      [
        { name: 'ease', estimator: ease },
        { name: 'recent', estimator: ease, recentDays: 20 },
        { name: 'popular', estimator: new Popularity() },
        { name: 'trending', estimator: new Popularity({ halfLifeDays: 10 }) },
        { name: 'content', estimator: new Content(text) },
      ],
      slice(),
    ),
    personal: true,
  },
];

it('holds every kind to the contract', () => {
  expect(CASES.map(({ estimator }) => estimator.kind).toSorted()).toEqual(
    RECOMMENDER_KINDS.toSorted(),
  );
});

describe.each(CASES)('$estimator.kind', ({ estimator, personal }) => {
  const model = estimator.fit(X);
  const history = [{ item: 'tea 0' }, { item: 'tea 1', lastMs: 80 * DAY }];

  it('names the best first, each once, nothing of the history and nothing excluded', () => {
    const given = model.recommend(history, { count: 30, exclude: ['tea 2', 'unheard of'] });
    const items = given.map(({ item }) => item);
    expect(new Set(items).size).toBe(items.length);
    expect(items.length).toBe(model.names.length - 3);
    for (const banned of ['tea 0', 'tea 1', 'tea 2']) expect(items).not.toContain(banned);
    const scores = given.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(model.recommend(history, { count: 4, exclude: ['tea 2'] })).toEqual(given.slice(0, 4));
  });

  it('repeats products of the history where asked to', () => {
    const items = model.recommend(history, { count: 30, repeats: true }).map(({ item }) => item);
    expect(items).toContain('tea 0');
  });

  it('says why: shares of the history that add up to at most 1', () => {
    for (const { why } of model.recommend(history, { count: 3 })) {
      const sum = why.because.reduce((total, { share }) => total + share, 0);
      expect(sum).toBeLessThanOrEqual(1 + 1e-9);
      for (const { item } of why.because) expect(['tea 0', 'tea 1']).toContain(item);
      if (why.because.length === 0) expect(['popular', 'trending']).toContain(why.signal);
    }
  });

  it('answers somebody who is new with what is liked', () => {
    const given = model.recommend([], { count: 3 });
    expect(given).toHaveLength(3);
    for (const { why } of given) expect(why.because).toEqual([]);
    const unheard = model.recommend([{ item: 'unheard of' }], { count: 3 });
    expect(unheard).toEqual(given);
  });

  it.runIf(personal)('finds the taste, and says which products showed it', () => {
    for (const taste of TASTES) {
      const had = [{ item: `${taste} 0` }, { item: `${taste} 1` }];
      const given = model.recommend(had, { count: 3 });
      for (const { item, why } of given) {
        expect(item.startsWith(taste)).toBe(true);
        expect(why.because.length).toBeGreaterThan(0);
      }
    }
  });

  it('goes through JSON without losing a bit', () => {
    const stored: unknown = JSON.parse(JSON.stringify(model));
    const again = recommenderFromJSON(stored);
    expect(again.recommend(history, { count: 20 })).toEqual(
      model.recommend(history, { count: 20 }),
    );
  });

  it('is the same when fitted again, and after the events are shuffled', () => {
    const shuffled = interactionsOf(all.toReversed(), { asOfMs: 90 * DAY });
    expect(JSON.stringify(estimator.fit(shuffled))).toBe(JSON.stringify(model));
  });

  it('refuses damaged JSON and a count that is none', () => {
    expect(() => recommenderFromJSON({ ...model.toJSON(), format: 99 })).toThrow(/train it again/);
    expect(() => recommenderFromJSON({ kind: model.kind, format: 1 })).toThrow(/damaged|train/);
    expect(() => recommenderFromJSON({ kind: 'oracle' })).toThrow(/no kind of recommender/);
    expect(() => model.recommend(history, { count: 0 })).toThrow(/parameter count/);
  });

  it('stops when its caller does', () => {
    if (estimator.kind === 'popularity' || estimator.kind === 'content') return;
    expect(() => estimator.fit(X, { signal: { aborted: true } })).toThrow(/stopped by its caller/);
  });
});
