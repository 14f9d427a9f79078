import { MS_PER_DAY } from './clock.ts';

/**
 * How a lane's daily volume grows from its first send on: `start` on the first day, `factor` times as much on each day
 * after, never more than `ceiling`. Mailbox providers judge a sender that appears with full volume as a spammer.
 */
export interface WarmUp {
  /** Messages on the first day. */
  readonly start: number;
  /** Growth from one day to the next; 1 keeps the volume. */
  readonly factor: number;
  /** Messages a day, at most, for good. */
  readonly ceiling: number;
}

/** Days of the shop clock, in UTC, since the lane's first send; 0 where it has sent nothing yet. */
export function warmUpDay(firstSentAtMs: number | null, nowMs: number): number {
  if (firstSentAtMs === null) return 0;
  return Math.max(0, Math.floor(nowMs / MS_PER_DAY) - Math.floor(firstSentAtMs / MS_PER_DAY));
}

/** Messages that a lane may send on that day of its warm-up; a whole number, at least 1 and at most the ceiling. */
export function warmUpLimit({ start, factor, ceiling }: WarmUp, day: number): number {
  // Infinity on late days is the ceiling's business.
  return Math.max(1, Math.floor(Math.min(ceiling, start * factor ** day)));
}
