import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CDNOW, cdnow, hasData } from '../../bench/models-data.ts';
import { BgNbd, expectedPurchases } from '../../models/lifetime/bg-nbd.ts';
import { Churn } from '../../models/lifetime/churn.ts';
import { GammaGamma } from '../../models/lifetime/gamma-gamma.ts';
import { histories } from '../../models/lifetime/histories.ts';
import { lifetimeValue } from '../../models/lifetime/lifetime-value.ts';
import { personPeriods } from '../../models/lifetime/person-periods.ts';
import { digamma, hypergeometric, logGamma } from '../../models/lifetime/special.ts';
import { matrixOf, takeRows, takeTarget } from '../../models/matrix.ts';
import { binaryMetrics } from '../../models/metrics.ts';
import { expectInvalid } from './estimator-contract.ts';
import { shoppers } from './lifetime-cases.ts';

const DAY = 86_400_000;

describe('special functions', () => {
  it('know values from tables', () => {
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 13);
    expect(logGamma(1)).toBeCloseTo(0, 13);
    expect(logGamma(11)).toBeCloseTo(Math.log(3_628_800), 12);
    expect(logGamma(1e-5)).toBeCloseTo(11.512_919_692_895_826, 12);
    expect(digamma(1)).toBeCloseTo(-0.577_215_664_901_532_9, 13);
    expect(digamma(0.25)).toBeCloseTo(-4.227_453_533_376_265, 12);
    // ₂F₁(1, 1; 2; z) = −ln(1 − z) / z, and ₂F₁(a, b; b; z) = (1 − z)⁻ᵃ.
    expect(hypergeometric(1, 1, 2, 0.9)).toBeCloseTo(-Math.log(0.1) / 0.9, 12);
    expect(hypergeometric(0.3, 1.7, 1.7, 0.99)).toBeCloseTo(0.01 ** -0.3, 10);
  });

  it('keep their recurrences', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1e4, noNaN: true }), (x) => {
        expect(logGamma(x + 1) - logGamma(x) - Math.log(x)).toBeCloseTo(0, 9);
        expect(digamma(x + 1) - digamma(x) - 1 / x).toBeCloseTo(0, 9);
      }),
    );
  });
});

