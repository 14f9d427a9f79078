import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasData } from '../../bench/models-data.ts';
import { MOVIELENS, movieLens, onlineRetail, RETAIL } from '../../bench/recommend/data.ts';
import type { Split } from '../../bench/recommend/data.ts';
import { recommendationMetrics } from '../../models/evaluate/recommendation.ts';
import { Ease } from '../../models/recommend/ease.ts';
import { interactionsOf } from '../../models/recommend/interactions.ts';
import { BlockedInverse } from '../../models/recommend/inverse.ts';
import { ItemKnn } from '../../models/recommend/item-knn.ts';
import { profileAt } from '../../models/recommend/recommender.ts';
import type { RecommenderEstimator } from '../../models/recommend/recommender.ts';
import { Random } from '../../models/random.ts';

const DAY = 86_400_000;

describe('interactions', () => {
  const event = fc.record({
    person: fc.constantFrom('p1', 'p2', 'p3'),
    item: fc.constantFrom('a', 'b', 'c', 'd'),
    signal: fc.constantFrom('view', 'cart', 'order'),
    atMs: fc.integer({ min: 0, max: 100 }).map((day) => day * DAY),
  });

  it('do not depend on the order of the events', () => {
    const some = fc.array(event, { minLength: 1, maxLength: 60 });
    const shuffled = some.chain((events) =>
      fc.tuple(
        fc.constant(events),
        fc.shuffledSubarray(events, { minLength: events.length, maxLength: events.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([events, others]) => {
        const options = { halfLifeDays: 17, asOfMs: 101 * DAY };
        expect(interactionsOf(others, options)).toEqual(interactionsOf(events, options));
      }),
    );
  });

  it('count by signal and age, and a return takes the order back', () => {
    const at = (day: number) => ({ person: 'p', atMs: day * DAY });
    const X = interactionsOf(
      [
        { ...at(0), item: 'a', signal: 'order' },
        { ...at(10), item: 'a', signal: 'order' },
        { ...at(10), item: 'b', signal: 'order' },
        { ...at(10), item: 'b', signal: 'return' },
        { ...at(10), item: 'c', signal: 'other' },
      ],
      { halfLifeDays: 10 },
    );
    expect(X.items).toEqual(['a']);
    expect([...X.weight]).toEqual([1.5]);
    expect([...X.lastMs]).toEqual([10 * DAY]);
  });

  it('say what is wrong', () => {
    expect(() => interactionsOf([])).toThrow(/nothing to recommend from/);
    const event = { person: 'p', item: 'a', signal: 'order', atMs: Number.NaN };
    expect(() => interactionsOf([event])).toThrow(/Interaction 0 has a time/);
  });
});

describe('the blocked inverse', () => {
  it.each([1, 63, 64, 65, 200])('of %i rows gives the identity back', (n) => {
    const random = new Random(n);
    const inverse = new BlockedInverse(n);
    const f = Float64Array.from({ length: 3 * n }, () => random.normal());
    const A = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        const v =
          f[i]! * f[j]! * 2 + f[n + i]! * f[n + j]! + (i === j ? 3 + f[2 * n + i]! ** 2 : 0);
        A[i * n + j] = v;
        A[j * n + i] = v;
        inverse.cells[i * inverse.stride + j] = v;
      }
    }
    inverse.invert();
    let worst = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let sum = i === j ? -1 : 0;
        for (let k = 0; k < n; k++) sum += A[i * n + k]! * inverse.cells[k * inverse.stride + j]!;
        worst = Math.max(worst, Math.abs(sum));
      }
    }
    expect(worst).toBeLessThan(1e-4);
  });

  it('refuses what is not positive definite', () => {
    const inverse = new BlockedInverse(2);
    inverse.cells[0] = 1;
    inverse.cells[inverse.stride] = 2;
    inverse.cells[inverse.stride + 1] = 1;
    expect(() => inverse.invert()).toThrow(/not positive definite at item 1; raise lambda/);
  });
});

function ndcg(estimator: RecommenderEstimator, { train, test }: Split): number {
  const cases = [...test].map(([p, relevant]) => ({ profile: profileAt(train, p), relevant }));
  const model = estimator.fit(train);
  return recommendationMetrics(model, cases, { population: train.people.length }).ndcg;
}

describe.skipIf(!hasData(MOVIELENS))('on MovieLens-100K', { timeout: 60_000 }, () => {
  const split = hasData(MOVIELENS) ? movieLens() : ({} as Split);

  it('EASE and item-kNN are as good as their references', () => {
    expect(ndcg(new Ease(), split)).toBeCloseTo(0.4764, 3);
    expect(ndcg(new ItemKnn(), split)).toBeGreaterThan(0.425);
  });
});

describe.skipIf(!hasData(RETAIL))('on Online Retail', { timeout: 60_000 }, () => {
  const split = hasData(RETAIL) ? onlineRetail() : ({} as Split);

  it('has the people and items that the published figures are from', () => {
    const { train, test } = split;
    expect([train.people.length, train.items.length, train.item.length, test.size]).toEqual([
      3_611, 2_527, 184_821, 1_749,
    ]);
  });

  it('EASE and item-kNN are as good as their references', () => {
    expect(ndcg(new Ease(), split)).toBeGreaterThan(0.11);
    expect(ndcg(new ItemKnn(), split)).toBeGreaterThan(0.1);
  });
});
