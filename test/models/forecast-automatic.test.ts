import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readM3 } from '../../bench/forecast/m3.ts';
import { coverage, mase } from '../../models/forecast/accuracy.ts';
import { Automatic, membersFor } from '../../models/forecast/automatic.ts';
import type { Backtest } from '../../models/forecast/automatic.ts';
import { Conformal, measuredCoverage, summed } from '../../models/forecast/conformal.ts';
import { DynamicRegression } from '../../models/forecast/dynamic-regression.ts';
import { FittedGlobalBoosting, GlobalBoosting } from '../../models/forecast/global-boosting.ts';
import { SeasonalNaive, WindowMean } from '../../models/forecast/naive.ts';
import { readForecaster } from '../../models/forecast/read.ts';
import type { ForecastJson, Series } from '../../models/forecast/series.ts';
import { matrixOf } from '../../models/matrix.ts';
import { Random } from '../../models/random.ts';
import { expectInvalid } from './estimator-contract.ts';

const M3 = new URL('../../../shared/data/m3-monthly/m3-monthly-odd.csv.gz', import.meta.url);

function through<T extends { toJSON(): ForecastJson }>(fitted: T): ForecastJson {
  return JSON.parse(JSON.stringify(fitted.toJSON())) as ForecastJson;
}

function noisy(n: number, seed: number, f: (t: number) => number, noise = 1): Series {
  const random = new Random(seed);
  return {
    values: Float64Array.from({ length: n }, (_, t) => f(t) + noise * random.normal()),
    period: 12,
  };
}

describe('the automatic choice', () => {
  it('takes methods for rare demand where demand is rare', () => {
    const rare = {
      values: Float64Array.from({ length: 60 }, (_, t) => (t % 3 ? 0 : 4)),
      period: 52,
    };
    expect(membersFor(rare).map(({ kind }) => kind)).toContain('tsb');
    expect(membersFor(noisy(60, 1, () => 50)).map(({ kind }) => kind)).toContain('log-theta');
    expect(membersFor(noisy(60, 1, () => 0)).map(({ kind }) => kind)).toEqual(['theta', 'ets']);
  });

  it('goes through JSON with its trials, and its trials saw nothing of what they forecast', () => {
    const series = noisy(60, 2, (t) => 100 + t);
    const fitted = new Automatic({ horizon: 6, origins: 3 }).fit(series);
    expect(readForecaster(through(fitted)).predict(6)).toEqual(fitted.predict(6));
    expect(fitted.backtests.map(({ at }) => at)).toEqual([54, 51, 48]);
    const changed = { values: series.values.slice(), period: 12 };
    changed.values.fill(1e6, 54);
    const later = new Automatic({ horizon: 6, members: [new SeasonalNaive()] });
    expect(later.fit(changed).backtests[0]!.forecast).toEqual(
      later.fit(series).backtests[0]!.forecast,
    );
  });

  it('takes one method alone where it is clearly better, and equal weights where nothing can be tried', () => {
    const values = Float64Array.from({ length: 60 }, (_, t) => ((t * 7) % 12) ** 3);
    const members = [new SeasonalNaive(), new WindowMean(), new WindowMean(3)];
    const season = new Automatic({ horizon: 6, members }).fit({ values, period: 12 });
    expect(season.chosen).toBe('seasonal-naive');
    expect(season.predict(12)).toEqual(values.slice(48));
    expect(new Automatic({ horizon: 6 }).fit(noisy(60, 4, () => 50)).chosen).toBe('combination');
    const short = new Automatic({ horizon: 12 }).fit(noisy(9, 3, () => 10));
    expect(short.backtests).toEqual([]);
    expect(short.predict(12).every(Number.isFinite)).toBe(true);
    expectInvalid(() => Conformal.from(short.backtests));
  });
});

describe('conformal intervals', () => {
  const trials = (count: number, seed: number): Backtest[] => {
    const random = new Random(seed);
    return Array.from({ length: count }, () => ({
      at: 20,
      forecast: new Float64Array(4).fill(10),
      // Skewed and growing with the steps ahead: no normal distribution would do.
      actual: Float64Array.from(
        { length: 4 },
        (_, k) => 10 + (k + 1) * (random.normal() ** 2 - 0.5),
      ),
      scale: 1,
    }));
  };

  it('cover as promised whatever the errors look like, at every step', () => {
    const conformal = Conformal.from(trials(600, 1));
    const fresh = trials(4000, 2);
    for (let k = 0; k < 4; k++) {
      const { low, high } = conformal.interval(0.9, new Float64Array(4).fill(10), 1);
      const within = fresh.filter(({ actual }) => actual[k]! >= low[k]! && actual[k]! <= high[k]!);
      expect(within.length / fresh.length).toBeGreaterThan(0.87);
      expect(within.length / fresh.length).toBeLessThan(0.93);
    }
    expect(measuredCoverage(trials(600, 3), 0.9)).toBeCloseTo(0.9, 1);
  });

  it('of the demand until a delivery know how errors go together', () => {
    const random = new Random(6);
    // The same error at each step: the sum errs four times as much, not twice as independent steps would say.
    const together = Array.from({ length: 500 }, () => {
      const error = random.normal();
      const actual = new Float64Array(4).fill(10 + error);
      return { at: 20, forecast: new Float64Array(4).fill(10), actual, scale: 1 };
    });
    const spread = (trials_: Backtest[]): number => {
      const { low, high } = Conformal.from(trials_).interval(0.9, Float64Array.of(0), 1);
      return high[0]! - low[0]!;
    };
    expect(spread(summed(together, 4)) / spread(summed(together, 1))).toBeCloseTo(4, 8);
    expect(summed(together, 5)).toEqual([]);
  });

  it('widen with the level, and JSON keeps them', () => {
    const conformal = Conformal.from(trials(100, 4));
    const read = Conformal.fromJSON(
      JSON.parse(JSON.stringify(conformal)) as { scores: number[][] },
    );
    const forecast = new Float64Array(4).fill(10);
    const [wide, narrow] = [read.interval(0.95, forecast, 2), conformal.interval(0.5, forecast, 2)];
    wide.low.forEach((low, k) => expect(low).toBeLessThan(narrow.low[k]!));
    wide.high.forEach((high, k) => expect(high).toBeGreaterThan(narrow.high[k]!));
    expectInvalid(() => conformal.quantile(1, 0, 10, 1));
  });
});