describe('BG/NBD', () => {
  const people = shoppers(1, 20_000);
  const model = new BgNbd().fit(people.X);

  it('finds the parameters that people were made with', () => {
    const { r, alpha, a, b } = model.parameters;
    expect(model.converged).toBe(true);
    expect(r).toBeCloseTo(0.8, 1);
    expect(alpha).toBeCloseTo(0.6, 1);
    expect(Math.abs(a - 0.8)).toBeLessThan(0.15);
    expect(Math.abs(b - 2.4)).toBeLessThan(0.6);
  });

  it('P(alive) is calibrated: of those at about p, a share p is alive', () => {
    const fresh = shoppers(2, 20_000);
    expect(binaryMetrics(fresh.y, model.predictProba(fresh.X)).ece).toBeLessThan(0.01);
  });

  it('expects as many purchases as there will be', () => {
    const expected = model.expectedPurchases(people.X, 5).reduce((sum, value) => sum + value, 0);
    const actual = people.later.reduce((sum, value) => sum + value, 0);
    expect(Math.abs(expected / actual - 1)).toBeLessThan(0.05);
  });

  it('expects more over longer horizons, never less than 0, smooth at a = 1 and far out', () => {
    const some = fc.double({ min: 0.05, max: 5, noNaN: true });
    fc.assert(
      fc.property(
        some,
        some,
        some,
        some,
        fc.integer({ min: 0, max: 300 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (r, alpha, a, b, x, share) => {
          const recency = x === 0 ? 0 : share * 50;
          const near = expectedPurchases({ r, alpha, a, b }, x, recency, 50, 1);
          const far = expectedPurchases({ r, alpha, a, b }, x, recency, 50, 500);
          expect(near).toBeGreaterThanOrEqual(-1e-9);
          expect(far).toBeGreaterThanOrEqual(near - 1e-9);
        },
      ),
    );
    const at = (a: number) => expectedPurchases({ r: 0.5, alpha: 4, a, b: 2 }, 3, 20, 30, 40);
    expect(at(1)).toBeCloseTo((at(0.999) + at(1.001)) / 2, 5);
  });

  it('refuses histories that cannot be, and a shop without repeats', () => {
    const of = (...row: number[]) => matrixOf([[1, 2, 3], row], ['frequency', 'recency', 'T']);
    expectInvalid(() => new BgNbd().fit(of(1, 4, 3)), { row: 1, column: 'recency' });
    expectInvalid(() => new BgNbd().fit(of(-1, 0, 3)), { row: 1, column: 'frequency' });
    expectInvalid(() => new BgNbd().fit(of(0.5, 0, 3)), { row: 1, column: 'frequency' });
    expectInvalid(() => new BgNbd().fit(matrixOf([[0, 0, 3]], ['frequency', 'recency', 'T'])));
    expectInvalid(() => new BgNbd().fit(matrixOf([[0, 0]], ['frequency', 'recency'])));
  });
});

describe('lifetime value', () => {
  it('has intervals that hold as many futures as they say', () => {
    const people = shoppers(5, 4000);
    const bgNbd = new BgNbd().fit(people.X);
    const gammaGamma = new GammaGamma().fit(people.X);
    const value = lifetimeValue(bgNbd, gammaGamma, people.X, { horizon: 5, draws: 200 });
    const inside = people.later.filter(
      (count, i) => count >= value.purchases.low[i]! && count <= value.purchases.high[i]!,
    ).length;
    expect(inside / 4000).toBeGreaterThan(0.78);
    const actual = people.later.reduce((sum, count, i) => sum + count * people.ownMean[i]!, 0);
    expect(actual).toBeGreaterThan(0.85 * value.total.low);
    expect(actual).toBeLessThan(1.15 * value.total.high);
    expect(value.total.low).toBeLessThan(value.total.mean);
    expect(value.total.high).toBeGreaterThan(value.total.mean);
    const again = lifetimeValue(bgNbd, gammaGamma, people.X, { horizon: 5, draws: 200 });
    expect(again).toEqual(value);
    const less = lifetimeValue(bgNbd, gammaGamma, takeRows(people.X, [0, 1, 2]), {
      horizon: 5,
      draws: 50,
      discount: 0.1,
      margin: 0.5,
    });
    for (let i = 0; i < 3; i++) {
      expect(less.value.mean[i]).toBeLessThan(value.value.mean[i]! / 2 + 1e-12);
    }
  });
});

describe('histories and periods', () => {
  const buy = (customer: string, day: number, value: number) => ({
    customer,
    atMs: day * DAY,
    value,
  });

  it('count days with a purchase, and nothing from the future', () => {
    const { customers, X } = histories(
      [buy('a', 14, 20), buy('a', 0, 5), buy('a', 14.5, 10), buy('b', 7, 9), buy('a', 70, 99)],
      { asOfMs: 70 * DAY },
    );
    expect(customers).toEqual(['a', 'b']);
    expect([...X.data]).toEqual([1, 2, 10, 30, 0, 0, 9, 0]);
  });

  it('one row for each period at risk, until silence, and again after a return', () => {
    const { X, y } = personPeriods([buy('a', 0, 10), buy('a', 15, 30), buy('a', 95, 20)], {
      asOfMs: 140 * DAY,
      periodDays: 10,
      silence: 3,
    });
    const rows = Array.from(y, (gone, i) => [X.data[i * 5]!, X.data[i * 5 + 2]!, gone]);
    expect(rows).toEqual([
      [1, 1, 0],
      [2, 2, 1],
      [10, 3, 1],
    ]);
    expectInvalid(() => personPeriods([buy('a', 0, 1)], { asOfMs: 50 * DAY }));
  });

  it('survival falls, and stays between 0 and 1', () => {
    const X = matrixOf(
      Array.from({ length: 60 }, (_, i) => [i % 6, 1 + (i % 10)]),
      ['recency', 'period'],
    );
    const model = new Churn({ ageing: ['recency'] }).fit(
      X,
      Uint8Array.from({ length: 60 }, (_, i) => (i % 6 > 3 ? 1 : 0)),
    );
    const { data, columns } = model.survival(X, 4);
    for (let i = 0; i < 60; i++) {
      const row = [1, ...data.subarray(i * columns, (i + 1) * columns)];
      for (let t = 1; t < row.length; t++) {
        expect(row[t]).toBeLessThan(row[t - 1]!);
        expect(row[t]).toBeGreaterThanOrEqual(0);
      }
    }
  });
});

describe.skipIf(!hasData(CDNOW))('on CDNOW', { timeout: 60_000 }, () => {
  const purchases = hasData(CDNOW)
    ? cdnow().map(({ customer, atMs, total }) => ({ customer, atMs, value: total }))
    : [];
  const end = Date.parse('1998-07-01T00:00:00Z');
  const cut = Date.parse('1997-10-01T00:00:00Z');

  it('BG/NBD has the parameters of the paper', () => {
    const file = new URL('../../../shared/data/cdnow/sample-summary.csv', import.meta.url);
    const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1);
    const rows = lines.map((line) => line.split(',').slice(1).map(Number));
    const model = new BgNbd().fit(matrixOf(rows, ['frequency', 'recency', 'T']));
    const { r, alpha, a, b } = model.parameters;
    for (const [ours, paper] of [
      [r, 0.243],
      [alpha, 4.414],
      [a, 0.793],
      [b, 2.426],
    ] as const) {
      expect(Math.abs(ours - paper)).toBeLessThan(1e-3);
    }
    expect(model.logLikelihood).toBeCloseTo(-9582.4, 1);
  });

  it('foretells the purchases of nine months, and Gamma-Gamma is that of `lifetimes`', () => {
    const { X, customers } = histories(purchases, { asOfMs: cut });
    const expected = new BgNbd().fit(X).expectedPurchases(X, (end - cut) / DAY / 7);
    const days = new Map<string, Set<number>>();
    for (const { customer, atMs } of purchases) {
      if (atMs < cut) continue;
      days.set(customer, (days.get(customer) ?? new Set()).add(atMs));
    }
    const missed = customers.map((customer, i) =>
      Math.abs((days.get(customer)?.size ?? 0) - expected[i]!),
    );
    expect(missed.reduce((sum, value) => sum + value, 0) / X.rows).toBeLessThan(0.82);
    const { p, q, v } = new GammaGamma().fit(X).parameters;
    expect([p, q, v].map((value) => value.toFixed(2))).toEqual(['6.28', '3.62', '14.98']);
  });

  it('churn is told apart later', () => {
    const { X, y, startMs } = personPeriods(purchases, { asOfMs: end });
    const from = Date.parse('1997-11-01T00:00:00Z');
    const early = [...startMs.keys()].filter((i) => startMs[i]! + 90 * DAY < from);
    const late = [...startMs.keys()].filter((i) => startMs[i]! >= from);
    const model = new Churn({ ageing: ['recency'] }).fit(takeRows(X, early), takeTarget(y, early));
    const p = model.predictProba(takeRows(X, late));
    expect(binaryMetrics(takeTarget(y, late), p).rocAuc).toBeGreaterThan(0.76);
  });
});
