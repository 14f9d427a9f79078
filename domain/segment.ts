/**
 * A segment: a frozen tree over traits, events, scores and other segments. Written in TypeScript or YAML, checked by
 * `segment-check.ts`, compiled to one parametrised ClickHouse query by `store/warehouse/segment-sql.ts`, and evaluated
 * in memory for one person by `segment-eval.ts`. `docs/reference/segments.md` has an example of each clause.
 */
export type Segment =
  | { readonly all: readonly Segment[] }
  | { readonly any: readonly Segment[] }
  | { readonly not: Segment }
  | Clause;

/** A leaf of the tree. */
export type Clause =
  | TraitClause
  | EventClause
  | NeverClause
  | SequenceClause
  | TimeSinceClause
  | AnniversaryClause
  | PlaceClause
  | FeatureClause
  | ScoreClause
  | ClusterClause
  | SegmentClause
  | ListClause
  | RandomClause;

export type Order = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
export type Comparison = Order | 'in' | 'contains' | 'exists';

/** `{trait: 'country', is: 'in', value: ['DE', 'AT']}`; `country`, `timeZone`, `locale`, `consent` are traits too. */
export interface TraitClause {
  readonly trait: string;
  readonly is: Comparison;
  readonly value?: string | number | boolean | readonly (string | number)[];
}

/** A value that a property must equal, several of which it must be one, or a comparison with it. */
export type PropertyFilter =
  | string
  | number
  | boolean
  | readonly (string | number)[]
  | {
      readonly is: Comparison;
      readonly value?: string | number | boolean | readonly (string | number)[];
    };

/** Filters by property: `category`, `sku`, `campaign`, `orderId`, `total`, `quantity`, `rating`, or one of the shop's. */
export type Where = Readonly<Record<string, PropertyFilter>>;

/** Which of a person's events a clause is about, and from when. */
export interface EventWindow {
  readonly where?: Where;
  /** A span such as `30d`, `12h`, `8w`: the events since then; all time where absent. */
  readonly within?: string;
  /**
   * From this moment on (`since`), until just before this moment (`before`): a date or time on the wall clock
   * (`2026-11-27`, `2026-11-27T18:00`), an instant (`2026-11-27T17:00:00Z`), a span ago (`60d`), or the start of a
   * calendar period (`today`, `last-month`, …).
   */
  readonly since?: string;
  readonly before?: string;
  /** Whose wall clock dates and periods are read on; the shop's by default. */
  readonly zone?: Zone;
}

export type Zone = 'shop' | 'person';

export type Measure =
  | 'count'
  | 'sum'
  | 'min'
  | 'max'
  | 'first'
  | 'last'
  | 'distinct'
  | 'recency'
  | 'sinceFirst';

/**
 * `{event: 'Order Completed', measure: 'sum', of: 'total', within: '365d', is: 'ge', value: 100}`.
 * `measure` is count by default; `recency` and `sinceFirst` are days since the last and the first one; `min`, `max`,
 * `first` and `last` are of the property `of`. What is measured of nothing is null, thus false, but for counts and sums.
 */
export interface EventClause extends EventWindow {
  readonly event: string;
  readonly measure?: Measure;
  readonly of?: string;
  readonly is: Order | 'in';
  readonly value: number | string | readonly string[];
}

/** `{never: 'Order Completed'}`: none of these events (in that window, with these properties). */
export interface NeverClause extends EventWindow {
  readonly never: string;
}

/**
 * `{sequence: [{event: 'Product Viewed'}, {never: 'Order Completed', within: '3d'}]}`: steps, each later than the one
 * before it, and not later than its `within`. A `never` between two steps says that nothing of it came between them; as
 * the last one, that nothing came within that time, which must be over, or since then where it has no `within`.
 */
export interface SequenceClause extends Omit<EventWindow, 'where'> {
  readonly sequence: readonly SequenceStep[];
}
export type SequenceStep =
  | { readonly event: string; readonly where?: Where; readonly within?: string }
  | { readonly never: string; readonly where?: Where; readonly within?: string };

/** `{timeSince: 'createdAt', is: 'ge', value: 30}`: days since a person was created, or calendar days since a date. */
export interface TimeSinceClause {
  /** `createdAt`, or a trait that holds a date such as `1990-02-28`. */
  readonly timeSince: string;
  readonly is: Order;
  readonly value: number;
  readonly zone?: Zone;
}

/**
 * `{anniversary: 'birthday', daysBefore: 7}`: today is at most so many days before or after the day, a year or more
 * after it. Who was born on 29 February has it on the 28th where there is no 29th.
 */
export interface AnniversaryClause {
  /** `createdAt` (its day in the shop's time zone), or a trait that holds a date. */
  readonly anniversary: string;
  readonly daysBefore?: number;
  readonly daysAfter?: number;
  readonly zone?: Zone;
}

/** `{place: {country: 'DE', near: {latitude: 52.5, longitude: 13.4, km: 25}}}`: all that is said must hold. */
export interface PlaceClause {
  readonly place: {
    readonly country?: string | readonly string[];
    /** The traits `region` and `city`. */
    readonly region?: string | readonly string[];
    readonly city?: string | readonly string[];
    /** By the traits `latitude` and `longitude`, in degrees, over a sphere. */
    readonly near?: { readonly latitude: number; readonly longitude: number; readonly km: number };
  };
}

/** `{feature: 'orders365d', is: 'ge', value: 3}`: one of the features that models learn from, as of now. */
export interface FeatureClause {
  readonly feature: string;
  readonly is: Order;
  readonly value: number;
}

/** `{score: 'order-30d', is: 'ge', value: 0.2}`: the person's newest score of that model. */
export interface ScoreClause {
  readonly score: string;
  readonly is: 'lt' | 'le' | 'gt' | 'ge';
  readonly value: number;
}

/** `{cluster: 'lapsed high spenders'}`: the person's cluster by the newest clustering, by its name. */
export interface ClusterClause {
  readonly cluster: string | readonly string[];
}

/** `{segment: 'good-customers'}`: whoever is in that segment. */
export interface SegmentClause {
  readonly segment: string;
  /** What the name stood for when it was resolved (`segment-references.ts`); never written by a person. */
  readonly means?: Segment;
}

/** `{list: 'fair-2026'}`: whoever was put on that static list and not taken off it. */
export interface ListClause {
  readonly list: string;
}

/**
 * `{random: 'spring', percent: 10}`: a stable tenth of all people; another name draws another tenth. `from: 10` takes
 * the next tenth, so that groups of one name do not overlap.
 */
export interface RandomClause {
  readonly random: string;
  readonly percent: number;
  readonly from?: number;
}
