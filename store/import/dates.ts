import { instantOf } from '../../domain/local-time.ts';

/** Reads dates as shops write them. NaN stands for "not a date" throughout: it costs nothing in a hot loop. */
const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 86_400_000;
const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];

/** Day 0 of Excel's calendar; it counts 29 February 1900, which never was, so it holds from March 1900 on. */
const EXCEL_DAY_0 = Date.UTC(1899, 11, 30);

/** Wall-clock times to instants; the zone's offset is asked for once an hour of the calendar, not once a row. */
export function zoneClock(timeZone: string): (localMs: number) => number {
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC') return (localMs) => localMs;
  const offsets = new Map<number, number>();
  return (localMs) => {
    if (Number.isNaN(localMs)) return Number.NaN;
    const hour = Math.floor(localMs / MS_PER_HOUR);
    let offset = offsets.get(hour);
    if (offset === undefined) {
      const begin = instantOf(hour * MS_PER_HOUR, timeZone);
      const end = instantOf((hour + 1) * MS_PER_HOUR - 1_000, timeZone);
      // In an hour that the clock skips or stops in, one offset does not hold.
      offset = end - begin === MS_PER_HOUR - 1_000 ? begin - hour * MS_PER_HOUR : Number.NaN;
      if (offsets.size > 100_000) offsets.clear();
      offsets.set(hour, offset);
    }
    return Number.isNaN(offset) ? instantOf(localMs, timeZone) : localMs + offset;
  };
}

export type DateReader = (text: string) => number;

export function isDateFormat(format: string): boolean {
  return SPECIAL.has(format) || compile(format) !== null;
}

const SPECIAL = new Set(['epoch-s', 'epoch-ms', 'excel']);

/** A reader for `format`, or for ISO 8601 where it is absent; instants in milliseconds. */
export function dateReader(
  format: string | undefined,
  toInstant: (localMs: number) => number,
): DateReader {
  if (format === undefined) return (text) => readIso(text, toInstant);
  if (format === 'epoch-s') return (text) => Math.round(plainNumber(text) * 1_000);
  if (format === 'epoch-ms') return (text) => Math.round(plainNumber(text));
  if (format === 'excel') {
    // Excel keeps seconds as fractions of a day; what is finer is rounding.
    return (text) => toInstant(EXCEL_DAY_0 + Math.round(plainNumber(text) * 86_400) * 1_000);
  }
  const steps = compile(format);
  if (!steps) return () => Number.NaN;
  return (text) => readBy(steps, text, toInstant);
}

function plainNumber(text: string): number {
  return /^[+-]?\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
}

/** Milliseconds of a wall clock; NaN where there is no such day or time. */
export function wallClock(
  year: number,
  month: number,
  day: number,
  hour = 0,
  minute = 0,
  second = 0,
  milli = 0,
): number {
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59)
    return Number.NaN;
  if (day > 28 && day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return Number.NaN;
  return Date.UTC(year, month - 1, day, hour, minute, second, milli);
}

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?)?$/;

function readIso(text: string, toInstant: (localMs: number) => number): number {
  const match = ISO.exec(text);
  if (!match) return Number.NaN;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const local = wallClock(
    Number(year),
    Number(month),
    Number(day),
    Number(hour ?? 0),
    Number(minute ?? 0),
    Number(second ?? 0),
    fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * 1_000),
  );
  return zone === undefined ? toInstant(local) : local - offsetOf(zone);
}

/** Milliseconds of `Z`, `+02`, `+0200` or `+02:00`. */
function offsetOf(zone: string): number {
  if (zone === 'Z') return 0;
  const digits = zone.slice(1).replace(':', '');
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0);
  return (zone.startsWith('-') ? -1 : 1) * minutes * 60_000;
}

// Patterns

interface Parts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  milli: number;
  afternoon: boolean | null;
  offset: number | null;
}

/** Reads one part at `at`; returns where the next begins, or -1. */
type Step = (text: string, at: number, parts: Parts) => number;

const TOKEN = /yyyy|yy|MMMM|MMM|MM|M|dd|d|HH|H|hh|h|mm|m|ss|s|S+|a|XXX|'[^']*'|[^A-Za-z']/y;

