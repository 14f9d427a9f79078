import { didYouMean } from './problem.ts';
import {
  checkKeys,
  checkList,
  checkNumber,
  checkSpan,
  checkText,
  checkWord,
  isFields,
  isNumber,
  show,
  type Fault,
  type Fields,
  type Path,
} from './segment-check-values.ts';
import type { Measure } from './segment.ts';
import { EVENT_PROPERTIES, isEventProperty } from './segment-terms.ts';
import { parseBound, PERIOD_NAMES } from './segment-time.ts';

/** What is wrong with clauses over events. */

export const ORDERS = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const;
const COMPARISONS = [...ORDERS, 'in', 'contains', 'exists'] as const;

/** What `of` may be by measure; null where the measure takes none. */
const MEASURES: Record<Measure, readonly string[] | null> = {
  count: null,
  sum: ['total', 'quantity', 'rating'],
  min: ['total', 'quantity', 'rating'],
  max: ['total', 'quantity', 'rating'],
  first: Object.keys(EVENT_PROPERTIES),
  last: Object.keys(EVENT_PROPERTIES),
  distinct: ['category', 'sku', 'campaign', 'orderId', 'day'],
  recency: null,
  sinceFirst: null,
};
const STEPS_MAX = 10;

export function checkEvent(clause: Fields, path: Path, fault: Fault): void {
  checkName(clause.event, [...path, 'event'], fault);
  const { measure = 'count' } = clause;
  const known = checkWord(measure, Object.keys(MEASURES), [...path, 'measure'], fault);
  checkWindow(clause, path, fault);
  if (known) {
    checkOf(clause, measure as Measure, path, fault);
    checkMeasured(clause, measure as Measure, path, fault);
  }
}

export function checkNever(clause: Fields, path: Path, fault: Fault): void {
  checkName(clause.never, [...path, 'never'], fault);
  checkWindow(clause, path, fault);
}

function checkName(name: unknown, path: Path, fault: Fault): void {
  checkText(name, path, 'the name of an event such as "Order Completed"', fault);
}

function checkOf(clause: Fields, measure: Measure, path: Path, fault: Fault): void {
  const known = MEASURES[measure];
  const at = [...path, 'of'];
  if (clause.of === undefined) {
    if (measure === 'distinct')
      fault(
        at,
        `is missing; expected one of ${known!.join(', ')}, or a property of the shop’s own.`,
      );
    return;
  }
  if (known === null) {
    fault(at, `needs a measure such as "sum"; expected it to be left out of a ${show(measure)}.`);
    return;
  }
  checkText(clause.of, at, 'the name of a property', fault);
  if (typeof clause.of !== 'string' || known.includes(clause.of)) return;
  const near = didYouMean(clause.of, known);
  if (near) fault(at, `is "${clause.of}"; did you mean "${near}"?`);
  else if (isEventProperty(clause.of)) {
    const kind = measure === 'distinct' ? 'a text' : 'a number';
    fault(at, `is "${clause.of}"; expected ${kind}, such as ${known.join(', ')}.`);
  }
}

/** The comparison with what was measured. */
function checkMeasured(clause: Fields, measure: Measure, path: Path, fault: Fault): void {
  const { is, value, of = 'total' } = clause;
  const at = [...path, 'value'];
  const either = measure === 'first' || measure === 'last';
  const column = typeof of === 'string' && isEventProperty(of) ? EVENT_PROPERTIES[of] : null;
  const isText = either && column !== 'number' && (column === 'text' || !isNumber(value));
  if (isText) {
    if (!checkWord(is, [...ORDERS, 'in'], [...path, 'is'], fault)) return;
    if (is === 'in') checkList(value, at, (item) => typeof item === 'string', 'texts', fault);
    else checkText(value, at, `a text, since "${String(of)}" is one`, fault);
    return;
  }
  if (!checkWord(is, ORDERS, [...path, 'is'], fault)) return;
  if ((measure === 'recency' || measure === 'sinceFirst') && (is === 'eq' || is === 'ne')) {
    fault(
      [...path, 'is'],
      `is ${show(is)}; expected lt, le, gt or ge, since days since an event are no whole number.`,
    );
  }
  checkNumber(value, at, fault);
  const counted = measure === 'count' || measure === 'distinct';
  if (counted && isNumber(value) && !Number.isInteger(value)) {
    fault(at, `is ${value}; expected a whole number, since events are counted.`);
  }
}

/** `where`, `within`, `since`, `before` and `zone`. */
function checkWindow(clause: Fields, path: Path, fault: Fault): void {
  if (clause.within !== undefined) {
    checkSpan(clause.within, [...path, 'within'], fault);
    if (clause.since !== undefined) {
      fault(
        [...path, 'since'],
        'says with "within" where the window begins; expected one of them.',
      );
    }
  }
  for (const field of ['since', 'before'] as const) {
    const value = clause[field];
    if (value === undefined) continue;
    if (typeof value === 'string' && parseBound(value) !== null) continue;
    const near = typeof value === 'string' ? didYouMean(value, PERIOD_NAMES) : null;
    fault(
      [...path, field],
      near
        ? `is ${show(value)}; did you mean "${near}"?`
        : `is ${show(value)}; expected a date such as "2026-11-27", a time such as "2026-11-27T18:00" or "2026-11-27T17:00:00Z", a span ago such as "30d", or one of ${PERIOD_NAMES.join(', ')}.`,
    );
  }
  checkWhere(clause.where, [...path, 'where'], fault);
  checkZone(clause, path, fault);
}

