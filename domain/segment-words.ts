import { EVENT } from './records.ts';
import type { Comparison, EventClause, Segment, TraitClause } from './segment.ts';
import { type Clause, isBuiltInTrait, listOf, nodeOf } from './segment-terms.ts';

/** A segment in a marketer's words, such as "ordered for at least 100.00 in the last 365 days". */
export function describeSegment(segment: Segment): string {
  const node = nodeOf(segment);
  switch (node.kind) {
    case 'all':
      if (node.parts.length === 0) return 'everybody';
      return node.parts.map((part) => grouped(part, node.parts.length)).join(' and ');
    case 'any':
      if (node.parts.length === 0) return 'nobody';
      return node.parts.map((part) => grouped(part, node.parts.length)).join(' or ');
    case 'not':
      return `not (${describeSegment(node.part)})`;
    case 'trait':
    case 'event':
    case 'score':
    case 'cluster':
      return describeClause(node.clause);
    default:
      return node satisfies never;
  }
}

/** Parentheses where an `and` stands in an `or`, or the other way round. */
function grouped(part: Segment, siblings: number): string {
  const node = nodeOf(part);
  const several = (node.kind === 'all' || node.kind === 'any') && node.parts.length > 1;
  return several && siblings > 1 ? `(${describeSegment(part)})` : describeSegment(part);
}

export function describeClause(clause: Clause): string {
  if ('trait' in clause) return describeTrait(clause);
  if ('event' in clause) return describeEvent(clause);
  if ('score' in clause) {
    return `score "${clause.score}" is ${BOUND[clause.is]} ${clause.value}`;
  }
  return `is in the ${choice('cluster', 'clusters', listOf(clause.cluster)!)}`;
}

/** What was found for one person, in words; `null` is "nothing was found". */
export type Measured = string | number | boolean | null;

/** Such as "ordered 2 times" or "country is FR": what is true of the person, whatever the clause asks for. */
export function describeMeasured(clause: Clause, measured: Measured): string {
  if ('trait' in clause) {
    if (measured === null) return `${traitWord(clause.trait)} is not known`;
    return `${traitWord(clause.trait)} is ${showTrait(clause, measured)}`;
  }
  if ('score' in clause) {
    return measured === null
      ? `has no score "${clause.score}" yet`
      : `score "${clause.score}" is ${Number(Number(measured).toPrecision(4))}`;
  }
  if ('cluster' in clause) {
    return measured === null ? 'is in no cluster' : `is in the cluster ${show(measured)}`;
  }
  const { did, never } = verbsOf(clause.event);
  const which = `${filterWords(clause)}${windowWords(clause)}`;
  if (measured === null || (clause.measure !== 'sum' && measured === 0)) return `${never}${which}`;
  const value = Number(measured);
  if (clause.measure === 'recency') {
    return `${did} last ${value.toFixed(1)} days ago${filterWords(clause)}`;
  }
  if (clause.measure !== 'sum') return `${did} ${times(value)}${which}`;
  return clause.of === 'quantity'
    ? `${did} ${value} pieces${which}`
    : `${did} for ${value.toFixed(2)}${which}`;
}

/** What one clause, in the order of `clausesOf`, turned out to be for a person. */
export interface ClauseAnswer {
  holds: boolean;
  measured: Measured;
}

/** The truth of a segment and of each of its parts for one person. */
export interface ClauseExplanation {
  /** What is asked for. */
  readonly words: string;
  readonly holds: boolean;
  /** What is true of the person; of a clause only. */
  readonly found?: string;
  readonly measured?: Measured;
  readonly parts?: readonly ClauseExplanation[];
}

/** Puts the answers to the clauses together as the segment does. */
export function explainFromAnswers(
  segment: Segment,
  answers: readonly ClauseAnswer[],
): ClauseExplanation {
  let next = 0;
  const explain = (part: Segment): ClauseExplanation => {
    const node = nodeOf(part);
    const words = describeSegment(part);
    switch (node.kind) {
      case 'all':
      case 'any': {
        const parts = node.parts.map(explain);
        const holds =
          node.kind === 'all' ? parts.every((p) => p.holds) : parts.some((p) => p.holds);
        return { words, holds, parts };
      }
      case 'not': {
        const inner = explain(node.part);
        return { words, holds: !inner.holds, parts: [inner] };
      }
      case 'trait':
      case 'event':
      case 'score':
      case 'cluster': {
        const { holds, measured } = answers[next++]!;
        return { words, holds, found: describeMeasured(node.clause, measured), measured };
      }
      default:
        return node satisfies never;
    }
  };
  return explain(segment);
}

