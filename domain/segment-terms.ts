import { parseSpan } from './campaign.ts';
import { KairosError } from './errors.ts';
import { EVENT } from './records.ts';
import type {
  AnniversaryClause,
  Clause,
  ClusterClause,
  EventClause,
  FeatureClause,
  ListClause,
  PlaceClause,
  PropertyFilter,
  RandomClause,
  ScoreClause,
  Segment,
  SegmentClause,
  SequenceClause,
  SequenceStep,
  TimeSinceClause,
  TraitClause,
  Where,
} from './segment.ts';
import { LINE_TYPE } from './warehouse-rows.ts';

/**
 * What the words of a segment mean, once for all who read one: the check, the SQL, the evaluator and the sentences.
 *
 * - A comparison with something that is not there is false, `ne` included; `not` is how to say "or is not known".
 * - A count, a sum or a number of distinct values over no events is 0. All else that is measured of none is false.
 * - What happens at or after "now" does not exist yet. Opens and clicks of machines do not count.
 */
export type TraitKind = 'text' | 'number' | 'flag';

/** Traits that every shop has; all others are the shop's own and may hold text, numbers or flags. */
export const BUILT_IN_TRAITS = {
  country: 'text',
  timeZone: 'text',
  locale: 'text',
  externalId: 'text',
  consent: 'flag',
  hasAddress: 'flag',
} as const satisfies Record<string, TraitKind>;

export type BuiltInTrait = keyof typeof BUILT_IN_TRAITS;

export function isBuiltInTrait(name: string): name is BuiltInTrait {
  return Object.hasOwn(BUILT_IN_TRAITS, name);
}

/** Properties of events that stand in columns; an empty text and a rating of 0 are "not known". */
export const EVENT_PROPERTIES = {
  category: 'text',
  sku: 'text',
  campaign: 'text',
  orderId: 'text',
  total: 'number',
  quantity: 'number',
  rating: 'number',
} as const satisfies Record<string, TraitKind>;

export type EventProperty = keyof typeof EVENT_PROPERTIES;

export function isEventProperty(name: string): name is EventProperty {
  return Object.hasOwn(EVENT_PROPERTIES, name);
}

export type SegmentNode =
  | { readonly kind: 'all'; readonly parts: readonly Segment[] }
  | { readonly kind: 'any'; readonly parts: readonly Segment[] }
  | { readonly kind: 'not'; readonly part: Segment }
  | { readonly kind: 'segment'; readonly clause: SegmentClause }
  | { readonly kind: 'leaf'; readonly leaf: LeafNode };

/** Clauses that hold no others. */
export type LeafNode =
  | { readonly kind: 'trait'; readonly clause: TraitClause }
  | { readonly kind: 'event'; readonly clause: EventClause }
  | { readonly kind: 'sequence'; readonly clause: SequenceClause }
  | { readonly kind: 'timeSince'; readonly clause: TimeSinceClause }
  | { readonly kind: 'anniversary'; readonly clause: AnniversaryClause }
  | { readonly kind: 'place'; readonly clause: PlaceClause }
  | { readonly kind: 'feature'; readonly clause: FeatureClause }
  | { readonly kind: 'score'; readonly clause: ScoreClause }
  | { readonly kind: 'cluster'; readonly clause: ClusterClause }
  | { readonly kind: 'list'; readonly clause: ListClause }
  | { readonly kind: 'random'; readonly clause: RandomClause };

/** A segment's kind by the field that names it, for a `switch` that the compiler checks. */
export function nodeOf(segment: Segment): SegmentNode {
  if ('all' in segment) return { kind: 'all', parts: segment.all };
  if ('any' in segment) return { kind: 'any', parts: segment.any };
  if ('not' in segment) return { kind: 'not', part: segment.not };
  if ('segment' in segment) return { kind: 'segment', clause: segment };
  return { kind: 'leaf', leaf: leafOf(segment) };
}

