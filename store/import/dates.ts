import { MS_PER_DAY } from '../../domain/clock.ts';
import { instantOf } from '../../domain/local-time.ts';
import { LANGUAGES } from './values.ts';

/** Reads dates as shops write them. NaN stands for "not a date" throughout: it costs nothing in a hot loop. */
const MS_PER_HOUR = 3_600_000;
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

/**
 * A reader for `format` (of several the first that fits), or for ISO 8601 where it is absent; instants in milliseconds.
 * @param onImpossible makes 31 April the last day of April, and is told of it; else such a day is no date
 */
export function dateReader(
  format: string | readonly string[] | undefined,
  toInstant: (localMs: number) => number,
  onImpossible?: () => void,
): DateReader {
  if (typeof format === 'object') {
    const readers = format.map((one) => dateReader(one, toInstant, onImpossible));
    return (text) => {
      for (const read of readers) {
        const atMs = read(text);
        if (!Number.isNaN(atMs)) return atMs;
      }
      return Number.NaN;
    };
  }
  if (format === undefined) return (text) => readIso(text, toInstant, onImpossible);
  if (format === 'epoch-s') return (text) => Math.round(plainNumber(text) * 1_000);
  if (format === 'epoch-ms') return (text) => Math.round(plainNumber(text));
  if (format === 'excel') {
    // Excel keeps seconds as fractions of a day; what is finer is rounding.
    return (text) => toInstant(EXCEL_DAY_0 + Math.round(plainNumber(text) * 86_400) * 1_000);
  }
  const steps = compile(format);
  if (!steps) return () => Number.NaN;
  return (text) => readBy(steps, text, toInstant, onImpossible);
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

/** The day itself, or the last one of its month where days are mended. */
function possibleDay(
  year: number,
  month: number,
  day: number,
  onImpossible: (() => void) | undefined,
): number {
  if (!onImpossible || day <= 28 || day > 31) return day;
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (day <= last) return day;
  onImpossible();
  return last;
}

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?)?$/;

function readIso(
  text: string,
  toInstant: (localMs: number) => number,
  onImpossible: (() => void) | undefined,
): number {
  const match = ISO.exec(text);
  if (!match) return Number.NaN;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const local = wallClock(
    Number(year),
    Number(month),
    possibleDay(Number(year), Number(month), Number(day), onImpossible),
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

/** Month by its name or its short form, in lower case and without dots, in all languages that are read. */
let months: Map<string, number> | null = null;

function monthNames(): Map<string, number> {
  const known = new Map<string, number>();
  for (const language of LANGUAGES) {
    for (const month of ['long', 'short'] as const) {
      const format = new Intl.DateTimeFormat(language, { month, timeZone: 'UTC' });
      // Within a date the word may have another form, as in Polish.
      const within = new Intl.DateTimeFormat(language, { month, day: 'numeric', timeZone: 'UTC' });
      for (let index = 0; index < 12; index += 1) {
        const day = Date.UTC(2026, index, 15);
        const names = [
          format.format(day),
          within.formatToParts(day).find(({ type }) => type === 'month')?.value ?? '',
        ];
        for (const name of names) {
          const word = plainWord(name);
          if (/^\p{L}{3,}$/u.test(word) && !known.has(word)) known.set(word, index + 1);
        }
      }
    }
  }
  return known;
}

function plainWord(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll('.', '');
}

function monthName(short: boolean): Step {
  return (text, at, parts) => {
    const word = /^\p{L}+/u.exec(text.slice(at, at + 20))?.[0];
    if (word === undefined) return -1;
    months ??= monthNames();
    const month = months.get(plainWord(word));
    if (month === undefined) return -1;
    parts.month = month;
    const end = at + word.length;
    return short && text[end] === '.' ? end + 1 : end;
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
  onImpossible: (() => void) | undefined,
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
  const { year, month, minute, second, milli, offset } = parts;
  const day = possibleDay(year, month, parts.day, onImpossible);
  const local = wallClock(year, month, day, hour, minute, second, milli);
  return offset === null ? toInstant(local) : local - offset;
}

/** Instants outside of these years are a mistake of the file: a missing digit, seconds for milliseconds. */
export function isPlausible(atMs: number): boolean {
  return atMs >= -25_567 * MS_PER_DAY && atMs < 84_006 * MS_PER_DAY;
}
