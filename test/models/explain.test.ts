import { describe, expect, it } from 'vitest';
import { RecencyRule } from '../../models/baseline.ts';
import { explain, explainScore } from '../../models/explain/explain.ts';
import { phrase } from '../../models/explain/phrases.ts';
import { sentence } from '../../models/explain/sentence.ts';
import { Forest } from '../../models/forest/forest.ts';
import { MlForest } from '../../models/forest/ml-forest.ts';
import { Logistic } from '../../models/logistic/logistic.ts';
import { matrixOf, rowOf } from '../../models/matrix.ts';
import { ORDER_FEATURES } from '../../domain/features.ts';
import { Random } from '../../models/random.ts';
import { expectInvalid } from './estimator-contract.ts';

const random = new Random(4);
const names = ['recencyDays', 'orders365d', 'noise'];
const values = Array.from({ length: 400 }, () => [
  random.int(300),
  random.int(10),
  random.normal(),
]);
const y = Float64Array.from(values, ([days, count]) =>
  random.next() < 1 / (1 + Math.exp(days! / 60 - count! / 2)) ? 1 : 0,
);
const X = matrixOf(values, names);

describe('an explanation', () => {
  it('adds up to the score, the largest effect first, for every model that explains itself', () => {
    for (const estimator of [new Forest({ trees: 30 }), new Logistic(), new RecencyRule()]) {
      const model = estimator.fit(X, y);
      const { score, base, scale, contributions } = explain(model, rowOf(X, 3));
      const sum = contributions.reduce((total, { contribution }) => total + contribution, base);
      expect(scale === 'logit' ? 1 / (1 + Math.exp(-sum)) : sum).toBeCloseTo(score, 10);
      expect(score).toBe(model.predictProba(X)[3]);
      const sizes = contributions.map(({ contribution }) => Math.abs(contribution));
      expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
      expect(contributions.map(({ feature }) => feature).toSorted()).toEqual(names.toSorted());
    }
  });

  it('reads a row in another order by its names', () => {
    const model = new Forest({ trees: 10 }).fit(X, y);
    const row = [...rowOf(X, 5)];
    expect(explainScore(model, row.toReversed(), names.toReversed())).toEqual(
      explainScore(model, row),
    );
    expectInvalid(() => explainScore(model, [1, 2]));
    expectInvalid(() => explainScore(model, [1, 2, 3], ['a', 'b', 'c']), { column: 'recencyDays' });
  });

  it('samples for models that cannot, against a background', () => {
    const model = new MlForest({ trees: 8 }).fit(X, y);
    expectInvalid(() => explain(model, rowOf(X, 0)));
    const { score, base, contributions } = explain(model, rowOf(X, 0), {
      background: X,
      samples: 40,
    });
    const sum = contributions.reduce((total, { contribution }) => total + contribution, base);
    expect(sum).toBeCloseTo(score, 10);
  });

  it('comes near the exact values by sampling', () => {
    const model = new Logistic().fit(X, y);
    const { values: exact } = model.contributions(rowOf(X, 1));
    const plain = {
      task: 'binary',
      kind: 'plain',
      names,
      predictProba: (data: typeof X) => model.predictProba(data).map((p) => Math.log(p / (1 - p))),
      predict: () => new Uint8Array(0),
      toJSON: () => ({ kind: 'plain', format: 1 }),
    } as const;
    const sampled = explain(plain, rowOf(X, 1), { background: X, samples: 4000 });
    for (const { feature, contribution } of sampled.contributions) {
      // Log-odds add up, so Shapley values against the whole background are the linear contributions.
      expect(contribution).toBeCloseTo(exact[names.indexOf(feature)]!, 1);
    }
  });
});

