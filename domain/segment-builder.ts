import type {
  EventClause,
  EventWindow,
  Measure,
  Order,
  PropertyFilter,
  Segment,
  SequenceStep,
  Zone,
} from './segment.ts';

/**
 * Segments in TypeScript with the shop's events known by type: a misspelt event, a property that it does not have, or a
 * sum of texts is an error in the editor. Everything gives the same plain data as YAML does.
 */
export type PropertyKind = 'text' | 'number' | 'flag';
export type EventSchema = Readonly<Record<string, Readonly<Record<string, PropertyKind>>>>;

/** Events that every shop has, with what they hold; a shop adds its own: `{...SHOP_EVENTS, 'Size Chosen': {…}}`. */
export const SHOP_EVENTS = {
  'Product Viewed': { sku: 'text', category: 'text', price: 'number', quantity: 'number' },
  'Product Added': { sku: 'text', category: 'text', price: 'number', quantity: 'number' },
  'Order Completed': {
    orderId: 'text',
    sku: 'text',
    category: 'text',
    total: 'number',
    quantity: 'number',
    campaign: 'text',
    coupon: 'text',
    currency: 'text',
  },
  'Order Refunded': {
    orderId: 'text',
    sku: 'text',
    category: 'text',
    total: 'number',
    quantity: 'number',
  },
  'Product Reviewed': { sku: 'text', rating: 'number' },
  'Email Delivered': { campaign: 'text' },
  'Email Bounced': { campaign: 'text' },
  'Email Opened': { campaign: 'text' },
  'Email Link Clicked': { campaign: 'text', link: 'text' },
  'Email Marked as Spam': { campaign: 'text' },
  Unsubscribed: { campaign: 'text' },
} as const satisfies EventSchema;

export type Span = `${number}${'m' | 'h' | 'd' | 'w'}`;
type Properties = EventSchema[string];
type OfKind<P extends Properties, K extends PropertyKind> = {
  [N in keyof P]: P[N] extends K ? N : never;
}[keyof P] &
  string;
interface ValueOf {
  text: string;
  number: number;
  flag: boolean;
}
type FilterOf<K extends PropertyKind> =
  | ValueOf[K]
  | (K extends 'flag' ? never : readonly ValueOf[K][])
  | { readonly is: Order; readonly value: ValueOf[K] }
  | { readonly is: 'exists'; readonly value?: boolean };
export type WhereOf<P extends Properties> = { readonly [N in keyof P]?: FilterOf<P[N]> };

/** What a measure is compared with. */
export interface Compared<V extends number | string> {
  eq(value: V): EventClause;
  ne(value: V): EventClause;
  lt(value: V): EventClause;
  le(value: V): EventClause;
  gt(value: V): EventClause;
  ge(value: V): EventClause;
}
/** Days with their fractions equal no number. */
export type Ordered = Pick<Compared<number>, 'lt' | 'le' | 'gt' | 'ge'>;

export interface EventBuilder<P extends Properties> {
  where(filters: WhereOf<P>): EventBuilder<P>;
  within(span: Span): EventBuilder<P>;
  since(moment: string): EventBuilder<P>;
  before(moment: string): EventBuilder<P>;
  /** Whose wall clock dates and calendar periods are read on. */
  zone(zone: Zone): EventBuilder<P>;
  count(): Compared<number>;
  sum(of: OfKind<P, 'number'>): Compared<number>;
  min(of: OfKind<P, 'number'>): Compared<number>;
  max(of: OfKind<P, 'number'>): Compared<number>;
  first<N extends OfKind<P, 'number' | 'text'>>(
    of: N,
  ): Compared<P[N] extends 'number' ? number : string>;
  last<N extends OfKind<P, 'number' | 'text'>>(
    of: N,
  ): Compared<P[N] extends 'number' ? number : string>;
  distinct(of: OfKind<P, 'text'> | 'day'): Compared<number>;
  /** Days since the last one. */
  recency(): Ordered;
  /** Days since the first one. */
  sinceFirst(): Ordered;
  /** At least once. */
  ever(): EventClause;
  never(): Segment;
}

export interface SegmentBuilder<S extends EventSchema> {
  readonly event: <E extends keyof S & string>(name: E) => EventBuilder<S[E]>;
  /** A step of a sequence. */
  readonly step: <E extends keyof S & string>(
    event: E,
    options?: { where?: WhereOf<S[E]>; within?: Span },
  ) => SequenceStep;
  /** A step of a sequence that must not come. */
  readonly noStep: <E extends keyof S & string>(
    event: E,
    options?: { where?: WhereOf<S[E]>; within?: Span },
  ) => SequenceStep;
  readonly sequence: (
    steps: readonly [SequenceStep, SequenceStep, ...SequenceStep[]],
    window?: Omit<EventWindow, 'where'>,
  ) => Segment;
}

export const all = (...parts: readonly Segment[]): Segment => ({ all: parts });
export const any = (...parts: readonly Segment[]): Segment => ({ any: parts });
export const not = (part: Segment): Segment => ({ not: part });

/** A builder for the events of a schema; the schema is for types only, and is not looked at when it runs. */
export function segmentsFor<const S extends EventSchema>(_schema: S): SegmentBuilder<S> {
  return {
    event: (name) => eventBuilder(name, {}),
    step: (event, options) => ({ event, ...(options as object) }),
    noStep: (never, options) => ({ never, ...(options as object) }),
    sequence: (sequence, window) => ({ sequence, ...window }),
  };
}

function eventBuilder<P extends Properties>(event: string, window: EventWindow): EventBuilder<P> {
  const with_ = (more: EventWindow): EventBuilder<P> => eventBuilder(event, { ...window, ...more });
  const measured = <V extends number | string>(measure: Measure, of?: string): Compared<V> => {
    const compared =
      (is: Order) =>
      (value: V): EventClause => ({
        event,
        ...(measure === 'count' ? {} : { measure }),
        ...(of === undefined ? {} : { of }),
        ...window,
        is,
        value,
      });
    return {
      eq: compared('eq'),
      ne: compared('ne'),
      lt: compared('lt'),
      le: compared('le'),
      gt: compared('gt'),
      ge: compared('ge'),
    };
  };
  return {
    where: (filters) => with_({ where: filters as Readonly<Record<string, PropertyFilter>> }),
    within: (within) => with_({ within }),
    since: (since) => with_({ since }),
    before: (before) => with_({ before }),
    zone: (zone) => with_({ zone }),
    count: () => measured('count'),
    sum: (of) => measured('sum', of),
    min: (of) => measured('min', of),
    max: (of) => measured('max', of),
    first: (of) => measured('first', of),
    last: (of) => measured('last', of),
    distinct: (of) => measured('distinct', of),
    recency: () => measured<number>('recency'),
    sinceFirst: () => measured<number>('sinceFirst'),
    ever: () => measured<number>('count').ge(1),
    never: () => ({ never: event, ...window }),
  };
}
