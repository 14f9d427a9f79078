import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Constant, RecencyRule } from '../../models/baseline.ts';
import { plainDesign } from '../../models/design.ts';
import { Logistic } from '../../models/logistic/logistic.ts';
import { newton } from '../../models/logistic/newton.ts';
import { matrixOf, takeRows, takeTarget } from '../../models/matrix.ts';
import { rocAuc } from '../../models/metrics.ts';
import { Random } from '../../models/random.ts';
import { scaleOf, standardise } from '../../models/scale.ts';
import { expectInvalid } from './estimator-contract.ts';

const data = fc
  .record({ seed: fc.integer(), rows: fc.integer({ min: 10, max: 60 }) })
  .map(({ seed, rows }) => {
    const random = new Random(seed);
    const values = Array.from({ length: rows }, () => [
      100 + 20 * random.normal(),
      random.int(3),
      random.normal() / 1000,
    ]);
    const y = Float64Array.from(values, ([, b]) => (random.next() < b! / 3 + 0.1 ? 1 : 0));
    y[0] = 0;
    y[1] = 1;
    return { X: matrixOf(values, ['a', 'b', 'c']), y };
  });

describe('logistic regression', () => {
  it('stops where the gradient of its objective is zero', () => {
    fc.assert(
      fc.property(data, fc.constantFrom(0.01, 1, 100), ({ X, y }, lambda) => {
        const model = new Logistic({ lambda }).fit(X, y);
        const p = model.predictProba(X);
        const Z = standardise(X, scaleOf(X));
        for (let j = 0; j < X.columns; j++) {
          let gradient = lambda * model.weights[j]!;
          for (let i = 0; i < X.rows; i++) gradient += (p[i]! - y[i]!) * Z.data[i * 3 + j]!;
          expect(gradient).toBeCloseTo(0, 4);
        }
        // The intercept is free, so the mean probability is the rate.
        expect(p.reduce((a, b) => a + b) / X.rows).toBeCloseTo(
          y.reduce((a, b) => a + b) / X.rows,
          6,
        );
      }),
    );
  });

  it('counts a class twice as if its rows stood twice', () => {
    fc.assert(
      fc.property(data, ({ X, y }) => {
        const twice = [...y.keys()].flatMap((i) => (y[i] === 1 ? [i, i] : [i]));
        // Doubling moves mean and deviation too, so this looks below the standardising.
        const Z = standardise(X, scaleOf(X));
        const options = { lambda: 1, iterations: 100 };
        const ones = new Float64Array(twice.length).fill(1);
        const doubled = newton(
          plainDesign(takeRows(Z, twice)),
          takeTarget(y, twice),
          ones,
          options,
          {},
        );
        const weight = y.map((value) => 1 + value);
        const weighted = newton(plainDesign(Z), y, weight, options, {});
        expect(weighted.intercept).toBeCloseTo(doubled.intercept, 5);
        weighted.weights.forEach((w, j) => expect(w).toBeCloseTo(doubled.weights[j]!, 5));
        const fitted = new Logistic({ classWeight: [1, 2] }).fit(X, y);
        expect(fitted.intercept).toBeCloseTo(weighted.intercept, 6);
      }),
    );
  });

  it('does not care about units, and survives perfect separation and equal columns', () => {
    const X = matrixOf(
      [
        [1, 2],
        [2, 4],
        [3, 6],
        [4, 8],
      ],
      ['a', 'b'],
    );
    const y = Float64Array.of(0, 0, 1, 1);
    const model = new Logistic({ lambda: 1e-3 }).fit(X, y);
    expect(model.weights.every(Number.isFinite)).toBe(true);
    expect([...model.predict(X)]).toEqual([0, 0, 1, 1]);
    const other = { ...X, data: X.data.map((v, at) => (at % 2 === 0 ? v * 1e6 + 5 : v)) };
    const same = new Logistic({ lambda: 1e-3 }).fit(other, y).predictProba(other);
    model.predictProba(X).forEach((p, i) => expect(same[i]).toBeCloseTo(p, 8));
    expectInvalid(() => new Logistic({ lambda: 0 }).fit(X, y), { param: 'lambda' });
  });

  it('explains itself: intercept and contributions are the log-odds', () => {
    const X = matrixOf(
      [
        [1, 5],
        [2, 1],
        [3, 4],
        [4, 2],
      ],
      ['a', 'b'],
    );
    const model = new Logistic().fit(X, Float64Array.of(0, 1, 0, 1));
    const { base, values, scale } = model.contributions(Float64Array.of(4, 2));
    const logit = values.reduce((a, b) => a + b, base);
    expect(scale).toBe('logit');
    expect(1 / (1 + Math.exp(-logit))).toBeCloseTo(model.predictProba(X)[3]!, 12);
  });
});

describe('baselines', () => {
  const random = new Random(1);
  const values = Array.from({ length: 500 }, () => [
    random.next() < 0.1 ? Number.NaN : random.int(300),
    random.next(),
  ]);
  const y = Float64Array.from(values, ([days]) =>
    random.next() < (Number.isNaN(days) ? 0.02 : 0.6 * Math.exp(-days! / 100)) ? 1 : 0,
  );
  const X = matrixOf(values, ['recencyDays', 'x']);

  it('the recency rule ranks by recency alone, never last', () => {
    const model = new RecencyRule().fit(X, y);
    const p = model.predictProba(X);
    const rank = Float64Array.from(values, ([days]) => -(Number.isNaN(days) ? 299 : days!));
    expect(rocAuc(y, p)).toBe(rocAuc(y, rank));
    const days = matrixOf(
      Array.from({ length: 400 }, (_, i) => [i, 0]),
      X.names,
    );
    const curve = model.predictProba(days);
    for (let i = 1; i < 400; i++) expect(curve[i]).toBeLessThan(curve[i - 1]!);
    expect(p.reduce((a, b) => a + b) / 500).toBeCloseTo(y.reduce((a, b) => a + b) / 500, 3);
  });

  it('the recency rule counts "never" as the longest ago', () => {
    const longest = X.data.reduce(
      (most, value, at) => (at % 2 === 0 && value > most ? value : most),
      0,
    );
    const filled = { ...X, data: X.data.map((v) => (Number.isNaN(v) ? longest : v)) };
    const curve = new RecencyRule().fit(filled, y).curve;
    expect(new RecencyRule().fit(X, y).curve).toEqual(curve);
    expect(curve.longest).toBe(longest);
  });

  it('still falls where the data rises', () => {
    const model = new RecencyRule().fit(
      X,
      y.map((value) => 1 - value),
    );
    const p = model.predictProba(
      matrixOf(
        [
          [1, 0],
          [100, 0],
        ],
        X.names,
      ),
    );
    expect(p[1]).toBeLessThan(p[0]!);
  });

  it('refuses days below 0, and data without the column', () => {
    const wrong = matrixOf(
      [
        [-1, 0],
        [1, 0],
      ],
      X.names,
    );
    expectInvalid(() => new RecencyRule().fit(wrong, Float64Array.of(0, 1)), { row: 0 });
    expectInvalid(() => new RecencyRule({ column: 'days' }).fit(X, y), { column: 'days' });
  });

  it('the constant says the rate', () => {
    const rate = y.reduce((a, b) => a + b) / 500;
    expect(new Constant().fit(X, y).predictProba(X)[7]).toBe(rate);
  });
});