describe('a sentence', () => {
  const say = (...parts: [string, number, number][]) =>
    sentence(parts.map(([feature, value, contribution]) => ({ feature, value, contribution })));

  it('gives the strongest reasons of both directions, the stronger direction first', () => {
    expect(say(['orders365d', 3, 0.2], ['recencyDays', 120.7, -0.1])).toBe(
      'Higher because they ordered 3 times in the last year; lower because the last order was 120 days ago.',
    );
    expect(say(['orders365d', 1, 0.1], ['recencyDays', Number.NaN, -0.2])).toBe(
      'Lower because they never ordered; higher because they ordered once in the last year.',
    );
  });

  it('names each topic once, and leaves out what hardly matters', () => {
    expect(
      say(
        ['ordersAll', 9, 0.2],
        ['orders365d', 3, 0.15],
        ['revenue90d', 0, 0.1],
        ['views30d', 2, 0.05],
        ['recencyDays', 4, -0.001],
      ),
    ).toBe(
      'Higher because they ordered 9 times so far and they spent nothing in the last 90 days.',
    );
  });

  it('says so where there is nothing to say', () => {
    expect(say(['noise', 1, 0])).toBe('As for anyone: nothing sets this person apart.');
    expect(say()).toBe('As for anyone: nothing sets this person apart.');
  });

  it('has words for every feature of the domain', () => {
    const said = ORDER_FEATURES.flatMap(({ name, missing }) =>
      [0, 1, 2.5, 1234.5, ...(missing ? [Number.NaN] : [])].map(
        (value) => `${name} ${value}: ${phrase(name, value).text}`,
      ),
    );
    expect(said.join('\n')).toMatchInlineSnapshot(`
      "recencyDays 0: the last order was today
      recencyDays 1: the last order was yesterday
      recencyDays 2.5: the last order was 2 days ago
      recencyDays 1234.5: the last order was 1234 days ago
      recencyDays NaN: they never ordered
      tenureDays 0: they have been known for 1 day
      tenureDays 1: they have been known for 1 day
      tenureDays 2.5: they have been known for 3 days
      tenureDays 1234.5: they have been known for 3.4 years
      tenureDays NaN: nothing is known of them yet
      gapDays 0: they order every day
      gapDays 1: they order every day
      gapDays 2.5: they order every 3 days
      gapDays 1234.5: they order every 3.4 years
      gapDays NaN: they have no rhythm of orders yet
      orders30d 0: they did not order in the last 30 days
      orders30d 1: they ordered once in the last 30 days
      orders30d 2.5: they ordered 2.5 times in the last 30 days
      orders30d 1234.5: they ordered 1,235 times in the last 30 days
      orders90d 0: they did not order in the last 90 days
      orders90d 1: they ordered once in the last 90 days
      orders90d 2.5: they ordered 2.5 times in the last 90 days
      orders90d 1234.5: they ordered 1,235 times in the last 90 days
      orders365d 0: they did not order in the last year
      orders365d 1: they ordered once in the last year
      orders365d 2.5: they ordered 2.5 times in the last year
      orders365d 1234.5: they ordered 1,235 times in the last year
      ordersAll 0: they did not order so far
      ordersAll 1: they ordered once so far
      ordersAll 2.5: they ordered 2.5 times so far
      ordersAll 1234.5: they ordered 1,235 times so far
      revenue30d 0: they spent nothing in the last 30 days
      revenue30d 1: they spent 1.00 in the last 30 days
      revenue30d 2.5: they spent 2.50 in the last 30 days
      revenue30d 1234.5: they spent 1,235 in the last 30 days
      revenue90d 0: they spent nothing in the last 90 days
      revenue90d 1: they spent 1.00 in the last 90 days
      revenue90d 2.5: they spent 2.50 in the last 90 days
      revenue90d 1234.5: they spent 1,235 in the last 90 days
      revenue365d 0: they spent nothing in the last year
      revenue365d 1: they spent 1.00 in the last year
      revenue365d 2.5: they spent 2.50 in the last year
      revenue365d 1234.5: they spent 1,235 in the last year
      revenueAll 0: they spent nothing so far
      revenueAll 1: they spent 1.00 so far
      revenueAll 2.5: they spent 2.50 so far
      revenueAll 1234.5: they spent 1,235 so far
      basketAll 0: their usual order is 0.00
      basketAll 1: their usual order is 1.00
      basketAll 2.5: their usual order is 2.50
      basketAll 1234.5: their usual order is 1,235
      basketAll NaN: they never ordered
      views30d 0: they did not look at a product in the last 30 days
      views30d 1: they looked at products once in the last 30 days
      views30d 2.5: they looked at products 2.5 times in the last 30 days
      views30d 1234.5: they looked at products 1,235 times in the last 30 days
      views90d 0: they did not look at a product in the last 90 days
      views90d 1: they looked at products once in the last 90 days
      views90d 2.5: they looked at products 2.5 times in the last 90 days
      views90d 1234.5: they looked at products 1,235 times in the last 90 days
      carts30d 0: they put nothing into a cart in the last 30 days
      carts30d 1: they filled a cart once in the last 30 days
      carts30d 2.5: they filled a cart 2.5 times in the last 30 days
      carts30d 1234.5: they filled a cart 1,235 times in the last 30 days
      carts90d 0: they put nothing into a cart in the last 90 days
      carts90d 1: they filled a cart once in the last 90 days
      carts90d 2.5: they filled a cart 2.5 times in the last 90 days
      carts90d 1234.5: they filled a cart 1,235 times in the last 90 days
      refunds365d 0: they sent nothing back in the last year
      refunds365d 1: they sent an order back once in the last year
      refunds365d 2.5: they sent an order back 2.5 times in the last year
      refunds365d 1234.5: they sent an order back 1,235 times in the last year
      opens90d 0: they opened no mail in the last 90 days
      opens90d 1: they opened a mail once in the last 90 days
      opens90d 2.5: they opened a mail 2.5 times in the last 90 days
      opens90d 1234.5: they opened a mail 1,235 times in the last 90 days
      clicks90d 0: they did not click in a mail in the last 90 days
      clicks90d 1: they clicked in a mail once in the last 90 days
      clicks90d 2.5: they clicked in a mail 2.5 times in the last 90 days
      clicks90d 1234.5: they clicked in a mail 1,235 times in the last 90 days"
    `);
  });

  it('says an unknown feature as it is', () => {
    expect(phrase('loyaltyPoints', 250.4).text).toBe('loyalty points is 250');
    expect(phrase('emp.var_rate', Number.NaN).text).toBe('emp var rate is not known');
  });
});