function compile(format: string): Step[] | null {
  const steps: Step[] = [];
  const names: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < format.length) {
    const match = TOKEN.exec(format);
    if (!match) return null;
    names.push(match[0]);
    steps.push(stepOf(match[0]));
  }
  const has = (letter: string): boolean => names.some((name) => name.startsWith(letter));
  const hasDay = has('y') && has('M') && has('d');
  return hasDay && (!has('h') || has('a')) ? steps : null;
}

function stepOf(token: string): Step {
  switch (token.slice(0, 1)) {
    case 'y':
      return token === 'yyyy'
        ? digits(4, 4, (parts, value) => (parts.year = value))
        : // Two digits: 70 to 99 are the last century's, as POSIX has it for 69 on.
          digits(2, 2, (parts, value) => (parts.year = value < 70 ? 2000 + value : 1900 + value));
    case 'M':
      if (token.length >= 3) return monthName(token === 'MMM');
      return number(token, (parts, value) => (parts.month = value));
    case 'd':
      return number(token, (parts, value) => (parts.day = value));
    case 'H':
    case 'h':
      return number(token, (parts, value) => (parts.hour = value));
    case 'm':
      return number(token, (parts, value) => (parts.minute = value));
    case 's':
      return number(token, (parts, value) => (parts.second = value));
    case 'S':
      return fraction;
    case 'a':
      return halfOfDay;
    case 'X':
      return zoneStep;
    default:
      return literal(token.startsWith("'") ? token.slice(1, -1) : token);
  }
}

function number(token: string, set: (parts: Parts, value: number) => void): Step {
  return digits(token.length === 2 ? 2 : 1, 2, set);
}

function digits(least: number, most: number, set: (parts: Parts, value: number) => void): Step {
  return (text, at, parts) => {
    let end = at;
    let value = 0;
    while (end < at + most) {
      const code = text.charCodeAt(end) - 48;
      if (!(code >= 0 && code <= 9)) break;
      value = value * 10 + code;
      end += 1;
    }
    if (end - at < least) return -1;
    set(parts, value);
    return end;
  };
}

function literal(expected: string): Step {
  return (text, at) => (text.startsWith(expected, at) ? at + expected.length : -1);
}

function monthName(short: boolean): Step {
  return (text, at, parts) => {
    const rest = text.slice(at, at + 9).toLowerCase();
    const month = MONTHS.findIndex((name) => rest.startsWith(short ? name.slice(0, 3) : name));
    parts.month = month + 1;
    return month < 0 ? -1 : at + (short ? 3 : MONTHS[month]!.length);
  };
}

const fraction: Step = (text, at, parts) => {
  const match = /^\d{1,9}/.exec(text.slice(at, at + 9));
  if (!match) return -1;
  parts.milli = Math.floor(Number(`0.${match[0]}`) * 1_000);
  return at + match[0].length;
};

const halfOfDay: Step = (text, at, parts) => {
  const half = text.slice(at, at + 2).toLowerCase();
  if (half !== 'am' && half !== 'pm') return -1;
  parts.afternoon = half === 'pm';
  return at + 2;
};

const zoneStep: Step = (text, at, parts) => {
  const match = /^(?:Z|[+-]\d\d(?::?\d\d)?)/.exec(text.slice(at, at + 6));
  if (!match) return -1;
  parts.offset = offsetOf(match[0]);
  return at + match[0].length;
};

function readBy(
  steps: readonly Step[],
  text: string,
  toInstant: (localMs: number) => number,
): number {
  const parts: Parts = {
    year: 0,
    month: 0,
    day: 0,
    hour: 0,
    minute: 0,
    second: 0,
    milli: 0,
    afternoon: null,
    offset: null,
  };
  let at = 0;
  for (const step of steps) {
    at = step(text, at, parts);
    if (at < 0) return Number.NaN;
  }
  if (at !== text.length) return Number.NaN;
  let { hour } = parts;
  if (parts.afternoon !== null) {
    if (hour < 1 || hour > 12) return Number.NaN;
    hour = (hour % 12) + (parts.afternoon ? 12 : 0);
  }
  const { year, month, day, minute, second, milli, offset } = parts;
  const local = wallClock(year, month, day, hour, minute, second, milli);
  return offset === null ? toInstant(local) : local - offset;
}

/** Instants outside of these years are a mistake of the file: a missing digit, seconds for milliseconds. */
export function isPlausible(atMs: number): boolean {
  return atMs >= -25_567 * MS_PER_DAY && atMs < 84_006 * MS_PER_DAY;
}
