import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aucDifference } from '../../models/compare.ts';
import { takeTarget } from '../../models/matrix.ts';
import * as metrics from '../../models/metrics.ts';
import { Random } from '../../models/random.ts';
import { expectInvalid } from './estimator-contract.ts';

/** Targets with scores of few different values, so that ties are the rule. */
const judged = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 8 })), {
    minLength: 1,
    maxLength: 40,
  })
  .map((pairs) => ({
    y: Float64Array.from(pairs, ([y]) => y),
    p: Float64Array.from(pairs, ([, score]) => score / 8),
  }));

function pairs({ y, p }: { y: Float64Array; p: Float64Array }): [number, number][] {
  return Array.from(y, (value, i) => [value, p[i]!]);
}

describe('metrics equal their definitions', () => {
  it('ROC AUC is the share of pairs ranked right, ties counting half', () => {
    fc.assert(
      fc.property(judged, (data) => {
        const positives = pairs(data).filter(([y]) => y === 1);
        const negatives = pairs(data).filter(([y]) => y === 0);
        let won = 0;
        for (const [, a] of positives) {
          for (const [, b] of negatives) won += a > b ? 1 : a === b ? 0.5 : 0;
        }
        const auc = metrics.rocAuc(data.y, data.p);
        const count = positives.length * negatives.length;
        if (count === 0) expect(auc).toBeNaN();
        else expect(auc).toBeCloseTo(won / count, 12);
      }),
    );
  });

  it('confusion, accuracy, precision, recall and F1 count what they say', () => {
    fc.assert(
      fc.property(judged, fc.double({ min: 0, max: 1, noNaN: true }), (data, threshold) => {
        const all = pairs(data).map(([y, p]) => ({ y, said: p >= threshold ? 1 : 0 }));
        const count = (y: number, said: number) =>
          all.filter((row) => row.y === y && row.said === said).length;
        const c = metrics.confusionMatrix(data.y, data.p, threshold);
        expect(c).toEqual({
          truePositive: count(1, 1),
          falsePositive: count(0, 1),
          trueNegative: count(0, 0),
          falseNegative: count(1, 0),
        });
        const right = all.filter((row) => row.y === row.said).length;
        expect(metrics.accuracy(c)).toBeCloseTo(right / all.length, 12);
        const said = count(1, 1) + count(0, 1);
        const there = count(1, 1) + count(1, 0);
        const precision = said === 0 ? 0 : count(1, 1) / said;
        const recall = there === 0 ? 0 : count(1, 1) / there;
        expect(metrics.precision(c)).toBeCloseTo(precision, 12);
        expect(metrics.recall(c)).toBeCloseTo(recall, 12);
        const f1 = precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
        expect(metrics.f1(c)).toBeCloseTo(f1, 12);
      }),
    );
  });

  it('log loss, Brier, RMSE and MAE are means over the rows', () => {
    fc.assert(
      fc.property(judged, ({ y, p }) => {
        const mean = (f: (y: number, p: number) => number) =>
          Array.from(y, (value, i) => f(value, p[i]!)).reduce((a, b) => a + b, 0) / y.length;
        const clip = (q: number) => Math.min(1 - 2 ** -52, Math.max(2 ** -52, q));
        const loss = mean((a, b) => -Math.log(a === 1 ? clip(b) : 1 - clip(b)));
        expect(metrics.logLoss(y, p)).toBeCloseTo(loss, 9);
        expect(metrics.brier(y, p)).toBeCloseTo(
          mean((a, b) => (a - b) ** 2),
          12,
        );
        expect(metrics.rmse(y, p)).toBeCloseTo(Math.sqrt(mean((a, b) => (a - b) ** 2)), 12);
        expect(metrics.mae(y, p)).toBeCloseTo(
          mean((a, b) => Math.abs(a - b)),
          12,
        );
      }),
    );
  });

  it('the calibration table holds every row once, and its error is the weighted distance', () => {
    fc.assert(
      fc.property(judged, fc.integer({ min: 1, max: 12 }), ({ y, p }, bins) => {
        const table = metrics.calibrationTable(y, p, bins);
        let error = 0;
        let rows = 0;
        for (const { from, to, count, predicted, observed } of table) {
          const inside = pairs({ y, p }).filter(
            ([, q]) => Math.min(bins - 1, Math.floor(q * bins)) === Math.round(from * bins),
          );
          expect(count).toBe(inside.length);
          expect(to - from).toBeCloseTo(1 / bins, 12);
          const sum = (k: 0 | 1) => inside.reduce((total, row) => total + row[k], 0);
          expect(observed).toBeCloseTo(sum(0) / count, 12);
          expect(predicted).toBeCloseTo(sum(1) / count, 12);
          error += (count / y.length) * Math.abs(observed - predicted);
          rows += count;
        }
        expect(rows).toBe(y.length);
        expect(metrics.expectedCalibrationError(table)).toBeCloseTo(error, 12);
      }),
    );
  });
});

it('the figures of one model are those of the parts', () => {
  const y = Float64Array.from([1, 0, 1, 1, 0]);
  const p = Float64Array.from([0.9, 0.6, 0.4, 0.6, 0.1]);
  expect(metrics.binaryMetrics(y, p)).toMatchObject({
    rows: 5,
    rate: 0.6,
    accuracy: 0.6,
    precision: 2 / 3,
    recall: 2 / 3,
    f1: 2 / 3,
    rocAuc: 4.5 / 6,
  });
});

it('a difference of AUCs has the interval of its resamples', () => {
  fc.assert(
    fc.property(judged, fc.integer(), fc.integer({ min: 1, max: 5 }), ({ y, p }, seed, rounds) => {
      const other = p.map((value, i) => (i % 3 === 0 ? 0.5 : value));
      const random = new Random(seed);
      const found: number[] = [];
      for (let r = 0; r < rounds; r++) {
        const rows = Array.from({ length: y.length }, () => random.int(y.length));
        const [truth, a, b] = [y, p, other].map((values) => takeTarget(values, rows));
        const difference = metrics.rocAuc(truth!, a!) - metrics.rocAuc(truth!, b!);
        if (!Number.isNaN(difference)) found.push(difference);
      }
      const { estimate, low, high } = aucDifference(y, p, other, { seed, rounds });
      expect(estimate).toBe(metrics.rocAuc(y, p) - metrics.rocAuc(y, other));
      if (found.length === 0) {
        expect([low, high]).toEqual([Number.NaN, Number.NaN]);
        return;
      }
      expect(low).toBeCloseTo(Math.min(...found), 12);
      expect(high).toBeCloseTo(Math.max(...found), 12);
    }),
  );
});

it('a sure mistake is dear but not infinite', () => {
  expect(metrics.logLoss(Float64Array.of(1), Float64Array.of(0))).toBeCloseTo(36.04, 2);
});

it('predictions of another count than targets are refused', () => {
  expectInvalid(() => metrics.rocAuc(new Float64Array(2), new Float64Array(3)));
});
