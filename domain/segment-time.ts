import { parseSpan } from './campaign.ts';
import { MS_PER_DAY } from './clock.ts';
import { instantOf, isTimeZone, offsetMs } from './local-time.ts';
import type { EventWindow, Zone } from './segment.ts';

/** The bounds of a segment's windows, and its days. Not for workflows: time zones come with the runtime. */

/** Starts of calendar periods, and how many periods back. */
const PERIODS = {
  today: ['day', 0],
  yesterday: ['day', 1],
  'this-week': ['week', 0],
  'last-week': ['week', 1],
  'this-month': ['month', 0],
  'last-month': ['month', 1],
  'this-year': ['year', 0],
  'last-year': ['year', 1],
} as const;
export type Period = keyof typeof PERIODS;
export const PERIOD_NAMES = Object.keys(PERIODS) as Period[];

export type Bound =
  | { readonly kind: 'ago'; readonly ms: number }
  | { readonly kind: 'instant'; readonly ms: number }
  | { readonly kind: 'wall'; readonly localMs: number }
  | { readonly kind: 'period'; readonly period: Period };

const WALL = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2}))?(Z|[+-]\d{2}:\d{2})?)?$/;

/** What `since` or `before` says; null where it is none of the four forms. */
export function parseBound(text: string): Bound | null {
  const span = parseSpan(text);
  if (span !== null) return { kind: 'ago', ms: span };
  if (Object.hasOwn(PERIODS, text)) return { kind: 'period', period: text as Period };
  const match = WALL.exec(text);
  if (!match) return null;
  const [, year, month, day, hour = '0', minute = '0', second = '0', offset] = match;
  if (dayNumber(Number(year), Number(month), Number(day)) === null) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  if (offset) {
    const ms = Date.parse(text);
    return Number.isNaN(ms) ? null : { kind: 'instant', ms };
  }
  const fields = [year, month, day, hour, minute, second].map(Number);
  const [y, m, d, h, min, s] = fields as [number, number, number, number, number, number];
  return { kind: 'wall', localMs: Date.UTC(y, m - 1, d, h, min, s) };
}

/** The instant of a bound at `nowMs` for somebody in `timeZone`. */
export function boundAt(bound: Bound, nowMs: number, timeZone: string): number {
  switch (bound.kind) {
    case 'ago':
      return nowMs - bound.ms;
    case 'instant':
      return bound.ms;
    case 'wall':
      return instantOf(bound.localMs, timeZone);
    case 'period':
      return dayStart(periodStart(bound.period, localDay(nowMs, timeZone), 0), timeZone);
    default:
      return bound satisfies never;
  }
}

/** The first day of a period as seen from `today`, and of the one `later` periods after it, as day numbers. */
export function periodStart(period: Period, today: number, later: number): number {
  const [unit, back] = PERIODS[period];
  const shift = later - back;
  if (unit === 'day') return today + shift;
  // Day 0, the first of 1970, was a Thursday; weeks begin on Monday.
  if (unit === 'week') return today - ((((today + 3) % 7) + 7) % 7) + 7 * shift;
  const date = new Date(today * MS_PER_DAY);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const start = unit === 'month' ? Date.UTC(year, month + shift, 1) : Date.UTC(year + shift, 0, 1);
  return start / MS_PER_DAY;
}

/** The bounds of a window at a moment: events count from `fromMs` on and before `toMs`. */
export function windowAt(
  window: EventWindow,
  nowMs: number,
  timeZone: string,
): { fromMs: number; toMs: number } {
  const since = window.within ?? window.since;
  const at = (text: string): number => boundAt(parseBound(text)!, nowMs, timeZone);
  return {
    fromMs: since === undefined ? Number.NEGATIVE_INFINITY : at(since),
    toMs: window.before === undefined ? nowMs : Math.min(nowMs, at(window.before)),
  };
}

export function boundsOf(window: EventWindow): Bound[] {
  return [window.within, window.since, window.before].flatMap((text) =>
    text === undefined ? [] : (parseBound(text) ?? []),
  );
}

/** Whether the window's bounds differ from time zone to time zone. */
export function isZoned(window: EventWindow): boolean {
  return (
    window.zone === 'person' &&
    boundsOf(window).some(({ kind }) => kind === 'wall' || kind === 'period')
  );
}

/** The person's own time zone where it is known and asked for, else the shop's. */
export function zoneOf(zone: Zone | undefined, personZone: string, shopZone: string): string {
  return zone === 'person' && personZone !== '' && isTimeZone(personZone) ? personZone : shopZone;
}

/** The first instant of a day, by its number since 1970, in a time zone. */
export function dayStart(day: number, timeZone: string): number {
  return instantOf(day * MS_PER_DAY, timeZone);
}

/** The day of an instant, as a number since 1970. A day that has begun never ends early, whatever the clocks do. */
export function localDay(atMs: number, timeZone: string): number {
  const day = Math.floor((atMs + offsetMs(atMs, timeZone)) / MS_PER_DAY);
  return dayStart(day + 1, timeZone) <= atMs ? day + 1 : day;
}

export function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

/** Days since 1970 of a date of the years 1900 to 2299; null where there is no such date. */
export function dayNumber(year: number, month: number, day: number): number | null {
  if (year < 1900 || year > 2299 || month < 1 || month > 12 || day < 1) return null;
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return null;
  return Date.UTC(year, month - 1, day) / MS_PER_DAY;
}

export interface CivilDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** The date at the beginning of a text, as it is written there; null where it begins with none. */
export function dateIn(text: unknown): CivilDate | null {
  const match = typeof text === 'string' ? /^(\d{4})-(\d{2})-(\d{2})(?![0-9])/.exec(text) : null;
  if (!match) return null;
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number];
  return dayNumber(year, month, day) === null ? null : { year, month, day };
}

/** The day of a date's anniversary in a year: 28 February for the 29th where there is none. */
export function anniversaryDay({ month, day }: CivilDate, year: number): number {
  const short = month === 2 && day === 29 && !isLeapYear(year);
  return Date.UTC(year, month - 1, short ? 28 : day) / MS_PER_DAY;
}