describe('dynamic regression', () => {
  const random = new Random(5);
  const n = 120;
  const known = (rows: number, promotion: (t: number) => number) =>
    matrixOf(
      Array.from({ length: rows }, (_, t) => [promotion(t), 10 + (t % 5)]),
      ['promotion', 'price'],
    );
  let error = 0;
  const X = known(n, (t) => (t % 9 === 0 ? 1 : 0));
  const values = Float64Array.from({ length: n }, (_, t) => {
    error = 0.6 * error + random.normal();
    return (
      100 +
      0.5 * t +
      10 * Math.sin((2 * Math.PI * t) / 12) +
      40 * X.data[2 * t]! -
      3 * X.data[2 * t + 1]! +
      error
    );
  });

  it('finds what made the data, and says it by name', () => {
    const fitted = new DynamicRegression().fit({ values, period: 12 }, X);
    expect(fitted.effects['promotion']).toBeCloseTo(40, -0.5);
    expect(Math.abs(fitted.effects['price']! + 3)).toBeLessThan(0.3);
    expect(fitted.effects['trend']).toBeCloseTo(0.5, 1);
    expect(Math.abs(fitted.rho - 0.6)).toBeLessThan(0.25);
    const [without, with_] = [0, 1].map((on) =>
      fitted.predict(
        6,
        known(6, () => on),
      ),
    );
    with_!.forEach((value, k) =>
      expect(value - without![k]!).toBeCloseTo(fitted.effects['promotion']!, 8),
    );
    expect(readForecaster(through(fitted)).toJSON()).toEqual(through(fitted));
  });

  it('on logarithms multiplies, and refuses what it cannot read', () => {
    const logs = new DynamicRegression({ logarithms: true }).fit({ values, period: 12 }, X);
    expect(
      logs
        .predict(
          6,
          known(6, () => 1),
        )
        .every((value) => value > 0),
    ).toBe(true);
    expectInvalid(() => logs.predict(6));
    expectInvalid(() =>
      logs.predict(
        6,
        known(5, () => 1),
      ),
    );
    expectInvalid(() =>
      new DynamicRegression().fit(
        { values, period: 12 },
        known(9, () => 0),
      ),
    );
    const wrong = Float64Array.of(1, -2, 3);
    expectInvalid(() =>
      new DynamicRegression({ logarithms: true }).fit({ values: wrong, period: 1 }),
    );
  });
});

describe('one model for all series', () => {
  it('learns the season that all share, also for a series it has not seen', () => {
    const shape = (level: number) => (t: number) =>
      level * (1 + 0.5 * Math.sin((2 * Math.PI * t) / 12));
    const all = Array.from({ length: 40 }, (_, i) => noisy(60, 10 + i, shape(20 + 5 * i), 1));
    const fitted = new GlobalBoosting({ horizon: 6, boosting: { trees: 60 } }).fit(all);
    const fresh = noisy(54, 99, shape(75), 1);
    const past = { values: fresh.values.slice(0, 48), period: 12 };
    const forecast = fitted.predict(past);
    expect(mase(fresh.values.slice(48), forecast, past.values, 1)).toBeLessThan(0.6);
    expect(FittedGlobalBoosting.fromJSON(through(fitted)).predict(past)).toEqual(forecast);
    expectInvalid(() => fitted.predict(past, 7));
    expectInvalid(() =>
      new GlobalBoosting({ horizon: 6 }).fit([{ values: Float64Array.of(1), period: 1 }]),
    );
  });
});

describe.skipIf(!existsSync(M3))('M3 monthly, every seventh of the odd series', () => {
  it('the automatic choice beats seasonal naive, and its intervals cover', () => {
    const all = readM3(M3).filter((_, i) => i % 7 === 0);
    const fitted = all.map(({ history }) =>
      new Automatic({ horizon: 18 }).fit({ values: history, period: 12 }),
    );
    const conformal = Conformal.from(fitted.flatMap(({ backtests }) => backtests));
    let [ours, naive, covered] = [0, 0, 0];
    all.forEach(({ history, future }, i) => {
      const forecast = fitted[i]!.predict(18);
      const { low, high } = conformal.interval(0.95, forecast, fitted[i]!.scale);
      ours += mase(future, forecast, history, 12) / all.length;
      naive +=
        mase(
          future,
          new SeasonalNaive().fit({ values: history, period: 12 }).predict(18),
          history,
          12,
        ) / all.length;
      covered += coverage(future, low, high) / all.length;
    });
    expect(ours).toBeLessThan(0.85 * naive);
    expect(covered).toBeGreaterThan(0.9);
    expect(covered).toBeLessThan(0.99);
  });
});
