import { MS_PER_DAY } from '../../domain/clock.ts';
import { dayStart, localDay } from '../../domain/segment-time.ts';
import { keepSize, segmentSizes } from '../segments.ts';
import { countSegment } from '../warehouse/segment-counts.ts';
import type { LiveSegment } from './definitions.ts';
import type { LiveContext } from './members.ts';

/** Days that are made up for after a stop; traits of that time are gone by then, as `segment history` says. */
const DAYS_BACK = 7;

/** The first moment of the shop's next day. */
export function nextDayMs(nowMs: number, timeZone: string): number {
  return dayStart(localDay(nowMs, timeZone) + 1, timeZone);
}

/**
 * Keeps each segment's size at the end of the days that have ended: one count a segment and day.
 * @param done what this returned the last time: the day and the segments, for which nothing is left to do
 */
export async function keepSizes(
  { db, warehouse, shop, nowMs }: LiveContext,
  segments: readonly LiveSegment[],
  done: string,
): Promise<string> {
  const today = localDay(nowMs(), shop.timeZone);
  const key = `${today} ${segments.map(({ meaning }) => meaning).join()}`;
  if (key === done) return done;
  for (const { name, segment } of segments) {
    const kept = await segmentSizes(db, name);
    for (let day = today - 1; day >= today - DAYS_BACK; day -= 1) {
      const text = new Date(day * MS_PER_DAY).toISOString().slice(0, 10);
      const asOfMs = dayStart(day + 1, shop.timeZone);
      const known = kept.get(text);
      if (known && known.asOfMs >= asOfMs) break;
      // A segment without a history begins it with yesterday.
      if (day < today - 1 && kept.size === 0) break;
      const members = await countSegment(warehouse, segment, {
        nowMs: asOfMs,
        timeZone: shop.timeZone,
      });
      await keepSize(db, name, { day: text, members, asOfMs });
    }
  }
  return key;
}
