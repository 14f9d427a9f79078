import { MS_PER_DAY } from '../domain/clock.ts';
import { dayStart, localDay } from '../domain/segment-time.ts';
import { keepSize, segmentSizes } from '../store/segments.ts';
import { countSegment } from '../store/warehouse/segment-counts.ts';
import type { Demo } from './demo/context.ts';
import type { WantedSegment } from './segment-file.ts';

export interface DaySize {
  /** A day of the shop, such as `2026-11-24`. */
  day: string;
  members: number;
  asOfMs: number;
  /** Counted earlier and kept; else computed now, as of then. */
  kept: boolean;
}

/**
 * The size of a segment at the end of each of the last days, and now. Days of a saved segment that were counted before
 * are read; the others are computed as of their end from the events before it, and kept. Traits are those of today.
 */
export async function segmentHistory(
  { db, warehouse }: Pick<Demo, 'db' | 'warehouse'>,
  wanted: WantedSegment,
  { nowMs, timeZone, days }: { nowMs: number; timeZone: string; days: number },
): Promise<DaySize[]> {
  const kept = wanted.name === null ? new Map() : await segmentSizes(db, wanted.name);
  const today = localDay(nowMs, timeZone);
  const sizes: DaySize[] = [];
  for (let number = today - days + 1; number <= today; number += 1) {
    const day = new Date(number * MS_PER_DAY).toISOString().slice(0, 10);
    const asOfMs = Math.min(nowMs, dayStart(number + 1, timeZone));
    const known = kept.get(day) as { members: number; asOfMs: number } | undefined;
    if (known && known.asOfMs >= asOfMs) {
      sizes.push({ day, members: known.members, asOfMs: known.asOfMs, kept: true });
      continue;
    }
    const options = { ...wanted.options, nowMs: asOfMs, timeZone };
    const members = await countSegment(warehouse, wanted.segment, options);
    if (wanted.name !== null) await keepSize(db, wanted.name, { day, members, asOfMs });
    sizes.push({ day, members, asOfMs, kept: false });
  }
  return sizes;
}
