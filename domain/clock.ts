/**
 * The shop's clock. Everything that asks "what time is it for the shop?" reads it from here, so that a demo, a
 * rehearsal and a test can move it. Leases and time-outs are the exception: the database's clock decides those.
 */
export interface ShopClock {
  /** Shop time in milliseconds since the Unix epoch. */
  nowMs(): number;
}

/** A clock that stands still until it is told to move; for tests. */
export function fixedClock(startMs: number): ShopClock & { advance(ms: number): void } {
  let now = startMs;
  return {
    nowMs: () => now,
    advance(ms) {
      now += ms;
    },
  };
}

export const MS_PER_HOUR = 3_600_000;
export const MS_PER_DAY = 86_400_000;
