import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DemandQuantiles } from '../../domain/stock.ts';
import {
  criticalRatio,
  demandAt,
  inPacks,
  newsvendor,
  overstock,
  propose,
  stockOutRisk,
} from '../../domain/stock.ts';

const WEEK: DemandQuantiles = { probabilities: [0.05, 0.5, 0.95, 0.99], values: [10, 40, 90, 120] };
const TWO_WEEKS: DemandQuantiles = {
  probabilities: [0.05, 0.5, 0.95, 0.99],
  values: [30, 80, 150, 190],
};
const stock = (onHand: number, onOrder = 0, reserved = 0) => ({ onHand, onOrder, reserved });

describe('stock', () => {
  it('reads quantiles and risks of the same line', () => {
    expect(demandAt(WEEK, 0.95)).toBe(90);
    expect(demandAt(WEEK, 0.275)).toBeCloseTo(25, 10);
    expect(demandAt(WEEK, 0.001)).toBe(10);
    expect(stockOutRisk(WEEK, 90)).toBeCloseTo(0.05, 10);
    expect(stockOutRisk(WEEK, 0)).toBe(1);
    expect(stockOutRisk(WEEK, 1000)).toBeCloseTo(0.01, 10);
    fc.assert(
      fc.property(fc.double({ min: 0.06, max: 0.98, noNaN: true }), (p) => {
        expect(stockOutRisk(WEEK, demandAt(WEEK, p))).toBeCloseTo(1 - p, 8);
      }),
    );
  });

  it('orders up to the level, in packs, once the position is at the reorder point', () => {
    const none = propose(stock(100), WEEK, TWO_WEEKS, 0.95);
    expect(none).toMatchObject({ order: 0, position: 100, reorderPoint: 90, orderUpTo: 150 });
    const some = propose(stock(60, 20, 10), WEEK, TWO_WEEKS, 0.95, { packSize: 12 });
    expect(some).toMatchObject({ order: 84, position: 70 });
    expect(some.reason).toContain('Order 84: 70 available');
    expect(some.risk).toBeGreaterThan(0.05);
  });

  it('never leaves less than the service level asks for, nor more than a pack too much', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -50, max: 300 }),
        fc.integer({ min: 1, max: 48 }),
        fc.double({ min: 0.5, max: 0.99, noNaN: true }),
        (onHand, packSize, level) => {
          const { order, orderUpTo, reorderPoint } = propose(
            stock(onHand),
            WEEK,
            TWO_WEEKS,
            level,
            { packSize },
          );
          expect(order % packSize).toBe(0);
          if (order > 0) {
            expect(onHand + order).toBeGreaterThanOrEqual(orderUpTo);
            expect(onHand + order).toBeLessThan(orderUpTo + packSize);
          } else expect(onHand).toBeGreaterThanOrEqual(Math.min(reorderPoint, orderUpTo));
        },
      ),
    );
  });

  it('a season that cannot be reordered for: as much as a unit short is worth', () => {
    expect(criticalRatio(3, 1)).toBe(0.75);
    expect(newsvendor(WEEK, 19, 1)).toBe(90);
    expect(newsvendor(WEEK, 1, 1)).toBe(40);
    expect(() => criticalRatio(0, 1)).toThrow(/both above 0/);
    expect(overstock(100, WEEK, 0.95)).toBe(10);
    expect(overstock(50, WEEK, 0.95)).toBe(0);
  });

  it('refuses packs and quantiles that make no sense', () => {
    expect(inPacks(0.1 + 0.2, { packSize: 0.1 })).toBeCloseTo(0.3, 10);
    expect(inPacks(3, { packSize: 5, minimumOrder: 12 })).toBe(15);
    expect(() => inPacks(3, { packSize: 0 })).toThrow(/pack size/);
    expect(() => demandAt({ probabilities: [0.5, 0.4], values: [1, 2] }, 0.5)).toThrow(
      /Quantile 1/,
    );
    expect(() => demandAt({ probabilities: [0.4, 0.5], values: [2, 1] }, 0.5)).toThrow(
      /Quantile 1/,
    );
    expect(() => demandAt(WEEK, 1)).toThrow(/service level/);
  });
});
