import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { delong } from '../../models/evaluate/delong.ts';
import { liftTable, prAuc } from '../../models/evaluate/ranking.ts';
import { regressionMetrics } from '../../models/evaluate/regression.ts';
import { upliftIntervals, upliftMetrics } from '../../models/evaluate/uplift.ts';
import { aucDifference } from '../../models/compare.ts';
import { binaryMetrics, calibrationTable, confusionMatrix } from '../../models/metrics.ts';
import { Random } from '../../models/random.ts';

interface Case {
  y: number[];
  p: number[];
  threshold: number;
  treated: number[];
  uplift: number[];
  truth: number[];
  said: number[];
  expected: Record<string, number> & Record<'confusion' | 'observed' | 'predicted', number[]>;
}

const cases = JSON.parse(
  readFileSync(new URL('./fixtures/metrics.json', import.meta.url), 'utf8'),
) as Case[];

function near(ours: number, theirs: number): void {
  expect(Math.abs(ours - theirs)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(theirs)));
}

describe('metrics are those of scikit-learn and scikit-uplift, to 1e-9', () => {
  it('has 200 cases', () => expect(cases).toHaveLength(200));

  it('of a binary model', () => {
    for (const { y, p, threshold, expected } of cases) {
      const said = Float64Array.from(p);
      const truth = Float64Array.from(y);
      const c = confusionMatrix(truth, said, threshold);
      expect([c.truePositive, c.falsePositive, c.trueNegative, c.falseNegative]).toEqual(
        expected.confusion,
      );
      const ours = binaryMetrics(truth, said, threshold);
      for (const key of [
        'accuracy',
        'precision',
        'recall',
        'f1',
        'rocAuc',
        'logLoss',
        'brier',
      ] as const) {
        near(ours[key], expected[key]!);
      }
      near(prAuc(truth, said), expected['prAuc']!);
    }
  });

  it('of calibration, where no prediction lies on the edge of a bin', () => {
    const inside = cases.filter(({ p }) =>
      p.every((value) => !Number.isInteger(Math.round(value * 1e6) / 1e5)),
    );
    expect(inside.length).toBeGreaterThan(30);
    for (const { y, p, expected } of inside) {
      const bins = calibrationTable(Float64Array.from(y), Float64Array.from(p));
      bins.forEach((bin, b) => {
        near(bin.observed, expected.observed[b]!);
        near(bin.predicted, expected.predicted[b]!);
      });
      expect(bins).toHaveLength(expected.observed.length);
    }
  });

  it('of a regression and of uplift', () => {
    for (const { y, treated, uplift, truth, said, expected } of cases) {
      const errors = regressionMetrics(Float64Array.from(truth), Float64Array.from(said));
      for (const key of ['mae', 'rmse', 'medianError', 'r2', 'mape'] as const) {
        near(errors[key], expected[key]!);
      }
      const gained = upliftMetrics({ y, treated, uplift: Float64Array.from(uplift) });
      near(gained.qini, expected['qini']!);
      near(gained.auuc, expected['auuc']!);
    }
  });
});

describe('what has no reference there', () => {
  const random = new Random(4);
  const n = 1500;
  const strength = Float64Array.from({ length: n }, () => random.normal());
  const y = strength.map((s) => (random.next() < 1 / (1 + Math.exp(-s)) ? 1 : 0));
  const good = strength.map((s) => s + 0.3 * random.normal());
  const poor = strength.map((s) => s + 2 * random.normal());

  it('DeLong tells a better model from a worse one, agrees with the bootstrap, and finds none in noise', () => {
    const test = delong(y, poor, good);
    const resampled = aucDifference(y, good, poor, { rounds: 400 });
    expect(test.difference).toBeCloseTo(resampled.estimate, 10);
    expect(test.p).toBeLessThan(1e-6);
    expect(Math.abs(test.low - resampled.low)).toBeLessThan(0.01);
    expect(Math.abs(test.high - resampled.high)).toBeLessThan(0.01);
    expect(delong(y, good, good).p).toBe(1);
    let rejected = 0;
    for (let round = 0; round < 200; round++) {
      const own = new Random(9, round);
      const [a, b] = [0, 1].map(() => strength.slice(0, 200).map((s) => s + own.normal()));
      if (delong(y.slice(0, 200), a!, b!).p < 0.05) rejected++;
    }
    // 5 % of 200 are expected, with a standard deviation of 3.
    expect(rejected).toBeGreaterThan(1);
    expect(rejected).toBeLessThan(22);
  });

  it('lift of ten steps: gains end at 1, lifts of equal steps have the mean 1, ties are shared', () => {
    const steps = liftTable(y, good);
    expect(steps.at(-1)!.gain).toBe(1);
    expect(steps.reduce((a, s) => a + s.lift, 0) / 10).toBeCloseTo(1, 9);
    expect(steps[0]!.lift).toBeGreaterThan(1.5);
    for (const step of liftTable(y, new Float64Array(n))) expect(step.lift).toBeCloseTo(1, 9);
  });

  it('intervals of uplift hold the truth of a trial with no effect', () => {
    const treated = Array.from({ length: n }, () => random.int(2));
    const { qini } = upliftIntervals({ y, treated, uplift: poor }, { rounds: 60 });
    expect(qini.low).toBeLessThan(0.1);
    expect(qini.low).toBeLessThan(qini.high);
  });
});
