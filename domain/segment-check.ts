import { LIMITS } from './limits.ts';
import { didYouMean } from './problem.ts';
import {
  checkKeys,
  checkList,
  checkNumber,
  checkSpan,
  checkText,
  checkTexts,
  checkWord,
  isFields,
  isNumber,
  show,
  type Fault,
  type Fields,
  type Path,
} from './segment-check-values.ts';
import { BUILT_IN_TRAITS, isBuiltInTrait, type TraitKind } from './segment-terms.ts';

/**
 * What is wrong with a segment, a sentence each. A segment has no tag that names its kind, so a validator would say
 * "matches none of seven"; this finds the kind by its field first, and then says what is wrong with that kind.
 */

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
  if (typeof clause.trait === 'string') checkKind(clause.trait, clause, path, fault);
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
  const fits = (item: unknown): boolean => item === undefined || typeof item === wanted;
  if (clause.is !== 'exists' && !items.every(fits)) {
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

function suggestKind(fields: Fields): string {
  for (const key of Object.keys(fields)) {
    const near = didYouMean(key, KINDS);
    if (near) return `has "${key}", perhaps for "${near}"`;
  }
  return 'says nothing';
}
