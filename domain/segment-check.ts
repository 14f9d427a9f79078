import { FEATURES } from './features.ts';
import { LIMITS } from './limits.ts';
import { didYouMean } from './problem.ts';
import {
  checkEvent,
  checkNever,
  checkSequence,
  checkTest,
  checkZone,
  ORDERS,
} from './segment-check-events.ts';
import {
  checkKeys,
  checkNumber,
  checkRange,
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
 * "matches none of sixteen"; this finds the kind by its field first, and then says what is wrong with that kind.
 */

const WINDOW = ['where', 'within', 'since', 'before', 'zone'] as const;
const FIELDS = {
  all: ['all'],
  any: ['any'],
  not: ['not'],
  trait: ['trait', 'is', 'value'],
  event: ['event', 'measure', 'of', ...WINDOW, 'is', 'value'],
  never: ['never', ...WINDOW],
  sequence: ['sequence', ...WINDOW.slice(1)],
  timeSince: ['timeSince', 'is', 'value', 'zone'],
  anniversary: ['anniversary', 'daysBefore', 'daysAfter', 'zone'],
  place: ['place'],
  feature: ['feature', 'is', 'value'],
  score: ['score', 'is', 'value'],
  cluster: ['cluster'],
  segment: ['segment'],
  list: ['list'],
  random: ['random', 'percent', 'from'],
} as const;
type Kind = keyof typeof FIELDS;
const KINDS = Object.keys(FIELDS) as Kind[];

/** More clauses than that are a list of people, not a segment; each is an aggregate of the query. */
const CLAUSES_MAX = 200;
/** Half a year: of two anniversaries the nearer one is meant. */
const ANNIVERSARY_DAYS_MAX = 182;

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

const CHECKS: Record<Exclude<Kind, 'all' | 'any' | 'not'>, typeof checkTrait> = {
  trait: checkTrait,
  event: checkEvent,
  never: checkNever,
  sequence: checkSequence,
  timeSince: checkTimeSince,
  anniversary: checkAnniversary,
  place: checkPlace,
  feature: checkFeature,
  score: checkScore,
  cluster: (clause, path, fault) => checkTexts(clause.cluster, [...path, 'cluster'], fault),
  segment: (clause, path, fault) =>
    checkText(clause.segment, [...path, 'segment'], 'the name of a segment', fault),
  list: (clause, path, fault) =>
    checkText(clause.list, [...path, 'list'], 'the name of a list', fault),
  random: checkRandom,
};

function checkTrait(clause: Fields, path: Path, fault: Fault): void {
  checkText(clause.trait, [...path, 'trait'], 'the name of a trait', fault);
  const fine = checkTest(clause, path, fault);
  if (fine && typeof clause.trait === 'string') checkKind(clause.trait, clause, path, fault);
}

/** A built-in trait has one kind of value; asking it for another would silently match nobody. */
function checkKind(trait: string, clause: Fields, path: Path, fault: Fault): void {
  if (!isBuiltInTrait(trait)) {
    checkTraitName(trait, [...path, 'trait'], fault);
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

/** `timezone` would be a trait of the shop's own, and match nobody. */
function checkTraitName(trait: string, path: Path, fault: Fault): void {
  const known = [...Object.keys(BUILT_IN_TRAITS), 'createdAt'];
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z]/g, '');
  const meant = known.find((name) => plain(name) === plain(trait));
  if (meant && meant !== trait) fault(path, `is "${trait}"; did you mean "${meant}"?`);
}

function checkTimeSince(clause: Fields, path: Path, fault: Fault): void {
  const at = [...path, 'timeSince'];
  checkText(clause.timeSince, at, '"createdAt" or the name of a trait that holds a date', fault);
  if (typeof clause.timeSince === 'string') checkTraitName(clause.timeSince, at, fault);
  checkWord(clause.is, ORDERS, [...path, 'is'], fault);
  if (clause.timeSince === 'createdAt' && (clause.is === 'eq' || clause.is === 'ne')) {
    fault(
      [...path, 'is'],
      `is ${show(clause.is)}; expected lt, le, gt or ge, since days since an instant are no whole number.`,
    );
  }
  checkNumber(clause.value, [...path, 'value'], fault);
  checkZone(clause, path, fault);
}

function checkAnniversary(clause: Fields, path: Path, fault: Fault): void {
  const at = [...path, 'anniversary'];
  checkText(clause.anniversary, at, '"createdAt" or the name of a trait that holds a date', fault);
  if (typeof clause.anniversary === 'string') checkTraitName(clause.anniversary, at, fault);
  for (const field of ['daysBefore', 'daysAfter'] as const) {
    const value = clause[field];
    if (value === undefined) continue;
    const whole = isNumber(value) && Number.isInteger(value);
    if (!whole || value < 0 || value > ANNIVERSARY_DAYS_MAX) {
      fault(
        [...path, field],
        `is ${show(value)}; expected a whole number of days from 0 to ${ANNIVERSARY_DAYS_MAX}.`,
      );
    }
  }
  checkZone(clause, path, fault);
}

function checkPlace(clause: Fields, path: Path, fault: Fault): void {
  const { place } = clause;
  const at = [...path, 'place'];
  const known = ['country', 'region', 'city', 'near'] as const;
  if (!isFields(place) || Object.keys(place).length === 0) {
    fault(at, `is ${show(place)}; expected an object with some of ${known.join(', ')}.`);
    return;
  }
  checkKeys(place, known, at, fault);
  for (const field of ['country', 'region', 'city'] as const) {
    if (place[field] !== undefined) checkTexts(place[field], [...at, field], fault);
  }
  if (place.near === undefined) return;
  const near = [...at, 'near'];
  if (!isFields(place.near)) {
    fault(near, `is ${show(place.near)}; expected an object with latitude, longitude, km.`);
    return;
  }
  checkKeys(place.near, ['latitude', 'longitude', 'km'], near, fault);
  checkRange(place.near.latitude, [-90, 90], [...near, 'latitude'], fault);
  checkRange(place.near.longitude, [-180, 180], [...near, 'longitude'], fault);
  checkRange(place.near.km, [0, 20_100], [...near, 'km'], fault);
}

function checkFeature(clause: Fields, path: Path, fault: Fault): void {
  const { feature } = clause;
  const at = [...path, 'feature'];
  if (typeof feature !== 'string' || !FEATURES.has(feature)) {
    const near = typeof feature === 'string' ? didYouMean(feature, [...FEATURES.keys()]) : null;
    const known = [...FEATURES.keys()].join(', ');
    const expected = near ? `did you mean "${near}"?` : `expected one of ${known}.`;
    fault(at, `is ${show(feature)}; ${expected}`);
  }
  checkWord(clause.is, ORDERS, [...path, 'is'], fault);
  checkNumber(clause.value, [...path, 'value'], fault);
}

function checkScore(clause: Fields, path: Path, fault: Fault): void {
  checkText(clause.score, [...path, 'score'], 'the name of a model', fault);
  checkWord(clause.is, ['lt', 'le', 'gt', 'ge'], [...path, 'is'], fault);
  checkNumber(clause.value, [...path, 'value'], fault);
}

function checkRandom(clause: Fields, path: Path, fault: Fault): void {
  checkText(clause.random, [...path, 'random'], 'a name that draws the share', fault);
  checkRange(clause.percent, [0, 100], [...path, 'percent'], fault);
  if (clause.from === undefined) return;
  checkRange(clause.from, [0, 100], [...path, 'from'], fault);
  if (isNumber(clause.from) && isNumber(clause.percent) && clause.from + clause.percent > 100) {
    fault(
      [...path, 'percent'],
      `reaches ${clause.from + clause.percent} with "from"; expected at most 100 together.`,
    );
  }
}

function suggestKind(fields: Fields): string {
  for (const key of Object.keys(fields)) {
    const near = didYouMean(key, KINDS);
    if (near) return `has "${key}", perhaps for "${near}"`;
  }
  return 'says nothing';
}
