import { MS_PER_DAY } from './clock.ts';
import { EVENT, type TraitValue } from './records.ts';
import type { EventClause, EventWindow, ListClause, SequenceClause } from './segment.ts';
import { compareValues } from './segment-compare.ts';
import { localDay, windowAt, zoneOf } from './segment-time.ts';
import {
  isEventProperty,
  listFilterOf,
  type PropertyTest,
  type RowFilter,
  rowFilterOf,
  stepOf,
} from './segment-terms.ts';
import type { WarehouseRow } from './warehouse-rows.ts';

/** Whose events, seen from when and on whose wall clock. */
export interface EventView {
  readonly rows: readonly WarehouseRow[];
  readonly nowMs: number;
  readonly personZone: string;
  readonly shopZone: string;
}

/** The rows that a filter means, in that window. */
export function rowsIn(
  filter: RowFilter,
  window: EventWindow,
  { rows, nowMs, personZone, shopZone }: EventView,
): WarehouseRow[] {
  const { fromMs, toMs } = windowAt(window, nowMs, zoneOf(window.zone, personZone, shopZone));
  return rows.filter((row) => row.atMs >= fromMs && row.atMs < toMs && isMeant(filter, row));
}

/** Whether the row is of the kind that the filter means, whenever it was. */
export function isMeant({ types, tests, sign }: RowFilter, row: WarehouseRow): boolean {
  return (
    types.includes(row.type) &&
    !row.machine &&
    tests.every(({ property, test }: PropertyTest) =>
      compareValues(test.is, propertyOf(row, property, sign), test.value),
    )
  );
}

/** A row's property; null where it is not known. */
export function propertyOf(row: WarehouseRow, property: string, sign: 1 | -1): TraitValue {
  if (!isEventProperty(property)) {
    return Object.hasOwn(row.properties, property) ? row.properties[property]! : null;
  }
  // `|| 0`: no -0.
  if (property === 'total') return (sign * row.amount) / 100 || 0;
  if (property === 'quantity') return sign * row.quantity || 0;
  return row[property] || null;
}

/** What an event clause compares; null where there is nothing to measure. */
export function measureEvent(clause: EventClause, view: EventView): number | string | null {
  const { measure = 'count', of = 'total' } = clause;
  const filter = rowFilterOf(clause.event, clause.where, clause.of);
  const found = rowsIn(filter, clause, view);
  const { nowMs } = view;
  if (measure === 'count') return countOf(found, filter);
  if (measure === 'sum') {
    if (of !== 'total') return numbersOf(found, of, filter.sign).reduce((sum, x) => sum + x, 0);
    return (filter.sign * found.reduce((sum, row) => sum + row.amount, 0)) / 100 || 0;
  }
  if (measure === 'distinct') {
    if (of === 'day') return new Set(found.map((row) => localDay(row.atMs, view.shopZone))).size;
    const texts = found.map((row) => propertyOf(row, of, filter.sign));
    return new Set(texts.filter((text) => typeof text === 'string')).size;
  }
  if (measure === 'min' || measure === 'max') {
    const numbers = numbersOf(found, of, filter.sign);
    if (numbers.length === 0) return null;
    return measure === 'min' ? Math.min(...numbers) : Math.max(...numbers);
  }
  const sorted = found.toSorted(byTime);
  if (measure === 'recency' || measure === 'sinceFirst') {
    const row = measure === 'recency' ? sorted.at(-1) : sorted[0];
    return row ? (nowMs - row.atMs) / MS_PER_DAY : null;
  }
  const kind = typeof clause.value === 'number' ? 'number' : 'string';
  const values = sorted
    .map((row) => propertyOf(row, of, filter.sign))
    .filter((value) => typeof value === kind);
  return ((measure === 'first' ? values[0] : values.at(-1)) ?? null) as number | string | null;
}

function countOf(rows: readonly WarehouseRow[], filter: RowFilter): number {
  return filter.byOrder ? new Set(rows.map((row) => row.eventId)).size : rows.length;
}

function numbersOf(rows: readonly WarehouseRow[], of: string, sign: 1 | -1): number[] {
  return rows.map((row) => propertyOf(row, of, sign)).filter((value) => typeof value === 'number');
}

const byTime = (a: WarehouseRow, b: WarehouseRow): number =>
  a.atMs - b.atMs || a.eventId - b.eventId || a.line - b.line;

/** Whether the newest row of the list says that the person is on it; null where there is none. */
export function isListed(clause: ListClause, view: EventView): boolean | null {
  const newest = rowsIn(listFilterOf(clause.list), {}, view).toSorted(byTime).at(-1);
  return newest ? newest.type === EVENT.listJoined : null;
}

/** How many steps of a sequence some chain of events has gone; all of them is a match. */
export function stepsDone(clause: SequenceClause, view: EventView): number {
  let reached: number[] = [];
  let barred: number[] = [];
  for (const [index, written] of clause.sequence.entries()) {
    const step = stepOf(written);
    const times = rowsIn(rowFilterOf(step.event, step.where), clause, view).map((row) => row.atMs);
    if (index === 0) reached = times;
    else if (!step.never) {
      reached = times.filter((time) =>
        reached.some(
          (before) =>
            before < time &&
            (step.withinMs === null || time - before <= step.withinMs) &&
            !barred.some((bar) => bar > before && bar < time),
        ),
      );
      barred = [];
    } else if (index < clause.sequence.length - 1) {
      barred = times;
      continue;
    } else {
      reached = reached.filter((before) => {
        const end = step.withinMs === null ? Infinity : before + step.withinMs;
        const over = step.withinMs === null || end < view.nowMs;
        return over && !times.some((time) => time > before && time <= end);
      });
    }
    if (reached.length === 0) return index;
  }
  return clause.sequence.length;
}
