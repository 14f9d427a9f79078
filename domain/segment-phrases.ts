import { EVENT } from './records.ts';
import type {
  AnniversaryClause,
  Comparison,
  EventClause,
  EventWindow,
  PlaceClause,
  SequenceClause,
  TimeSinceClause,
  TraitClause,
  Where,
} from './segment.ts';
import {
  isBuiltInTrait,
  isEventProperty,
  listOf,
  leafOf,
  stepOf,
  testsOf,
} from './segment-terms.ts';

/** What was found for one person, in words; `null` is "nothing was found". */
export type Measured = string | number | boolean | null;

type LeafClause = Parameters<typeof leafOf>[0];

export function describeClause(clause: LeafClause): string {
  const node = leafOf(clause);
  switch (node.kind) {
    case 'trait':
      return describeTrait(node.clause);
    case 'event':
      return describeEvent(node.clause);
    case 'sequence':
      return describeSequence(node.clause);
    case 'timeSince': {
      const { timeSince, is, value } = node.clause;
      return `${dateWord(timeSince)} was ${BOUND[is]} ${days(value)} ago`;
    }
    case 'anniversary':
      return describeAnniversary(node.clause);
    case 'place':
      return describePlace(node.clause);
    case 'feature':
      return `${node.clause.feature} is ${BOUND[node.clause.is]} ${node.clause.value}`;
    case 'score':
      return `score "${node.clause.score}" is ${BOUND[node.clause.is]} ${node.clause.value}`;
    case 'cluster':
      return `is in the ${choice('cluster', 'clusters', listOf(node.clause.cluster)!)}`;
    case 'list':
      return `is on the list "${node.clause.list}"`;
    case 'random': {
      const { random, percent, from = 0 } = node.clause;
      const after = from > 0 ? ` after the first ${from} %` : '';
      return `is in a random ${percent} %${after} by "${random}"`;
    }
    default:
      return node satisfies never;
  }
}

/** Such as "ordered 2 times" or "country is FR": what is true of the person, whatever the clause asks for. */
export function describeMeasured(clause: LeafClause, measured: Measured): string {
  const node = leafOf(clause);
  switch (node.kind) {
    case 'trait':
      if (measured === null) return `${traitWord(node.clause.trait)} is not known`;
      return `${traitWord(node.clause.trait)} is ${showTrait(node.clause, measured)}`;
    case 'event':
      return eventFound(node.clause, measured);
    case 'sequence':
      return `has gone ${Number(measured)} of ${node.clause.sequence.length} steps`;
    case 'timeSince':
      return measured === null
        ? `${dateWord(node.clause.timeSince)} is not known`
        : `${dateWord(node.clause.timeSince)} was ${days(tenth(measured))} ago`;
    case 'anniversary':
      return measured === null
        ? `${dateWord(node.clause.anniversary)} is not known`
        : `${dateWord(node.clause.anniversary)} is ${measured}`;
    case 'place':
      if (measured === null) return 'the place is not known';
      return typeof measured === 'number' ? `is ${tenth(measured)} km away` : `is in ${measured}`;
    case 'feature':
      return measured === null
        ? `${node.clause.feature} is missing`
        : `${node.clause.feature} is ${Number(Number(measured).toPrecision(4))}`;
    case 'score':
      return measured === null
        ? `has no score "${node.clause.score}" yet`
        : `score "${node.clause.score}" is ${Number(Number(measured).toPrecision(4))}`;
    case 'cluster':
      return measured === null ? 'is in no cluster' : `is in the cluster ${show(measured)}`;
    case 'list':
      return measured === true
        ? 'is on the list'
        : measured === null
          ? 'was never on the list'
          : 'was taken off the list';
    case 'random':
      return `draws ${Number(measured)} of 100`;
    default:
      return node satisfies never;
  }
}

const tenth = (measured: Measured): number => Math.round(Number(measured) * 10) / 10;

function eventFound(clause: EventClause, measured: Measured): string {
  const { did, never } = verbsOf(clause.event);
  const { measure = 'count', of = 'total' } = clause;
  const which = `${filterWords(clause.where)}${windowWords(clause)}`;
  if (measured === null || (measure === 'count' && measured === 0)) return `${never}${which}`;
  const value = Number(measured);
  switch (measure) {
    case 'count':
      return `${did} ${times(value)}${which}`;
    case 'recency':
      return `${did} last ${value.toFixed(1)} days ago${filterWords(clause.where)}`;
    case 'sinceFirst':
      return `${did} first ${value.toFixed(1)} days ago${which}`;
    case 'sum':
      if (of === 'total') return `${did} for ${value.toFixed(2)}${which}`;
      return of === 'quantity'
        ? `${did} ${value} pieces${which}`
        : `sum of ${of} is ${value}${which}`;
    case 'min':
    case 'max':
    case 'first':
    case 'last':
    case 'distinct':
      return `${measureWords(clause)} is ${show(measured)}${which}`;
    default:
      return measure satisfies never;
  }
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
  [EVENT.listJoined]: { did: 'was put on a list', never: 'was put on no list' },
  [EVENT.listLeft]: { did: 'was taken off a list', never: 'was taken off no list' },
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
  const { measure = 'count', of = 'total', value } = clause;
  const which = `${filterWords(clause.where)}${windowWords(clause)}`;
  const bound = clause.is === 'in' ? 'one of' : BOUND[clause.is];
  switch (measure) {
    case 'recency':
      return `${did} last ${bound} ${days(Number(value))} ago${which}`;
    case 'sinceFirst':
      return `${did} first ${bound} ${days(Number(value))} ago${which}`;
    case 'sum':
      if (of === 'total') return `${did} for ${bound} ${Number(value).toFixed(2)}${which}`;
      if (of === 'quantity') return `${did} ${bound} ${Number(value)} pieces${which}`;
      return `${did} with a sum of ${of} of ${bound} ${Number(value)}${which}`;
    case 'count':
      if (isNone(clause)) return `${never}${which}`;
      if (isSome(clause)) return `${did}${which}`;
      return `${did} ${bound} ${times(Number(value))}${which}`;
    case 'min':
    case 'max':
    case 'first':
    case 'last':
    case 'distinct': {
      const wanted = listOf(value as string | number | readonly string[])!
        .map(show)
        .join(' or ');
      const equal = clause.is === 'eq' && typeof value === 'string' ? '' : `${bound} `;
      return `${measureWords(clause)} is ${equal}${wanted}${which}`;
    }
    default:
      return measure satisfies never;
  }
}

