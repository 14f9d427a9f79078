import { MS_PER_DAY } from '../../domain/clock.ts';
import type { DateOrder } from './parse.ts';
import { parseDate } from './parse.ts';

/** A column of dates as numbers: days since 1970, the month and the day of the week. */
export interface DateState {
  readonly kind: 'date';
  readonly name: string;
  readonly order: DateOrder;
  /** The middle of what was learnt from, for a missing date where nothing may be missing. */
  readonly median: number;
  readonly fill: boolean;
}

export function fitDate(
  cells: readonly string[],
  { name, order }: { name: string; order: DateOrder },
  fill: boolean,
): DateState {
  const days = Float64Array.from(cells, (cell) => parseDate(cell, order) / MS_PER_DAY)
    .filter((day) => !Number.isNaN(day))
    .sort();
  return { kind: 'date', name, order, median: days[days.length >> 1] ?? 0, fill };
}

export function dateNames({ name, fill }: DateState): string[] {
  const names = [`day of ${name}`, `month of ${name}`, `weekday of ${name}`];
  return fill ? [...names, `${name} is missing`] : names;
}

export function encodeDate(state: DateState, cell: string, out: Float64Array, at: number): void {
  const read = parseDate(cell, state.order) / MS_PER_DAY;
  const missing = Number.isNaN(read);
  const day = missing && state.fill ? state.median : read;
  const date = new Date(day * MS_PER_DAY);
  out[at] = day;
  out[at + 1] = Number.isNaN(day) ? Number.NaN : date.getUTCMonth() + 1;
  out[at + 2] = Number.isNaN(day) ? Number.NaN : date.getUTCDay();
  if (state.fill) out[at + 3] = missing ? 1 : 0;
}