/** How the known events read: what somebody did, and what somebody did not do. */
const VERBS: Readonly<Record<string, { did: string; never: string }>> = {
  [EVENT.orderCompleted]: { did: 'ordered', never: 'did not order' },
  [EVENT.orderRefunded]: { did: 'returned an order', never: 'returned no order' },
  [EVENT.productViewed]: { did: 'viewed a product', never: 'viewed no product' },
  [EVENT.productAdded]: {
    did: 'put a product into the cart',
    never: 'put no product into the cart',
  },
  [EVENT.productReviewed]: { did: 'reviewed a product', never: 'reviewed no product' },
  [EVENT.emailDelivered]: { did: 'received a mail', never: 'received no mail' },
  [EVENT.emailBounced]: { did: 'had a mail bounce', never: 'had no mail bounce' },
  [EVENT.emailOpened]: { did: 'opened a mail', never: 'opened no mail' },
  [EVENT.emailClicked]: { did: 'clicked in a mail', never: 'clicked in no mail' },
  [EVENT.emailComplained]: { did: 'complained of a mail', never: 'complained of no mail' },
  [EVENT.unsubscribed]: { did: 'unsubscribed', never: 'did not unsubscribe' },
  [EVENT.adImpression]: { did: 'saw an ad', never: 'saw no ad' },
  [EVENT.offerRedeemed]: { did: 'redeemed an offer', never: 'redeemed no offer' },
};

function verbsOf(event: string): { did: string; never: string } {
  if (Object.hasOwn(VERBS, event)) return VERBS[event]!;
  return { did: `did "${event}"`, never: `did not do "${event}"` };
}

const BOUND = {
  eq: 'exactly',
  ne: 'other than',
  lt: 'less than',
  le: 'at most',
  gt: 'more than',
  ge: 'at least',
} as const;

function describeEvent(clause: EventClause): string {
  const { did, never } = verbsOf(clause.event);
  const which = `${filterWords(clause)}${windowWords(clause)}`;
  const bound = BOUND[clause.is];
  if (clause.measure === 'recency') {
    return `${did} last ${bound} ${days(clause.value)} ago${which}`;
  }
  if (clause.measure === 'sum') {
    return clause.of === 'quantity'
      ? `${did} ${bound} ${clause.value} pieces${which}`
      : `${did} for ${bound} ${clause.value.toFixed(2)}${which}`;
  }
  if (isNone(clause)) return `${never}${which}`;
  if (isSome(clause)) return `${did}${which}`;
  return `${did} ${bound} ${times(clause.value)}${which}`;
}

function isNone({ is, value }: EventClause): boolean {
  return (value === 0 && (is === 'eq' || is === 'le')) || (value === 1 && is === 'lt');
}

function isSome({ is, value }: EventClause): boolean {
  return (value === 1 && is === 'ge') || (value === 0 && (is === 'gt' || is === 'ne'));
}

function filterWords({ where }: EventClause): string {
  const words = [
    ['in category', 'in categories', where?.category],
    ['of product', 'of products', where?.sku],
    ['by campaign', 'by campaigns', where?.campaign],
  ] as const;
  return words
    .filter(([, , values]) => values !== undefined)
    .map(([one, many, values]) => ` ${choice(one, many, listOf(values)!)}`)
    .join('');
}

const UNIT_WORDS = { m: 'minute', h: 'hour', d: 'day', w: 'week' } as const;

function windowWords({ within }: EventClause): string {
  const match = /^(\d+)([mhdw])$/.exec(within ?? '');
  if (!match) return '';
  const unit = UNIT_WORDS[match[2] as keyof typeof UNIT_WORDS];
  const count = Number(match[1]);
  return ` in the last ${count === 1 ? unit : `${count} ${unit}s`}`;
}

function describeTrait(clause: TraitClause): string {
  const trait = traitWord(clause.trait);
  const { is, value } = clause;
  if (is === 'exists') return value === false ? `${trait} is not known` : `${trait} is known`;
  if (is === 'in') return `${trait} is ${choice('', 'one of', (value ?? []) as readonly string[])}`;
  if (is === 'contains') return `${trait} contains ${show(value)}`;
  if (is === 'eq') return `${trait} is ${showTrait(clause, value)}`;
  if (is === 'ne') return `${trait} is known and not ${showTrait(clause, value)}`;
  return `${trait} is ${BOUND[is satisfies Comparison]} ${show(value)}`;
}

const TRAIT_WORDS: Readonly<Record<string, string>> = {
  timeZone: 'time zone',
  externalId: 'customer number',
  consent: 'consent to mail',
  hasAddress: 'a mail address',
};

function traitWord(name: string): string {
  return Object.hasOwn(TRAIT_WORDS, name) ? TRAIT_WORDS[name]! : name;
}

function showTrait(clause: TraitClause, value: unknown): string {
  if (typeof value !== 'boolean' || !isBuiltInTrait(clause.trait)) return show(value);
  return value ? 'given' : 'not given';
}

function choice(one: string, many: string, values: readonly (string | number)[]): string {
  const list = values.map(show).join(' or ');
  return `${values.length === 1 ? one : many} ${list}`.trimStart();
}

function show(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : String(value);
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`;
}