/** Such as "the largest total of ordered". */
function measureWords({ event, measure, of = 'total' }: EventClause): string {
  const { did } = verbsOf(event);
  const word = { min: 'the smallest', max: 'the largest', first: 'the first', last: 'the last' };
  if (measure === 'distinct') return `the number of different ${of}s of "${did}"`;
  return `${word[measure as keyof typeof word]} ${of} of "${did}"`;
}

function isNone({ is, value }: EventClause): boolean {
  return (value === 0 && (is === 'eq' || is === 'le')) || (value === 1 && is === 'lt');
}

function isSome({ is, value }: EventClause): boolean {
  return (value === 1 && is === 'ge') || (value === 0 && (is === 'gt' || is === 'ne'));
}

const PROPERTY_WORDS: Readonly<Record<string, readonly [string, string]>> = {
  category: ['in category', 'in categories'],
  sku: ['of product', 'of products'],
  campaign: ['by campaign', 'by campaigns'],
};

function filterWords(where: Where | undefined): string {
  return testsOf(where)
    .map(({ property, test: { is, value } }) => {
      const words = Object.hasOwn(PROPERTY_WORDS, property) ? PROPERTY_WORDS[property]! : null;
      if (words && (is === 'eq' || is === 'in')) {
        return ` ${choice(...words, listOf(value as string)!)}`;
      }
      if (is === 'exists') return ` ${value === false ? 'without' : 'with'} ${property}`;
      if (is === 'contains') return ` whose ${property} contains ${show(value)}`;
      const name = isEventProperty(property) ? property : `"${property}"`;
      const wanted = listOf(value as string)!
        .map(show)
        .join(' or ');
      const bound =
        is === 'eq' ? '' : is === 'in' ? 'one of ' : is === 'ne' ? 'not ' : `${BOUND[is]} `;
      return ` with ${name} ${bound}${wanted}`;
    })
    .join('');
}

const UNIT_WORDS = { m: 'minute', h: 'hour', d: 'day', w: 'week' } as const;

function spanWords(span: string): string {
  const match = /^(\d+)([mhdw])$/.exec(span);
  if (!match) return span;
  const unit = UNIT_WORDS[match[2] as keyof typeof UNIT_WORDS];
  const count = Number(match[1]);
  return count === 1 ? unit : `${count} ${unit}s`;
}

function windowWords({ within, since, before, zone }: EventWindow): string {
  const moment = (text: string): string =>
    /^\d+[mhdw]$/.test(text)
      ? `${spanWords(text)} ago`
      : text.replace('-', text.length < 11 && /^[a-z]/.test(text) ? ' ' : '-');
  const parts = [
    ...(within === undefined ? [] : [`in the last ${spanWords(within)}`]),
    ...(since === undefined ? [] : [`since ${moment(since)}`]),
    ...(before === undefined ? [] : [`before ${moment(before)}`]),
    ...(zone === 'person' ? ['on their own clock'] : []),
  ];
  return parts.map((part) => ` ${part}`).join('');
}

function describeSequence(clause: SequenceClause): string {
  const steps = clause.sequence.map((written, index) => {
    const step = stepOf(written);
    const { did, never } = verbsOf(step.event);
    const within = written.within === undefined ? '' : ` within ${spanWords(written.within)}`;
    return `${index === 0 ? '' : 'then '}${step.never ? never : did}${filterWords(step.where)}${within}`;
  });
  return `${steps.join(', ')}${windowWords(clause)}`;
}

function describeAnniversary(clause: AnniversaryClause): string {
  const { anniversary, daysBefore = 0, daysAfter = 0 } = clause;
  const name = anniversary === 'createdAt' ? 'sign-up' : anniversary;
  if (daysBefore === 0 && daysAfter === 0) return `has the anniversary of ${name} today`;
  return `has the anniversary of ${name} between ${days(daysAfter)} ago and ${days(daysBefore)} ahead`;
}

function describePlace({ place }: PlaceClause): string {
  const named = [
    ['country', 'countries', place.country],
    ['region', 'regions', place.region],
    ['city', 'cities', place.city],
  ] as const;
  const parts = named
    .filter(([, , values]) => values !== undefined)
    .map(([one, many, values]) => `in the ${choice(one, many, listOf(values)!)}`);
  if (place.near) {
    parts.push(`within ${place.near.km} km of ${place.near.latitude}, ${place.near.longitude}`);
  }
  return `is ${parts.join(' and ')}`;
}

function dateWord(name: TimeSinceClause['timeSince']): string {
  return name === 'createdAt' ? 'the sign-up' : name;
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
