/** Writes a line of the log: an event's name, and codes and numbers. */
export type Log = (event: string, detail?: Record<string, unknown>) => void;

/** Different lines that are remembered; more of them in one span are rare, and then told. */
const KINDS_MAX = 1_000;

/**
 * A log that an outage cannot flood: of lines that differ in numbers only, one is written in each span, the next one with
 * how many were left out between. What matters is counted in the metrics anyway.
 */
export function limitedLog(log: Log, spanMs = 10_000, now: () => number = Date.now): Log {
  const seen = new Map<string, { atMs: number; leftOut: number }>();
  return (event, detail = {}) => {
    const words = Object.entries(detail).filter(([, value]) => typeof value !== 'number');
    const kind = JSON.stringify([event, words]);
    const atMs = now();
    const before = seen.get(kind);
    if (before && atMs - before.atMs < spanMs) {
      before.leftOut += 1;
      return;
    }
    if (seen.size >= KINDS_MAX) seen.clear();
    seen.set(kind, { atMs, leftOut: 0 });
    log(event, before && before.leftOut > 0 ? { ...detail, leftOut: before.leftOut } : detail);
  };
}
