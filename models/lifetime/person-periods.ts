import { MS_PER_DAY } from '../../domain/clock.ts';
import { checkParam, invalid } from '../check.ts';
import type { Matrix } from '../matrix.ts';
import { matrixOf } from '../matrix.ts';
import type { Purchase } from './histories.ts';

export interface PersonPeriodOptions {
  /** Purchases from this moment on are not looked at. */
  readonly asOfMs: number;
  /** Days of one period; 30 by default. */
  readonly periodDays?: number;
  /** Periods of silence that count as having left; 3 by default. */
  readonly silence?: number;
}

export const CHURN_COLUMNS = ['period', 'recency', 'frequency', 'logValue', 'pace'] as const;

export interface PersonPeriods {
  /**
   * One row for each person and period at risk, as known at the period's start: `period` (periods since the first
   * purchase), `recency` (periods since the last), `frequency` (purchases so far), `logValue` (ln(1 + mean worth)),
   * `pace` (recency over the person's mean gap; over `silence` periods where there is no gap yet).
   */
  readonly X: Matrix;
  /** 1 where nothing was bought within `silence` periods from the period's start: then they have left, and end. */
  readonly y: Uint8Array;
  readonly people: readonly string[];
  readonly startMs: Float64Array;
}

/**
 * Rows for `Churn`. A period counts only where all of its `silence` periods lie before the moment, so that nobody is
 * called lost because the data end; whoever comes back after having left is at risk again from that purchase on.
 */
export function personPeriods(
  purchases: readonly Purchase[],
  { asOfMs, periodDays = 30, silence = 3 }: PersonPeriodOptions,
): PersonPeriods {
  checkParam('periodDays', periodDays, 1, 3650);
  checkParam('silence', silence, 1, 1000);
  const length = periodDays * MS_PER_DAY;
  const rows: number[][] = [];
  const y: number[] = [];
  const people: string[] = [];
  const startMs: number[] = [];
  const own = Map.groupBy(
    purchases.filter(({ atMs }) => atMs < asOfMs),
    ({ customer }) => customer,
  );
  for (const [customer, unsorted] of own) {
    const history = unsorted.toSorted((a, b) => a.atMs - b.atMs);
    const first = history[0]!.atMs;
    let known = 0;
    let worth = 0;
    let gone = false;
    for (let period = 1; ; period++) {
      const start = first + period * length;
      if (start + silence * length > asOfMs) break;
      const before = known;
      while (known < history.length && history[known]!.atMs < start)
        worth += history[known++]!.value;
      if (gone && known === before) continue;
      const row = rowOf(history, known, worth, start, length, silence);
      const next = history[known]?.atMs ?? Infinity;
      gone = next >= start + silence * length;
      rows.push([period, ...row]);
      y.push(gone ? 1 : 0);
      people.push(customer);
      startMs.push(start);
    }
  }
  if (rows.length === 0) {
    throw invalid(
      `No customer was watched for ${silence + 1} periods of ${periodDays} days; take shorter periods or a longer history.`,
    );
  }
  return {
    X: matrixOf(rows, [...CHURN_COLUMNS]),
    y: Uint8Array.from(y),
    people,
    startMs: Float64Array.from(startMs),
  };
}

function rowOf(
  history: readonly Purchase[],
  known: number,
  worth: number,
  start: number,
  length: number,
  silence: number,
): number[] {
  const last = history[known - 1]!.atMs;
  const recency = (start - last) / length;
  const gap = known > 1 ? (last - history[0]!.atMs) / (known - 1) / length : silence;
  return [recency, known, Math.log1p(Math.max(0, worth / known)), recency / Math.max(gap, 1 / 30)];
}