/** What one clause asks for; a `never` is a count of none. */
export function leafOf(clause: Exclude<Clause, SegmentClause>): LeafNode {
  if ('trait' in clause) return { kind: 'trait', clause };
  if ('event' in clause) return { kind: 'event', clause };
  if ('never' in clause) {
    const { never, ...window } = clause;
    return { kind: 'event', clause: { ...window, event: never, is: 'eq', value: 0 } };
  }
  if ('sequence' in clause) return { kind: 'sequence', clause };
  if ('timeSince' in clause) return { kind: 'timeSince', clause };
  if ('anniversary' in clause) return { kind: 'anniversary', clause };
  if ('place' in clause) return { kind: 'place', clause };
  if ('feature' in clause) return { kind: 'feature', clause };
  if ('score' in clause) return { kind: 'score', clause };
  if ('cluster' in clause) return { kind: 'cluster', clause };
  if ('list' in clause) return { kind: 'list', clause };
  return { kind: 'random', clause };
}

/** What a reference stands for. */
export function meaningOf(clause: { segment: string; means?: Segment }): Segment {
  if (clause.means) return clause.means;
  throw new KairosError(
    'SEGMENT_UNKNOWN',
    `The segment "${clause.segment}" was not looked up before it was asked; expected resolveSegment to have been called.`,
  );
}

/** The leaves from left to right, those of resolved references included. */
export function leavesOf(segment: Segment): LeafNode[] {
  const node = nodeOf(segment);
  switch (node.kind) {
    case 'all':
    case 'any':
      return node.parts.flatMap(leavesOf);
    case 'not':
      return leavesOf(node.part);
    case 'segment':
      return leavesOf(meaningOf(node.clause));
    case 'leaf':
      return [node.leaf];
    default:
      return node satisfies never;
  }
}

/** One property's test, whatever way it was written. */
export interface PropertyTest {
  readonly property: string;
  readonly test: {
    readonly is: TraitClause['is'];
    readonly value?: TraitClause['value'];
  };
}

export function testsOf(where: Where | undefined): PropertyTest[] {
  return Object.entries(where ?? {}).map(([property, filter]) => ({
    property,
    test: testOf(filter),
  }));
}

function testOf(filter: PropertyFilter): PropertyTest['test'] {
  if (Array.isArray(filter)) return { is: 'in', value: filter as readonly (string | number)[] };
  if (typeof filter === 'object') return filter as PropertyTest['test'];
  return { is: 'eq', value: filter as string | number | boolean };
}

/** Which rows of the warehouse a clause is about. */
export interface RowFilter {
  readonly types: readonly string[];
  readonly tests: readonly PropertyTest[];
  /** Lines of an order: the count is of orders, not of lines. */
  readonly byOrder: boolean;
  /** -1 where the rows are negative and the marketer means their size. */
  readonly sign: 1 | -1;
}

/**
 * An order has no category of its own: with a category or a product asked for, its lines are meant, thus "ordered for
 * 100 in shoes" sums the shoes and "three orders with shoes" counts orders.
 */
export function rowFilterOf(event: string, where: Where | undefined, of?: string): RowFilter {
  const byLine = [...Object.keys(where ?? {}), of].some(
    (property) => property === 'category' || property === 'sku',
  );
  const returned = event === EVENT.orderRefunded;
  const lines = byLine && (returned || event === EVENT.orderCompleted);
  const type = returned ? LINE_TYPE.returned : LINE_TYPE.purchased;
  return {
    types: [lines ? type : event],
    tests: testsOf(where),
    byOrder: lines,
    sign: lines && returned ? -1 : 1,
  };
}

/** The rows of a static list: of the newest one depends who is on it. */
export function listFilterOf(list: string): RowFilter {
  return {
    types: [EVENT.listJoined, EVENT.listLeft],
    tests: [{ property: 'category', test: { is: 'eq', value: list } }],
    byOrder: false,
    sign: 1,
  };
}

/** What a sequence's step is about, and whether it must not come. */
export function stepOf(step: SequenceStep): {
  event: string;
  never: boolean;
  where: Where | undefined;
  withinMs: number | null;
} {
  const never = 'never' in step;
  return {
    event: never ? step.never : step.event,
    never,
    where: step.where,
    withinMs: step.within === undefined ? null : parseSpan(step.within),
  };
}

export function listOf<T>(value: T | readonly T[] | undefined): readonly T[] | undefined {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
