import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Hierarchy, Reconciliation } from '../../models/forecast/reconcile.ts';
import { reconcile } from '../../models/forecast/reconcile.ts';
import { Random } from '../../models/random.ts';
import { expectInvalid } from './estimator-contract.ts';

const METHODS: readonly Reconciliation[] = ['bottom-up', 'variance', 'mint'];
/** Two categories and the shop. */
const SHOP: Hierarchy = {
  products: 4,
  totals: [
    [0, 1, 2, 3],
    [0, 1],
    [2, 3],
  ],
};

function drawn(rows: number, steps: number, seed: number, size = 1): Float64Array[] {
  const random = new Random(seed);
  return Array.from({ length: rows }, () =>
    Float64Array.from({ length: steps }, () => size * random.normal()),
  );
}

describe.each(METHODS)('reconciliation by %s', (method) => {
  it('gives sums that are coherent, whatever the hierarchy, the forecasts and the errors', () => {
    const cases = fc.record({
      products: fc.integer({ min: 1, max: 8 }),
      masks: fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 6 }),
      seed: fc.integer(),
      size: fc.constantFrom(1e-3, 1, 1e6),
      still: fc.boolean(),
    });
    fc.assert(
      fc.property(cases, ({ products, masks, seed, size, still }) => {
        const totals = masks
          .map((mask) =>
            Array.from({ length: products }, (_, j) => j).filter((j) => (mask >> j) & 1),
          )
          .filter((members) => members.length > 0);
        const all = totals.length + products;
        const errors = drawn(all, 12, seed, size);
        if (still) errors[all - 1]!.fill(0);
        const base = drawn(all, 3, seed + 1, 10 * size);
        const result = reconcile({ products, totals }, base, method, errors);
        totals.forEach((members, a) => {
          for (let k = 0; k < 3; k++) {
            const sum = members.reduce((total, j) => total + result[totals.length + j]![k]!, 0);
            expect(Math.abs(result[a]![k]! - sum)).toBeLessThanOrEqual(1e-9 * size);
            expect(Number.isFinite(sum)).toBe(true);
          }
        });
      }),
      { numRuns: 100 },
    );
  });

  it('leaves forecasts alone that add up already', () => {
    const bottom = drawn(4, 2, 1, 10);
    const base = [...SHOP.totals.map((members) => sum(members, bottom)), ...bottom];
    reconcile(SHOP, base, method, drawn(7, 20, 2)).forEach((forecast, i) =>
      forecast.forEach((value, k) => expect(value).toBeCloseTo(base[i]![k]!, 8)),
    );
  });
});

function sum(members: readonly number[], bottom: readonly Float64Array[]): Float64Array {
  return bottom[0]!.map((_, k) => members.reduce((total, j) => total + bottom[j]![k]!, 0));
}

describe('reconciliation', () => {
  it('trusts what errs less', () => {
    const hierarchy = { products: 2, totals: [[0, 1]] };
    const base = [Float64Array.of(30), Float64Array.of(10), Float64Array.of(10)];
    const errors = [drawn(1, 50, 1, 0.01), drawn(1, 50, 2, 1), drawn(1, 50, 3, 5)].flat();
    const [total, sure, unsure] = reconcile(hierarchy, base, 'variance', errors);
    expect(total![0]).toBeCloseTo(30, 2);
    expect(sure![0]! - 10).toBeLessThan(1);
    expect(unsure![0]! - 10).toBeGreaterThan(9);
  });

  it('MinT lowers the error of the whole where errors go together', () => {
    const truth = [
      Float64Array.of(40),
      Float64Array.of(20),
      Float64Array.of(20),
      ...drawn(4, 1, 9, 0).map(() => Float64Array.of(10)),
    ];
    const sampler = (seed: number) => {
      const noise = drawn(4, 1, seed, 3).map((each) => each[0]!);
      const common = drawn(1, 1, seed + 1e6, 3)[0]![0]!;
      const direct = drawn(3, 1, seed + 2e6, 2).map((each) => each[0]!);
      return [...direct, ...noise.map((value) => value + common)];
    };
    const past = Array.from({ length: 60 }, (_, t) => sampler(t));
    const errors = truth.map((_, i) => Float64Array.from(past, (each) => each[i]!));
    const off = (method: Reconciliation): number => {
      let squares = 0;
      for (let t = 0; t < 300; t++) {
        const noise = sampler(1000 + t);
        const base = truth.map((value, i) => Float64Array.of(value[0]! - noise[i]!));
        reconcile(SHOP, base, method, errors).forEach(
          (value, i) => (squares += (value[0]! - truth[i]![0]!) ** 2),
        );
      }
      return squares;
    };
    const [bottomUp, mint] = [off('bottom-up'), off('mint')];
    expect(mint).toBeLessThan(0.5 * bottomUp);
    expect(mint).toBeLessThan(off('variance') * 1.02);
  });

  it('refuses what is no hierarchy', () => {
    const base = drawn(7, 2, 1);
    expectInvalid(() => reconcile(SHOP, base.slice(1), 'bottom-up'));
    expectInvalid(() => reconcile(SHOP, base, 'mint'));
    expectInvalid(() => reconcile({ products: 4, totals: [[0, 4], [1], [2]] }, base, 'bottom-up'));
    expectInvalid(() => reconcile({ products: 4, totals: [[0, 0], [1], [2]] }, base, 'bottom-up'));
  });
});
