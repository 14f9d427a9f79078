import { MS_PER_DAY } from './clock.ts';
import type { TraitValue } from './records.ts';
import type { Comparison, EventClause, Segment, TraitClause } from './segment.ts';
import { isBuiltInTrait, listOf, nodeOf, rowFilterOf } from './segment-terms.ts';
import type { WarehousePerson, WarehouseRow } from './warehouse-rows.ts';

/** All that a segment can ask of one person. */
export interface PersonFacts {
  readonly person: WarehousePerson;
  readonly rows: readonly WarehouseRow[];
  readonly scores: readonly { model: string; atMs: number; version: number; value: number }[];
  /** The person's name in the newest clustering before now; null where it has none. */
  readonly cluster: string | null;
}

/** Whether the person is in the segment at `nowMs`: the same answer as the warehouse gives, without it. */
export function matchesSegment(segment: Segment, facts: PersonFacts, nowMs: number): boolean {
  const node = nodeOf(segment);
  switch (node.kind) {
    case 'all':
      return node.parts.every((part) => matchesSegment(part, facts, nowMs));
    case 'any':
      return node.parts.some((part) => matchesSegment(part, facts, nowMs));
    case 'not':
      return !matchesSegment(node.part, facts, nowMs);
    case 'trait':
      return matchesTrait(node.clause, traitOf(facts.person, node.clause.trait));
    case 'event': {
      const measured = measureEvent(node.clause, facts.rows, nowMs);
      return measured !== null && compare(measured, node.clause.is, node.clause.value);
    }
    case 'score': {
      const score = newestScore(facts, node.clause.score, nowMs);
      return score !== null && compare(score, node.clause.is, node.clause.value);
    }
    case 'cluster':
      return facts.cluster !== null && listOf(node.clause.cluster)!.includes(facts.cluster);
    default:
      return node satisfies never;
  }
}

/** The number that an event clause compares; null for the recency of what never happened. */
export function measureEvent(
  clause: EventClause,
  rows: readonly WarehouseRow[],
  nowMs: number,
): number | null {
  const filter = rowFilterOf(clause);
  const since = filter.withinMs === undefined ? -Infinity : nowMs - filter.withinMs;
  const among = (list: readonly string[] | undefined, value: string): boolean =>
    list === undefined || list.includes(value);
  const found = rows.filter(
    (row) =>
      row.type === filter.type &&
      row.atMs < nowMs &&
      row.atMs >= since &&
      !row.machine &&
      among(filter.category, row.category) &&
      among(filter.sku, row.sku) &&
      among(filter.campaign, row.campaign),
  );
  if (clause.measure === 'recency') {
    if (found.length === 0) return null;
    return (nowMs - Math.max(...found.map((row) => row.atMs))) / MS_PER_DAY;
  }
  if (clause.measure === 'sum') {
    const of = clause.of === 'quantity' ? 'quantity' : 'amount';
    const total = filter.sign * found.reduce((sum, row) => sum + row[of], 0);
    return of === 'amount' ? total / 100 : total;
  }
  return filter.byOrder ? new Set(found.map((row) => row.eventId)).size : found.length;
}

export function newestScore(facts: PersonFacts, model: string, nowMs: number): number | null {
  const known = facts.scores
    .filter((score) => score.model === model && score.atMs < nowMs)
    .sort((a, b) => a.atMs - b.atMs || a.version - b.version);
  return known.at(-1)?.value ?? null;
}

/** The trait's value; null where it is not known. An empty built-in text is not known. */
export function traitOf(person: WarehousePerson, name: string): TraitValue {
  if (!isBuiltInTrait(name)) {
    return Object.hasOwn(person.traits, name) ? (person.traits[name] ?? null) : null;
  }
  const value = person[name];
  return value === '' ? null : value;
}

export function matchesTrait(clause: TraitClause, actual: TraitValue): boolean {
  const wanted = clause.value;
  if (clause.is === 'exists') return (actual !== null) === (wanted !== false);
  if (actual === null || wanted === undefined) return false;
  if (clause.is === 'in') return Array.isArray(wanted) && wanted.includes(actual);
  if (clause.is === 'eq') return actual === wanted;
  if (clause.is === 'ne') return actual !== wanted;
  if (clause.is === 'contains') {
    return typeof actual === 'string' && typeof wanted === 'string' && actual.includes(wanted);
  }
  if (typeof actual === 'number' && typeof wanted === 'number') {
    return compare(actual, clause.is, wanted);
  }
  if (typeof actual === 'string' && typeof wanted === 'string') {
    return compare(compareText(actual, wanted), clause.is, 0);
  }
  return false;
}

type Order = Exclude<Comparison, 'in' | 'contains' | 'exists'>;

function compare(actual: number, is: Order, wanted: number): boolean {
  switch (is) {
    case 'eq':
      return actual === wanted;
    case 'ne':
      return actual !== wanted;
    case 'lt':
      return actual < wanted;
    case 'le':
      return actual <= wanted;
    case 'gt':
      return actual > wanted;
    case 'ge':
      return actual >= wanted;
    default:
      return is satisfies never;
  }
}

/** By code points, which is the order of UTF-8 bytes and thus the warehouse's; `<` would go by UTF-16 units. */
function compareText(left: string, right: string): number {
  const [a, b] = [Array.from(left), Array.from(right)];
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const difference = a[index]!.codePointAt(0)! - b[index]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