export function checkZone(clause: Fields, path: Path, fault: Fault): void {
  if (clause.zone !== undefined)
    checkWord(clause.zone, ['shop', 'person'], [...path, 'zone'], fault);
}

function checkWhere(where: unknown, path: Path, fault: Fault): void {
  if (where === undefined) return;
  const known = Object.keys(EVENT_PROPERTIES);
  if (!isFields(where)) {
    fault(
      path,
      `is ${show(where)}; expected an object with ${known.join(', ')}, or properties of the shop’s own.`,
    );
    return;
  }
  for (const [property, filter] of Object.entries(where)) {
    const at = [...path, property];
    if (!isEventProperty(property)) {
      const near = didYouMean(property, known);
      if (near) fault(at, `is no property; did you mean "${near}"?`);
    }
    checkFilter(filter, isEventProperty(property) ? EVENT_PROPERTIES[property] : null, at, fault);
  }
}

function checkFilter(
  filter: unknown,
  kind: 'text' | 'number' | null,
  path: Path,
  fault: Fault,
): void {
  if (isFields(filter)) {
    checkKeys(filter, ['is', 'value'], path, fault);
    if (!checkTest(filter, path, fault)) return;
    if (filter.is !== 'exists') checkKindOf(filter.value, kind, [...path, 'value'], fault);
    return;
  }
  if (Array.isArray(filter)) {
    const fits = (item: unknown): boolean =>
      (typeof item === 'string' && item !== '') || isNumber(item);
    checkList(filter, path, fits, kind === 'number' ? 'numbers' : 'texts', fault);
  } else if (typeof filter === 'string')
    checkText(filter, path, 'a text or a list of texts', fault);
  else if (typeof filter !== 'boolean' && !isNumber(filter)) {
    fault(path, `is ${show(filter)}; expected a value, a list of values, or {is, value}.`);
    return;
  }
  checkKindOf(filter, kind, path, fault);
}

function checkKindOf(
  value: unknown,
  kind: 'text' | 'number' | null,
  path: Path,
  fault: Fault,
): void {
  if (kind === null || value === undefined) return;
  const wanted = kind === 'text' ? 'string' : 'number';
  const items: unknown[] = Array.isArray(value) ? value : [value];
  if (items.every((item) => typeof item === wanted)) return;
  fault(path, `is ${show(value)}; expected ${kind === 'text' ? 'a text' : 'a number'} here.`);
}

/** `is` and `value` of a comparison with a trait or a property. @returns whether `is` is one at all */
export function checkTest(clause: Fields, path: Path, fault: Fault): boolean {
  if (!checkWord(clause.is, COMPARISONS, [...path, 'is'], fault)) return false;
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
  } else if (is === 'in') {
    const fits = (item: unknown): boolean => typeof item === 'string' || isNumber(item);
    checkList(value, at, fits, 'texts or numbers', fault);
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
  return true;
}

export function checkSequence(clause: Fields, path: Path, fault: Fault): void {
  checkWindow(clause, path, fault);
  const { sequence } = clause;
  const at = [...path, 'sequence'];
  if (!Array.isArray(sequence) || sequence.length < 2 || sequence.length > STEPS_MAX) {
    fault(at, `is ${show(sequence)}; expected a list of 2 to ${STEPS_MAX} steps.`);
    return;
  }
  sequence.forEach((step: unknown, index) =>
    checkStep(step, index, sequence, [...at, index], fault),
  );
}

function checkStep(
  step: unknown,
  index: number,
  steps: readonly unknown[],
  path: Path,
  fault: Fault,
): void {
  if (!isFields(step) || Object.hasOwn(step, 'event') === Object.hasOwn(step, 'never')) {
    fault(path, `is ${show(step)}; expected a step with either "event" or "never".`);
    return;
  }
  const never = Object.hasOwn(step, 'never');
  checkKeys(step, [never ? 'never' : 'event', 'where', 'within'], path, fault);
  checkName(never ? step.never : step.event, [...path, never ? 'never' : 'event'], fault);
  checkWhere(step.where, [...path, 'where'], fault);
  if (step.within !== undefined) checkSpan(step.within, [...path, 'within'], fault);
  const before = steps[index - 1];
  if (index === 0 && never) fault(path, 'begins with "never"; expected an event first.');
  if (index === 0 && step.within !== undefined) {
    fault(
      [...path, 'within'],
      'has no step before it to count from; expected it on a later step, or beside "sequence".',
    );
  }
  if (never && isFields(before) && Object.hasOwn(before, 'never')) {
    fault(path, 'follows another "never"; expected an event between them.');
  }
  if (never && index < steps.length - 1 && step.within !== undefined) {
    fault(
      [...path, 'within'],
      'stands on a "never" between two events; expected it on the event after it.',
    );
  }
}
