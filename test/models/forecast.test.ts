import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mase, naiveError, smape, wape } from '../../models/forecast/accuracy.ts';
import { FittedCombination, weightedMedian } from '../../models/forecast/combine.ts';
import { Ets } from '../../models/forecast/ets.ts';
import { Croston, Tsb } from '../../models/forecast/intermittent.ts';
import { Logged } from '../../models/forecast/logged.ts';
import { SeasonalNaive, WindowMean } from '../../models/forecast/naive.ts';
import { nelderMead } from '../../models/forecast/nelder-mead.ts';
import { readForecaster } from '../../models/forecast/read.ts';
import { decompose, isSeasonal, reseason } from '../../models/forecast/season.ts';
import type { ForecastJson, Forecaster, Series } from '../../models/forecast/series.ts';
import { Theta } from '../../models/forecast/theta.ts';
import { Random } from '../../models/random.ts';
import { expectInvalid } from './estimator-contract.ts';

const METHODS: readonly Forecaster[] = [
  new SeasonalNaive(),
  new WindowMean(),
  new Theta(),
  new Ets(),
  new Logged(new Theta()),
  new Croston('croston'),
  new Croston('sba'),
  new Tsb(),
];

/** Months with growth, a season and noise. */
function months(n: number, seed: number, noise = 3): Series {
  const random = new Random(seed);
  const values = Float64Array.from(
    { length: n },
    (_, t) => (200 + t) * (1 + 0.3 * Math.sin((2 * Math.PI * t) / 12)) + noise * random.normal(),
  );
  return { values, period: 12 };
}

describe.each(METHODS.map((method) => [method.kind, method] as const))('%s', (_, method) => {
  it('goes through JSON without losing a bit, and leaves its series as it was', () => {
    const series = months(60, 1);
    const before = series.values.slice();
    const fitted = method.fit(series);
    const read = readForecaster(JSON.parse(JSON.stringify(fitted.toJSON())) as ForecastJson);
    expect(read.predict(30)).toEqual(fitted.predict(30));
    expect(fitted.predict(5)).toEqual(fitted.predict(30).slice(0, 5));
    expect(series.values).toEqual(before);
  });

  it('forecasts finite numbers for any history that is 0 or more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 40 }),
        fc.constantFrom(1, 4, 12, 52),
        (values, period) => {
          const forecast = method.fit({ values: Float64Array.from(values), period }).predict(8);
          expect(forecast.every(Number.isFinite)).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('refuses what is no series', () => {
    expectInvalid(() => method.fit({ values: new Float64Array(0), period: 12 }));
    expectInvalid(() => method.fit({ values: Float64Array.of(1, Number.NaN), period: 12 }));
    expectInvalid(() => method.fit({ values: Float64Array.of(1, 2), period: 0 }));
    expectInvalid(() => method.fit(months(30, 1)).predict(0));
  });
});

describe('methods that know trend and season', () => {
  it.each([new Theta(), new Ets(), new Logged(new Ets())])('$kind follow both', (method) => {
    const all = months(96, 2);
    const history = { values: all.values.slice(0, 72), period: 12 };
    const actual = all.values.slice(72, 84);
    const error = smape(actual, method.fit(history).predict(12));
    expect(error).toBeLessThan(3);
    expect(error).toBeLessThan(smape(actual, new SeasonalNaive().fit(history).predict(12)));
  });

  it('ETS finds the form that made the data', () => {
    expect(new Ets().fit(months(96, 3)).form).toMatchObject({ trend: 'A', season: 'M' });
    const random = new Random(4);
    const noise = Float64Array.from({ length: 80 }, () => 100 + random.normal());
    expect(new Ets().fit({ values: noise, period: 12 }).form).toMatchObject({
      trend: 'N',
      season: 'N',
    });
  });
});

describe('season', () => {
  it('is seen where it is, and taken off and put back exactly', () => {
    const series = months(60, 5);
    expect(isSeasonal(series)).toBe(true);
    const random = new Random(6);
    const noise = Float64Array.from({ length: 60 }, () => random.normal());
    expect(isSeasonal({ values: noise, period: 12 })).toBe(false);
    for (const multiplicative of [true, false]) {
      const parts = decompose(series, multiplicative);
      expect(parts.multiplicative).toBe(multiplicative);
      reseason(parts.adjusted, parts, 0).forEach((value, t) =>
        expect(value).toBeCloseTo(series.values[t]!, 8),
      );
    }
  });
});

describe('intermittent demand', () => {
  it('all methods find the mean demand; TSB alone fades with an obsolete product', () => {
    const random = new Random(7);
    const demand = Float64Array.from({ length: 400 }, () => (random.next() < 0.2 ? 5 : 0));
    const series = { values: demand, period: 1 };
    for (const method of [new Croston('sba'), new Tsb()]) {
      const [level] = method.fit(series).predict(1);
      expect(level).toBeGreaterThan(0.5);
      expect(level).toBeLessThan(1.6);
    }
    const dead = demand.slice();
    dead.fill(0, 300);
    const [fading] = new Tsb().fit({ values: dead, period: 1 }).predict(1);
    expect(fading).toBeLessThan(0.2);
    expectInvalid(() => new Tsb().fit({ values: Float64Array.of(1, -1), period: 1 }));
  });
});

describe('combination', () => {
  it('is the median with equal weights, and one member where it has all', () => {
    expect(weightedMedian(Float64Array.of(9, 1, 3), [1, 1, 1])).toBe(3);
    expect(weightedMedian(Float64Array.of(9, 1, 3, 5), [1, 1, 1, 1])).toBe(4);
    expect(weightedMedian(Float64Array.of(9, 1, 3), [1, 0, 0])).toBe(9);
    const members = [new Theta(), new Ets()].map((method) => method.fit(months(60, 8)));
    const both = new FittedCombination(members, [1, 3]);
    const read = readForecaster(JSON.parse(JSON.stringify(both.toJSON())) as ForecastJson);
    expect(read.predict(12)).toEqual(both.predict(12));
    expectInvalid(() => readForecaster({ kind: 'tarot', format: 1 }));
  });

  it('never leaves the range of its members', () => {
    const pair = fc.tuple(
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.double({ min: 0.01, max: 10, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 8 }), (pairs) => {
        const values = Float64Array.from(pairs, ([value]) => value);
        const median = weightedMedian(
          values,
          pairs.map(([, weight]) => weight),
        );
        expect(median).toBeGreaterThanOrEqual(Math.min(...values));
        expect(median).toBeLessThanOrEqual(Math.max(...values));
      }),
    );
  });
});

describe('measures and search', () => {
  it('are what their definitions say', () => {
    expect(smape([100, 0], [50, 0])).toBeCloseTo(100 / 3, 10);
    expect(wape([10, 30], [12, 26])).toBeCloseTo(0.15, 10);
    expect(naiveError([1, 2, 4, 8], 2)).toBeCloseTo(4.5, 10);
    expect(mase([10], [19], [1, 2, 4, 8], 2)).toBeCloseTo(2, 10);
    const banana = (x: Float64Array): number => (1 - x[0]!) ** 2 + 100 * (x[1]! - x[0]! ** 2) ** 2;
    const { at } = nelderMead(banana, [-1.2, 1], [0.5, 0.5], { tolerance: 1e-12 });
    expect(at[0]).toBeCloseTo(1, 3);
    expect(at[1]).toBeCloseTo(1, 3);
  });
});
