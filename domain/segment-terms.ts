import { parseSpan } from './campaign.ts';
import { EVENT } from './records.ts';
import type { ClusterClause, EventClause, ScoreClause, Segment, TraitClause } from './segment.ts';
import { LINE_TYPE } from './warehouse-rows.ts';

/**
 * What the words of a segment mean, once for all who read one: the schema, the SQL, the evaluator and the sentences.
 *
 * - A comparison with something that is not there is false, `ne` included; `not` is how to say "or is not known".
 * - A count or a sum over no events is 0. A recency over no events is false.
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

export type Clause = TraitClause | EventClause | ScoreClause | ClusterClause;

export type SegmentNode =
  | { readonly kind: 'all'; readonly parts: readonly Segment[] }
  | { readonly kind: 'any'; readonly parts: readonly Segment[] }
  | { readonly kind: 'not'; readonly part: Segment }
  | { readonly kind: 'trait'; readonly clause: TraitClause }
  | { readonly kind: 'event'; readonly clause: EventClause }
  | { readonly kind: 'score'; readonly clause: ScoreClause }
  | { readonly kind: 'cluster'; readonly clause: ClusterClause };

/** A segment's kind by the field that names it, for a `switch` that the compiler checks. */
export function nodeOf(segment: Segment): SegmentNode {
  if ('all' in segment) return { kind: 'all', parts: segment.all };
  if ('any' in segment) return { kind: 'any', parts: segment.any };
  if ('not' in segment) return { kind: 'not', part: segment.not };
  if ('trait' in segment) return { kind: 'trait', clause: segment };
  if ('event' in segment) return { kind: 'event', clause: segment };
  if ('score' in segment) return { kind: 'score', clause: segment };
  return { kind: 'cluster', clause: segment };
}

/** All clauses from left to right. */
export function clausesOf(segment: Segment): Clause[] {
  const node = nodeOf(segment);
  if (node.kind === 'all' || node.kind === 'any') return node.parts.flatMap(clausesOf);
  if (node.kind === 'not') return clausesOf(node.part);
  return [node.clause];
}

/** Which rows of the warehouse an event clause is about. */
export interface RowFilter {
  readonly type: string;
  /** Undefined: any. */
  readonly category: readonly string[] | undefined;
  readonly sku: readonly string[] | undefined;
  readonly campaign: readonly string[] | undefined;
  readonly withinMs: number | undefined;
  /** Lines of an order: the count is of orders, not of lines. */
  readonly byOrder: boolean;
  /** -1 where the rows are negative and the marketer means their size. */
  readonly sign: 1 | -1;
}

/**
 * An order has no category of its own: with a category or a product asked for, its lines are meant, thus "ordered for
 * 100 in shoes" sums the shoes and "three orders with shoes" counts orders.
 */
export function rowFilterOf(clause: EventClause): RowFilter {
  const { where } = clause;
  const byLine = where?.category !== undefined || where?.sku !== undefined;
  const returned = clause.event === EVENT.orderRefunded;
  const lines = byLine && (returned || clause.event === EVENT.orderCompleted);
  const type = returned ? LINE_TYPE.returned : LINE_TYPE.purchased;
  return {
    type: lines ? type : clause.event,
    category: listOf(where?.category),
    sku: listOf(where?.sku),
    campaign: listOf(where?.campaign),
    withinMs: clause.within === undefined ? undefined : (parseSpan(clause.within) ?? 0),
    byOrder: lines,
    sign: lines && returned ? -1 : 1,
  };
}

export function listOf<T>(value: T | readonly T[] | undefined): readonly T[] | undefined {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
