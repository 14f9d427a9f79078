import { MS_PER_DAY } from './clock.ts';

/** Where in the call, as a JSON pointer, and what is wrong there; never the value itself. */
export interface IntakeNote {
  readonly pointer: string;
  readonly message: string;
}

/** A call, or a part of it, that cannot be taken. */
export class Refusal extends Error {
  readonly note: IntakeNote;

  constructor(pointer: string, message: string) {
    super(message);
    this.note = { pointer, message };
  }
}

export const ID_CHARS_MAX = 200;
export const NAME_CHARS_MAX = 100;
/** Deeper data is a mistake, and PostgreSQL's parser recurses. */
const DEPTH_MAX = 12;
/** Clocks go wrong by minutes; an event of next week would leak the future into features. */
const AHEAD_MAX_MS = MS_PER_DAY;

export function record(value: unknown, pointer: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Refusal(pointer, 'is not an object');
}

export function optionalId(value: unknown, pointer: string): string | null {
  if (value === undefined || value === null || value === '') return null;
  const id = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof id !== 'string' || id.length > ID_CHARS_MAX || hasControl(id)) {
    throw new Refusal(
      pointer,
      `is not an id; expected a text of at most ${ID_CHARS_MAX} characters`,
    );
  }
  return id;
}

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;
export function hasControl(text: string): boolean {
  return CONTROL.test(text);
}

const ISO_INSTANT =
  /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

/** Clocks of clients that are right within this are not corrected: the way here takes a moment too. */
const SKEW_MS = 1_000;

/**
 * When it happened, by the shop's clock. `sentAt` is the moment of sending by the clock that wrote `timestamp`, so what
 * lies between them holds however wrong that clock is.
 */
export function instantOf(timestamp: unknown, sentAt: unknown, nowMs: number): number {
  const given = timestamp ?? sentAt;
  if (given === undefined || given === null) return nowMs;
  const saidMs = parseInstant(given, '/timestamp');
  const sentMs = sentAt === undefined || sentAt === null ? nowMs : parseInstant(sentAt, '/sentAt');
  const skewMs = nowMs - sentMs;
  const atMs = Math.abs(skewMs) > SKEW_MS ? saidMs + skewMs : saidMs;
  if (atMs > nowMs + AHEAD_MAX_MS) {
    throw new Refusal('/timestamp', 'lies more than a day ahead of the shop’s clock');
  }
  // The first year of the common calendar that every part of Kairos can hold.
  if (atMs < 0) throw new Refusal('/timestamp', 'lies before 1970');
  return atMs;
}

/** What clients send nearly always; parsed without a look at its parts. */
const UTC_MS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function parseInstant(value: unknown, pointer: string): number {
  const text = typeof value === 'string' ? value : '';
  const atMs = Date.parse(UTC_MS.test(text) ? text : wholeInstant(text));
  if (Number.isNaN(atMs)) throw new Refusal(pointer, 'is not an instant; expected ISO 8601');
  return atMs;
}

/** A time without an offset is UTC, whatever zone this machine is in. */
function wholeInstant(text: string): string {
  if (!ISO_INSTANT.test(text)) return '';
  return /(?:Z|[+-]\d\d:?\d\d)$/.test(text) || text.length === 10 ? text : `${text}Z`;
}

/** True for what PostgreSQL can store: no deep data, NUL, broken Unicode or infinite number. The usual case, fast. */
function isStorable(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed();
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= DEPTH_MAX) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isStorable(item, depth + 1)) return false;
    return true;
  }
  for (const key of Object.keys(value)) {
    if (key.includes('\0') || !key.isWellFormed()) return false;
    if (!isStorable((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

/** {@link isStorable} of data whose texts are known to be sound. */
function isShallow(value: object, depth: number): boolean {
  if (depth >= DEPTH_MAX) return false;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (typeof item === 'number' ? !Number.isFinite(item) : false) return false;
    if (typeof item === 'object' && item !== null && !isShallow(item, depth + 1)) return false;
  }
  return true;
}

/** True of JSON that has no escape that could become a NUL or half a character; raw ones are not in it. */
export function isPlainJson(text: string): boolean {
  return !text.includes('\\u');
}

/** As {@link checkStorable}, for what was parsed from {@link isPlainJson}. */
export function checkShallow(value: object): void {
  if (!isShallow(value, 0)) checkText(value, '', 0);
}

/** Refuses what PostgreSQL would refuse, and with it everyone else's events of the batch; names the place. */
export function checkStorable(value: unknown): void {
  if (!isStorable(value, 0)) checkText(value, '', 0);
}

function checkText(value: unknown, pointer: string, depth: number): void {
  if (depth > DEPTH_MAX) throw new Refusal(pointer, `is nested deeper than ${DEPTH_MAX} levels`);
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) {
      throw new Refusal(pointer, 'holds a NUL or broken Unicode');
    }
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Refusal(pointer, 'is too large a number');
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => checkText(item, `${pointer}/${index}`, depth + 1));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (key.includes('\0') || !key.isWellFormed()) {
        throw new Refusal(pointer, 'has a name with a NUL or broken Unicode');
      }
      checkText(item, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1);
    }
  }
}
