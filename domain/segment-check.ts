import { parseSpan } from './campaign.ts';
import { MS_PER_DAY } from './clock.ts';
import { LIMITS } from './limits.ts';
import { didYouMean } from './problem.ts';
import { BUILT_IN_TRAITS, isBuiltInTrait, type TraitKind } from './segment-terms.ts';

/**
 * What is wrong with a segment, a sentence each. A segment has no tag that names its kind, so a validator would say
 * "matches none of seven"; this finds the kind by its field first, and then says what is wrong with that kind.
 */
export type Path = readonly (string | number)[];
/** Told of each fault: where, and the rest of a sentence whose subject is that place. */
export type Fault = (path: Path, message: string) => void;
type Fields = Readonly<Record<string, unknown>>;

const ORDERS = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const;
const COMPARISONS = [...ORDERS, 'in', 'contains', 'exists'] as const;
const FIELDS = {
  all: ['all'],
  any: ['any'],
  not: ['not'],
  trait: ['trait', 'is', 'value'],
  event: ['event', 'measure', 'of', 'within', 'where', 'is', 'value'],
  score: ['score', 'is', 'value'],
  cluster: ['cluster'],
} as const;
type Kind = keyof typeof FIELDS;
const KINDS = Object.keys(FIELDS) as Kind[];
const WHERE = ['category', 'sku', 'campaign'] as const;

/** More clauses than that are a list of people, not a segment; each is an aggregate of the query. */
const CLAUSES_MAX = 200;
const LIST_MAX = 1_000;
const TEXT_MAX = 200;
const SPAN_MAX_MS = 3_660 * MS_PER_DAY;

/** Tells `fault` of everything that keeps `input` from being a segment. */
export function findFaults(input: unknown, fault: Fault): void {
  const clauses = checkNode(input, [], 1, fault);
  if (clauses > CLAUSES_MAX) {
    fault(
      [],
      `has ${clauses} clauses; expected at most ${CLAUSES_MAX}: use "in" with a list of values.`,
    );
  }
}

/** @returns how many clauses it holds */
function checkNode(input: unknown, path: Path, depth: number, fault: Fault): number {
  if (!isFields(input)) {
    fault(path, `is ${show(input)}; expected a segment such as {"event": "Order Completed", …}.`);
    return 0;
  }
  if (depth > LIMITS.segmentDepthMax) {
    fault(
      path,
      `is nested deeper than ${LIMITS.segmentDepthMax} levels; expected a flatter segment.`,
    );
    return 0;
  }
  const kinds = KINDS.filter((kind) => Object.hasOwn(input, kind));
  const kind = kinds[0];
  if (kind === undefined || kinds.length > 1) {
    const found = kind === undefined ? suggestKind(input) : `has ${kinds.join(' and ')} at once`;
    fault(path, `${found}; expected exactly one of ${KINDS.join(', ')}.`);
    return 0;
  }
  checkKeys(input, FIELDS[kind], path, fault);
  if (kind === 'all' || kind === 'any') {
    const parts = input[kind];
    if (!Array.isArray(parts)) {
      fault([...path, kind], `is ${show(parts)}; expected a list of segments.`);
      return 0;
    }
    const counts = parts.map((part, index) =>
      checkNode(part, [...path, kind, index], depth + 1, fault),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }
  if (kind === 'not') return checkNode(input.not, [...path, 'not'], depth + 1, fault);
  CHECKS[kind](input, path, fault);
  return 1;
}

const CHECKS = { trait: checkTrait, event: checkEvent, score: checkScore, cluster: checkCluster };

function checkTrait(clause: Fields, path: Path, fault: Fault): void {
  checkText(clause.trait, [...path, 'trait'], 'the name of a trait', fault);
  if (!checkWord(clause.is, COMPARISONS, [...path, 'is'], fault)) return;
  const at = [...path, 'value'];
  const { is, value } = clause;
  const type = typeof value;
  if (is === 'exists') {
    if (value !== undefined && type !== 'boolean') {
      fault(
        at,
        `is ${show(value)}; expected true, false or nothing, since "exists" compares nothing.`,
      );
    }
    return;
  }
  if (is === 'in') {
    checkList(
      value,
      at,
      (item) => typeof item === 'string' || isNumber(item),
      'texts or numbers',
      fault,
    );
  } else if (is === 'contains') {
    if (type !== 'string' || value === '')
      fault(at, `is ${show(value)}; expected a text to look for.`);
  } else if (is === 'eq' || is === 'ne') {
    if (type !== 'string' && type !== 'boolean' && !isNumber(value)) {
      fault(at, `is ${show(value)}; expected a text, a number, true or false.`);
    }
  } else if (type !== 'string' && !isNumber(value)) {
    fault(at, `is ${show(value)}; expected a number, or a text such as "2026-12-01".`);
  }
  if (typeof clause.trait === 'string') checkKind(clause.trait, clause, path, fault);
}

/** A built-in trait has one kind of value; asking it for another would silently match nobody. */
function checkKind(trait: string, clause: Fields, path: Path, fault: Fault): void {
  if (!isBuiltInTrait(trait)) {
    // `timezone` would be a trait of the shop's own, and match nobody.
    const known = Object.keys(BUILT_IN_TRAITS);
    const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z]/g, '');
    const meant = known.find((name) => plain(name) === plain(trait));
    if (meant) fault([...path, 'trait'], `is "${trait}"; did you mean "${meant}"?`);
    return;
  }
  const kind: TraitKind = BUILT_IN_TRAITS[trait];
  const items: unknown[] = Array.isArray(clause.value) ? clause.value : [clause.value];
  const wanted = kind === 'text' ? 'string' : 'boolean';
  if (items.some((item) => item !== undefined && typeof item !== wanted)) {
    const words =
      kind === 'text'
        ? `a text, since "${trait}" is one`
        : `true or false, since "${trait}" is a flag`;
    fault([...path, 'value'], `is ${show(clause.value)}; expected ${words}.`);
  } else if (kind === 'flag' && clause.is !== 'eq' && clause.is !== 'ne') {
    fault(
      [...path, 'is'],
      `is ${show(clause.is)}; expected eq or ne, since "${trait}" is true or false.`,
    );
  }
}

