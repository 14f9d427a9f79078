import { parseSpan } from './campaign.ts';
import { MS_PER_DAY } from './clock.ts';
import { didYouMean } from './problem.ts';

/** The values that clauses of a segment are made of, each with its sentence. */
export type Path = readonly (string | number)[];
/** Told of each fault: where, and the rest of a sentence whose subject is that place. */
export type Fault = (path: Path, message: string) => void;
export type Fields = Readonly<Record<string, unknown>>;

const LIST_MAX = 1_000;
const TEXT_MAX = 200;
const SPAN_MAX_MS = 3_660 * MS_PER_DAY;

export function checkTexts(value: unknown, path: Path, fault: Fault): void {
  if (!Array.isArray(value)) checkText(value, path, 'a text or a list of texts', fault);
  else checkList(value, path, (item) => typeof item === 'string' && item !== '', 'texts', fault);
}

export function checkList(
  value: unknown,
  path: Path,
  fits: (item: unknown) => boolean,
  what: string,
  fault: Fault,
): void {
  if (!Array.isArray(value) || value.length === 0 || value.length > LIST_MAX) {
    fault(path, `is ${show(value)}; expected a list of 1 to ${LIST_MAX} ${what}.`);
    return;
  }
  value.forEach((item, index) => {
    if (!fits(item))
      fault([...path, index], `is ${show(item)}; expected only ${what} in the list.`);
  });
}

export function checkText(value: unknown, path: Path, what: string, fault: Fault): void {
  if (typeof value === 'string' && value !== '' && value.length <= TEXT_MAX) return;
  const length =
    typeof value === 'string' && value !== '' ? `, at most ${TEXT_MAX} characters` : '';
  fault(
    path,
    `${value === undefined ? 'is missing' : `is ${show(value)}`}; expected ${what}${length}.`,
  );
}

export function checkRange(
  value: unknown,
  [low, high]: readonly [number, number],
  path: Path,
  fault: Fault,
): void {
  if (isNumber(value) && value >= low && value <= high) return;
  const found = value === undefined ? 'is missing' : `is ${show(value)}`;
  fault(path, `${found}; expected a number from ${low} to ${high}.`);
}

export function checkNumber(value: unknown, path: Path, fault: Fault): void {
  if (!isNumber(value))
    fault(path, `${value === undefined ? 'is missing' : `is ${show(value)}`}; expected a number.`);
}

export function checkSpan(value: unknown, path: Path, fault: Fault): void {
  const ms = typeof value === 'string' ? parseSpan(value) : null;
  if (ms === null || ms <= 0 || ms > SPAN_MAX_MS) {
    fault(
      path,
      `is ${show(value)}; expected a span of up to ten years such as "30d", "12h" or "8w".`,
    );
  }
}

/** How other languages write the comparisons. */
const MEANT: Readonly<Record<string, string>> = {
  '=': 'eq',
  '==': 'eq',
  '===': 'eq',
  '!=': 'ne',
  '<>': 'ne',
  '<': 'lt',
  '<=': 'le',
  lte: 'le',
  '>': 'gt',
  '>=': 'ge',
  gte: 'ge',
};

export function checkWord(
  value: unknown,
  words: readonly string[],
  path: Path,
  fault: Fault,
): boolean {
  if (typeof value === 'string' && words.includes(value)) return true;
  const found = value === undefined ? 'is missing' : `is ${show(value)}`;
  const meant = typeof value === 'string' && Object.hasOwn(MEANT, value) ? MEANT[value]! : '';
  const near = typeof value === 'string' ? didYouMean(value, words) : null;
  const word = words.includes(meant) ? meant : near;
  const expected = word ? `did you mean "${word}"?` : `expected one of ${words.join(', ')}.`;
  fault(path, `${found}; ${expected}`);
  return false;
}

export function checkKeys(
  fields: Fields,
  known: readonly string[],
  path: Path,
  fault: Fault,
): void {
  for (const key of Object.keys(fields)) {
    if (known.includes(key)) continue;
    const near = didYouMean(key, known);
    const expected = near ? `did you mean "${near}"?` : `expected only ${known.join(', ')}.`;
    fault([...path, key], `is no field of this; ${expected}`);
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

export function show(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  }
  if (Array.isArray(value))
    return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'function') return 'a function';
  return value === undefined ? 'missing' : String(value as number | boolean | null);
}
