import { MS_PER_HOUR } from './clock.ts';

/**
 * Wall-clock time in a time zone. Not for workflows: the zone data comes with the runtime and is not versioned, so a
 * replay on another machine could differ; workflows ask an activity.
 */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    formats.set(timeZone, format);
  }
  return format;
}

/** True where the runtime knows the IANA name. */
export function isTimeZone(timeZone: string): boolean {
  try {
    formatOf(timeZone);
    return true;
  } catch {
    return false;
  }
}

/** Milliseconds that local time is ahead of UTC in this zone at this instant. */
export function offsetMs(atMs: number, timeZone: string): number {
  const whole = Math.floor(atMs / 1000) * 1000;
  const parts: Record<string, number> = {};
  for (const part of formatOf(timeZone).formatToParts(whole)) parts[part.type] = Number(part.value);
  const local = Date.UTC(
    parts['year']!,
    parts['month']! - 1,
    parts['day'],
    parts['hour'],
    parts['minute'],
    parts['second'],
  );
  return local - whole;
}

/** Hour of the day, 0 ≤ h < 24 with its fraction, in this zone. */
export function localHour(atMs: number, timeZone: string): number {
  const local = atMs + offsetMs(atMs, timeZone);
  return (((local / MS_PER_HOUR) % 24) + 24) % 24;
}

/**
 * The instant of a local wall-clock time. In the hour that daylight saving skips, the first instant after the gap; in
 * the hour that comes twice, the first of the two.
 */
export function instantOf(localMs: number, timeZone: string): number {
  // Both offsets that can be in force around that day; the earlier instant that maps back wins.
  const candidates = [-24, 0, 24]
    .map((hours) => localMs - offsetMs(localMs + hours * MS_PER_HOUR, timeZone))
    .sort((a, b) => a - b);
  for (const candidate of candidates) {
    if (candidate + offsetMs(candidate, timeZone) === localMs) return candidate;
  }
  // A gap: no instant has this wall-clock time. Its end is the first instant after which local time is later.
  let low = candidates[0]! - 3 * MS_PER_HOUR;
  let high = candidates.at(-1)! + 3 * MS_PER_HOUR;
  while (high - low > 1000) {
    const middle = low + Math.floor((high - low) / 2000) * 1000;
    if (middle + offsetMs(middle, timeZone) > localMs) high = middle;
    else low = middle;
  }
  return high;
}

/** Quiet hours of a person's day, from and to in hours; `{from: 21, to: 8}` reaches over midnight. */
export interface QuietHours {
  readonly from: number;
  readonly to: number;
}

export function isQuiet(hour: number, quiet: QuietHours): boolean {
  if (quiet.from === quiet.to) return false;
  return quiet.from < quiet.to
    ? hour >= quiet.from && hour < quiet.to
    : hour >= quiet.from || hour < quiet.to;
}

/** The first instant at or after `atMs` outside of the quiet hours. */
export function afterQuiet(atMs: number, timeZone: string, quiet: QuietHours): number {
  if (!isQuiet(localHour(atMs, timeZone), quiet)) return atMs;
  const local = atMs + offsetMs(atMs, timeZone);
  const day = Math.floor(local / (24 * MS_PER_HOUR)) * 24 * MS_PER_HOUR;
  const end = day + quiet.to * MS_PER_HOUR;
  const next = instantOf(end > local ? end : end + 24 * MS_PER_HOUR, timeZone);
  // Daylight saving can put the end of the quiet hours into a repeated hour that is quiet again.
  return next > atMs && !isQuiet(localHour(next, timeZone), quiet) ? next : next + MS_PER_HOUR;
}