function checkEvent(clause: Fields, path: Path, fault: Fault): void {
  checkText(
    clause.event,
    [...path, 'event'],
    'the name of an event such as "Order Completed"',
    fault,
  );
  const { measure = 'count' } = clause;
  checkWord(measure, ['count', 'sum', 'recency'], [...path, 'measure'], fault);
  if (clause.of !== undefined) {
    checkWord(clause.of, ['total', 'quantity'], [...path, 'of'], fault);
    if (measure !== 'sum') {
      fault(
        [...path, 'of'],
        `needs the measure "sum"; expected it to be left out of a ${show(measure)}.`,
      );
    }
  }
  if (clause.within !== undefined) checkSpan(clause.within, [...path, 'within'], fault);
  checkWhere(clause.where, [...path, 'where'], fault);
  checkWord(clause.is, ORDERS, [...path, 'is'], fault);
  if (measure === 'recency' && (clause.is === 'eq' || clause.is === 'ne')) {
    fault(
      [...path, 'is'],
      `is ${show(clause.is)}; expected lt, le, gt or ge, since days since the last one are no whole number.`,
    );
  }
  checkNumber(clause.value, [...path, 'value'], fault);
  if (measure === 'count' && isNumber(clause.value) && !Number.isInteger(clause.value)) {
    fault(
      [...path, 'value'],
      `is ${clause.value}; expected a whole number, since events are counted.`,
    );
  }
}

function checkWhere(where: unknown, path: Path, fault: Fault): void {
  if (where === undefined) return;
  if (!isFields(where)) {
    fault(path, `is ${show(where)}; expected an object with ${WHERE.join(', ')}.`);
    return;
  }
  checkKeys(where, WHERE, path, fault);
  for (const name of WHERE) {
    if (where[name] !== undefined) checkTexts(where[name], [...path, name], fault);
  }
}

function checkScore(clause: Fields, path: Path, fault: Fault): void {
  checkText(clause.score, [...path, 'score'], 'the name of a model', fault);
  checkWord(clause.is, ['lt', 'le', 'gt', 'ge'], [...path, 'is'], fault);
  checkNumber(clause.value, [...path, 'value'], fault);
}

function checkCluster(clause: Fields, path: Path, fault: Fault): void {
  checkTexts(clause.cluster, [...path, 'cluster'], fault);
}

function checkTexts(value: unknown, path: Path, fault: Fault): void {
  if (!Array.isArray(value)) checkText(value, path, 'a text or a list of texts', fault);
  else checkList(value, path, (item) => typeof item === 'string' && item !== '', 'texts', fault);
}

function checkList(
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

function checkText(value: unknown, path: Path, what: string, fault: Fault): void {
  if (typeof value === 'string' && value !== '' && value.length <= TEXT_MAX) return;
  const length =
    typeof value === 'string' && value !== '' ? `, at most ${TEXT_MAX} characters` : '';
  fault(
    path,
    `${value === undefined ? 'is missing' : `is ${show(value)}`}; expected ${what}${length}.`,
  );
}

function checkNumber(value: unknown, path: Path, fault: Fault): void {
  if (!isNumber(value))
    fault(path, `${value === undefined ? 'is missing' : `is ${show(value)}`}; expected a number.`);
}

function checkSpan(value: unknown, path: Path, fault: Fault): void {
  const ms = typeof value === 'string' ? parseSpan(value) : null;
  if (ms === null || ms <= 0 || ms > SPAN_MAX_MS) {
    fault(
      path,
      `is ${show(value)}; expected a span of up to ten years such as "30d", "12h" or "8w".`,
    );
  }
}

function checkWord(value: unknown, words: readonly string[], path: Path, fault: Fault): boolean {
  if (typeof value === 'string' && words.includes(value)) return true;
  const near = typeof value === 'string' ? didYouMean(value, words) : null;
  const found = value === undefined ? 'is missing' : `is ${show(value)}`;
  fault(
    path,
    near ? `${found}; did you mean "${near}"?` : `${found}; expected one of ${words.join(', ')}.`,
  );
  return false;
}

function checkKeys(fields: Fields, known: readonly string[], path: Path, fault: Fault): void {
  for (const key of Object.keys(fields)) {
    if (known.includes(key)) continue;
    const near = didYouMean(key, known);
    const expected = near ? `did you mean "${near}"?` : `expected only ${known.join(', ')}.`;
    fault([...path, key], `is no field of this; ${expected}`);
  }
}

function suggestKind(fields: Fields): string {
  for (const key of Object.keys(fields)) {
    const near = didYouMean(key, KINDS);
    if (near) return `has "${key}", perhaps for "${near}"`;
  }
  return 'says nothing';
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function show(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  }
  if (Array.isArray(value))
    return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'function') return 'a function';
  return value === undefined ? 'missing' : String(value as number | boolean | null);
}
