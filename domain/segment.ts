/**
 * A segment: a frozen tree over traits, events, scores and other segments. Written in a campaign file (TypeScript or
 * YAML), checked by `segment.schema.ts`, compiled to one parametrised ClickHouse query by `store/segment-sql.ts`.
 */
export type Segment =
  | { readonly all: readonly Segment[] }
  | { readonly any: readonly Segment[] }
  | { readonly not: Segment }
  | TraitClause
  | EventClause
  | ScoreClause
  | ClusterClause;

export type Comparison = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge' | 'in' | 'contains' | 'exists';

/** `{trait: 'country', is: 'in', value: ['DE', 'AT']}`; `country`, `timeZone`, `locale`, `consent` are traits too. */
export interface TraitClause {
  readonly trait: string;
  readonly is: Comparison;
  readonly value?: string | number | boolean | readonly (string | number)[];
}

/**
 * `{event: 'Order Completed', measure: 'sum', of: 'total', within: '365d', is: 'ge', value: 100}`.
 * `measure` is count by default; `recency` is days since the last one (null, thus false, where there was none).
 * `where` filters on the event's category, sku, campaign or an amount.
 */
export interface EventClause {
  readonly event: string;
  readonly measure?: 'count' | 'sum' | 'recency';
  readonly of?: 'total' | 'quantity';
  /** A span such as `30d`, `12h`, `8w`; all time where absent. */
  readonly within?: string;
  readonly where?: {
    readonly category?: string | readonly string[];
    readonly sku?: string | readonly string[];
    readonly campaign?: string | readonly string[];
  };
  readonly is: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
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
