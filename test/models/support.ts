import { matrixOf } from '../../models/matrix.ts';
import type { Matrix } from '../../models/matrix.ts';
import { Random } from '../../models/random.ts';
import type { Dataset } from '../../models/train-order.ts';

export const DAY = 86_400_000;

/**
 * People whose chance to order depends on recency and, where `frequencyCounts`, even more on their orders; else the
 * recency rule is all there is to know.
 */
export function orderDataset(
  seed: number,
  rows: number,
  atMs: number,
  frequencyCounts = true,
): Dataset {
  const random = new Random(seed);
  const values: number[][] = [];
  const y = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) {
    const never = random.next() < 0.05;
    const recency = never ? Number.NaN : Math.floor(-Math.log(1 - random.next()) * 80);
    const orders = never ? 0 : 1 + random.int(10);
    const logit = (never ? -3 : -recency / 50) + (frequencyCounts ? (orders - 5) / 2 : 0);
    y[i] = random.next() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
    values.push([recency, orders, random.int(5), random.normal()]);
  }
  const names = ['recencyDays', 'ordersAll', 'views30d', 'noise'];
  return { X: matrixOf(values, names), y, window: { fromMs: atMs, toMs: atMs } };
}

/** Groups of customers of known making: loyal, lapsed but rich, new, and gone after one order. */
export function customers(seed: number, rows: number): Matrix {
  const random = new Random(seed);
  const groups = [
    [5, 20, 2000],
    [8, 1, 30],
    [250, 1, 40],
    [160, 8, 1200],
  ] as const;
  return matrixOf(
    Array.from({ length: rows }, (_, i) => {
      const [days, orders, revenue] = groups[i % 4]!;
      const spread = () => Math.exp(random.normal() / 5);
      return [
        days * spread(),
        orders === 1 ? 1 : Math.round(orders * spread()),
        revenue * spread(),
      ];
    }),
    ['recencyDays', 'orders', 'revenue'],
  );
}
