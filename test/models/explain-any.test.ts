import { describe, expect, it } from 'vitest';
import { counterfactuals } from '../../models/explain/counterfactual.ts';
import { lime } from '../../models/explain/lime.ts';
import { partialDependence } from '../../models/explain/partial-dependence.ts';
import { Forest } from '../../models/forest/forest.ts';
import { Logistic } from '../../models/logistic/logistic.ts';
import { matrixOf, rowOf } from '../../models/matrix.ts';
import { Random } from '../../models/random.ts';
import { expectInvalid } from './estimator-contract.ts';

const random = new Random(3);
const rows = Array.from({ length: 800 }, () => [
  1 + random.int(10),
  Math.floor(random.next() * 300),
  random.normal() * 50,
]);
const y = Float64Array.from(rows, ([orders, days]) =>
  random.next() < 1 / (1 + Math.exp(-(orders! / 2 - days! / 60))) ? 1 : 0,
);
const X = matrixOf(rows, ['ordersAll', 'recencyDays', 'noise']);
const line = new Logistic().fit(X, y);

describe('LIME', () => {
  it("finds a linear model's coefficients again", () => {
    const said = lime(line, rowOf(X, 5), X, { seed: 2 });
    const here = line.contributions(rowOf(X, 5)).values;
    for (let j = 0; j < 3; j++) {
      const step = rowOf(X, 5).map((value, k) => (k === j ? value + 1 : value));
      const slope = line.contributions(step).values[j]! - here[j]!;
      expect(said.slopes[j]).toBeCloseTo(slope, 4);
    }
    expect(said.r2).toBeGreaterThan(0.999);
  });

  it('gives the same for the same seed, says how well it fits a forest, and refuses a missing value', () => {
    const forest = new Forest({ trees: 30, minLeaf: 20 }).fit(X, y);
    const once = lime(forest, rowOf(X, 1), X, { samples: 400 });
    expect(lime(forest, rowOf(X, 1), X, { samples: 400 })).toEqual(once);
    expect(once.r2).toBeGreaterThan(0.2);
    expect(once.r2).toBeLessThan(0.999);
    expect(once.slopes[0]).toBeGreaterThan(0);
    expect(once.slopes[1]).toBeLessThan(0);
    expectInvalid(() => lime(forest, Float64Array.from([1, Number.NaN, 0]), X));
  });
});

it('partial dependence rises with orders and falls with days, and does not move with noise', () => {
  const of = (column: string): number[] => partialDependence(line, X, column).map((p) => p.mean);
  expect(of('ordersAll')).toEqual(of('ordersAll').toSorted((a, b) => a - b));
  expect(of('recencyDays')).toEqual(of('recencyDays').toSorted((a, b) => b - a));
  const noise = of('noise');
  expect(Math.max(...noise) - Math.min(...noise)).toBeLessThan(0.15);
});

it('a counterfactual turns the answer round by one column, says so in words, and starts with the smallest', () => {
  const row = Float64Array.from([2, 100, 0]);
  const found = counterfactuals(line, row, X, { columns: ['ordersAll', 'recencyDays'] });
  expect(found.map((c) => c.feature).toSorted()).toEqual(['ordersAll', 'recencyDays']);
  for (const { score, to, feature, sentence } of found) {
    expect(score).toBeGreaterThanOrEqual(0.5);
    const changed = row.map((value, j) => (X.names[j] === feature ? to : value));
    expect(line.predictProba(matrixOf([changed], X.names))[0]).toBeCloseTo(score, 12);
    expect(sentence).toMatch(/^Would be 0\.\d\d if .*\.$/);
  }
  const more = found.find((c) => c.feature === 'ordersAll')!;
  const less = Float64Array.from([more.to - 1, 100, 0]);
  expect(line.predictProba(matrixOf([less], X.names))[0]).toBeLessThan(0.5);
});
