import { MS_PER_DAY } from '../../domain/clock.ts';
import { invalid } from '../check.ts';
import type { Matrix } from '../matrix.ts';
import { columnIndex, matrixOf } from '../matrix.ts';

/** One purchase: whose, when, worth what. Several on one day count as one occasion. */
export interface Purchase {
  readonly customer: string;
  readonly atMs: number;
  readonly value: number;
}

export interface HistoryOptions {
  /** Purchases from this moment on are not looked at. */
  readonly asOfMs: number;
  /** Days of one unit of time; 7 by default: weeks. */
  readonly unitDays?: number;
}

export interface Histories {
  readonly customers: readonly string[];
  /**
   * `frequency` (days with a purchase after the first), `recency` (time from the first to the last), `T` (time from the
   * first to the moment), `value` (mean worth of a day with a repeat purchase; 0 without one).
   */
  readonly X: Matrix;
}

export const HISTORY_COLUMNS = ['frequency', 'recency', 'T'] as const;

/**
 * What the lifetime models read, from purchases in any order. Days are UTC days: a shop that counts in its own zone
 * shifts `atMs` before. People whose first purchase lies on the moment's day have no time to be judged by and are left
 * in with T = 0.
 */
export function histories(
  purchases: readonly Purchase[],
  { asOfMs, unitDays = 7 }: HistoryOptions,
): Histories {
  const end = Math.floor(asOfMs / MS_PER_DAY);
  const days = new Map<string, Map<number, number>>();
  for (const { customer, atMs, value } of purchases) {
    if (atMs >= asOfMs) continue;
    const day = Math.floor(atMs / MS_PER_DAY);
    const own = days.get(customer) ?? new Map<number, number>();
    own.set(day, (own.get(day) ?? 0) + value);
    days.set(customer, own);
  }
  const rows: number[][] = [];
  for (const own of days.values()) {
    const dates = [...own.keys()];
    const first = dates.reduce((least, day) => Math.min(least, day), Infinity);
    const last = dates.reduce((most, day) => Math.max(most, day), -Infinity);
    let repeated = -own.get(first)!;
    for (const value of own.values()) repeated += value;
    const frequency = own.size - 1;
    rows.push([
      frequency,
      (last - first) / unitDays,
      (end - first) / unitDays,
      frequency > 0 ? repeated / frequency : 0,
    ]);
  }
  return { customers: [...days.keys()], X: matrixOf(rows, [...HISTORY_COLUMNS, 'value']) };
}

/** Refuses histories that cannot be: MODEL_INVALID with `{row, column}`. Gives the places of the three columns. */
export function checkHistories(
  X: Matrix,
): readonly [frequency: number, recency: number, T: number] {
  const [f, r, t] = HISTORY_COLUMNS.map((name) => columnIndex(X.names, name)) as [
    number,
    number,
    number,
  ];
  for (let i = 0; i < X.rows; i++) {
    const [frequency, recency, T] = [f, r, t].map((j) => X.data[i * X.columns + j]!) as [
      number,
      number,
      number,
    ];
    if (!(Number.isInteger(frequency) && frequency >= 0)) {
      throw invalid(
        `Column "frequency" is ${frequency} in row ${i}; expected a whole number from 0.`,
        {
          row: i,
          column: 'frequency',
        },
      );
    }
    if (!(recency >= 0 && recency <= T)) {
      throw invalid(
        `Column "recency" is ${recency} in row ${i} where T is ${T}; expected 0 to T.`,
        { row: i, column: 'recency' },
      );
    }
  }
  return [f, r, t];
}
