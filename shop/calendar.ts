import { MS_PER_DAY, MS_PER_HOUR } from '../domain/clock.ts';
import { offsetMs } from '../domain/local-time.ts';

/**
 * Days and hours of the sample shop. A day has a weight (season and weekday), and purchases come at a constant rate in
 * the time that these weights stretch: `warp`. Days are local days since 1970.
 */
export interface Calendar {
  readonly firstDay: number;
  readonly lastDay: number;
  /** Sum of the days' weights from `firstDay` up to and including a day. */
  readonly warp: Float64Array;
}

/** Sunday first; they sum to 7. */
const WEEKDAYS = [1.18, 0.96, 0.94, 0.92, 0.94, 1.0, 1.06];

/** The weight of a day; about 1 in the mean of a year. Known truth, like everything here. */
export function dayWeight(day: number): number {
  const date = new Date(day * MS_PER_DAY);
  const yearDay = Math.floor(
    (day * MS_PER_DAY - Date.UTC(date.getUTCFullYear(), 0, 1)) / MS_PER_DAY,
  );
  const year = 0.92 + 0.12 * Math.cos((2 * Math.PI * (yearDay - 350)) / 365.25);
  const gifts = 0.75 * Math.exp(-0.5 * ((yearDay - 340) / 11) ** 2);
  const blackFriday = 0.9 * Math.exp(-0.5 * ((yearDay - 329) / 2) ** 2);
  return (year + gifts + blackFriday) * WEEKDAYS[date.getUTCDay()]!;
}

export function createCalendar(fromMs: number, toMs: number): Calendar {
  const firstDay = Math.floor(fromMs / MS_PER_DAY) - 2;
  const lastDay = Math.floor(toMs / MS_PER_DAY) + 2;
  const warp = new Float64Array(lastDay - firstDay + 1);
  let sum = 0;
  for (let day = firstDay; day <= lastDay; day += 1) warp[day - firstDay] = sum += dayWeight(day);
  return { firstDay, lastDay, warp };
}

/** Warped time at an instant of local time. */
export function warpAt(calendar: Calendar, localMs: number): number {
  const day = Math.floor(localMs / MS_PER_DAY);
  const place = Math.min(Math.max(day - calendar.firstDay, 0), calendar.warp.length - 1);
  const before = place === 0 ? 0 : calendar.warp[place - 1]!;
  return before + (calendar.warp[place]! - before) * (localMs / MS_PER_DAY - day);
}

/** The first local day whose weights reach this warped time; null behind the calendar's end. */
export function dayAtWarp(calendar: Calendar, warped: number): number | null {
  const { warp } = calendar;
  if (warped > warp[warp.length - 1]!) return null;
  let low = 0;
  let high = warp.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (warp[middle]! >= warped) high = middle;
    else low = middle + 1;
  }
  return calendar.firstDay + low;
}

/** Offsets of a zone over a span, looked up without asking the runtime for each event (that takes microseconds). */
export interface Zone {
  readonly name: string;
  /** Instants from which an offset holds, ascending; the first one holds from the beginning. */
  readonly starts: readonly number[];
  readonly offsets: readonly number[];
}

/** Two changes of a zone's offset lie months apart. */
const STEP_MS = 28 * MS_PER_DAY;

export function createZone(name: string, fromMs: number, toMs: number): Zone {
  const begin = fromMs - 3 * MS_PER_DAY;
  const starts = [begin];
  const offsets = [offsetMs(begin, name)];
  for (let at = begin; at < toMs + 3 * MS_PER_DAY; at += STEP_MS) {
    const offset = offsetMs(at + STEP_MS, name);
    if (offset === offsets.at(-1)) continue;
    let low = at;
    let high = at + STEP_MS;
    while (high - low > 60_000) {
      const middle = Math.floor((low + high) / 120_000) * 60_000;
      if (middle <= low) break;
      if (offsetMs(middle, name) === offset) high = middle;
      else low = middle;
    }
    starts.push(high);
    offsets.push(offset);
  }
  return { name, starts, offsets };
}

export function zoneOffset(zone: Zone, atMs: number): number {
  let place = zone.starts.length - 1;
  while (place > 0 && zone.starts[place]! > atMs) place -= 1;
  return zone.offsets[place]!;
}

/** The instant of a local time; in a gap or an overlap of daylight saving one of the two readings. */
export function toInstant(zone: Zone, localMs: number): number {
  const guess = localMs - zoneOffset(zone, localMs);
  return localMs - zoneOffset(zone, guess);
}

/** Hour of the day in this zone, 0 ≤ h < 24 with its fraction. */
export function localHourAt(zone: Zone, atMs: number): number {
  return ((((atMs + zoneOffset(zone, atMs)) / MS_PER_HOUR) % 24) + 24) % 24;
}
