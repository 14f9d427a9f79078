import { MS_PER_DAY } from '../../domain/clock.ts';
import { type Feature, ORDER_FEATURES, RFM_FEATURES } from '../../domain/features.ts';
import { EVENT } from '../../domain/records.ts';
import type { Warehouse } from './client.ts';
import type { QueryParams } from './connection.ts';
import { BoundParams } from './bound-params.ts';

/** What was known of people at a moment: a matrix with named columns (see `models/matrix.ts`), and whose row is whose. */
export interface FeatureTable {
  /** Person of each row. */
  readonly ids: Float64Array;
  readonly rows: number;
  readonly columns: number;
  readonly names: readonly string[];
  /** Row-major; NaN is missing. */
  readonly data: Float64Array;
  /** 1 where the label's event came, else 0; empty where no label was asked for. */
  readonly labels: Float64Array;
}

export interface FeatureOptions {
  /** Nothing at or after this time is read, but for the label. */
  asOfMs: number;
  /** Only these people; everyone by default. */
  personIds?: readonly number[];
  /** A sample of at most this many, the same for the same seed. */
  limit?: number;
  seed?: number;
  /** Leaves out people without an order. */
  onlyBuyers?: boolean;
  /** Whether the event came within [asOfMs, asOfMs + withinMs): what a model is to foresee. */
  label?: { event: string; withinMs: number };
}

/** The columns of ORDER_FEATURES for everyone who existed at that time, in one query. */
export function featuresAsOf(warehouse: Warehouse, options: FeatureOptions): Promise<FeatureTable> {
  return readTable(warehouse, ORDER_FEATURES, options);
}

/** The columns of RFM_FEATURES, for people with at least one order. */
export function rfmAsOf(warehouse: Warehouse, options: FeatureOptions): Promise<FeatureTable> {
  return readTable(warehouse, RFM_FEATURES, { ...options, onlyBuyers: true });
}

/** Who did it within [fromMs, toMs). */
export async function whoDid(
  warehouse: Warehouse,
  query: { event: string; fromMs: number; toMs: number },
): Promise<Set<number>> {
  const found = new Set<number>();
  const batches = warehouse.stream<{ id: number }>(
    `SELECT DISTINCT person_id AS id FROM event
     WHERE type = {event:String} AND line = 0 AND machine = 0 AND person_id != 0
       AND at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({to:Int64})`,
    { event: query.event, from: Math.floor(query.fromMs), to: Math.floor(query.toMs) },
  );
  for await (const batch of batches) for (const { id } of batch) found.add(id);
  return found;
}

interface FeatureRow {
  id: number;
  x: (number | null)[];
  y: number;
}

async function readTable(
  warehouse: Warehouse,
  features: readonly Feature[],
  options: FeatureOptions,
): Promise<FeatureTable> {
  const { sql, params } = compileFeatures(features, options);
  const columns = features.length;
  const found: FeatureRow[][] = [];
  for await (const batch of warehouse.stream<FeatureRow>(sql, params)) found.push(batch);
  const rows = found.reduce((sum, batch) => sum + batch.length, 0);
  const table = {
    ids: new Float64Array(rows),
    rows,
    columns,
    names: features.map(({ name }) => name),
    data: new Float64Array(rows * columns),
    labels: new Float64Array(options.label ? rows : 0),
  };
  let row = 0;
  for (const { id, x, y } of found.flat()) {
    table.ids[row] = id;
    // JSON has no NaN: it comes as null.
    for (let column = 0; column < columns; column += 1) {
      table.data[row * columns + column] = x[column] ?? Number.NaN;
    }
    if (options.label) table.labels[row] = y;
    row += 1;
  }
  return table;
}

/** One query: the people of that time, and one pass over their events before it. */
export function compileFeatures(
  features: readonly Feature[],
  options: FeatureOptions,
): { sql: string; params: QueryParams } {
  const params = new BoundParams();
  const asOfMs = Math.floor(options.asOfMs);
  const instant = (ms: number): string => params.instant(Math.floor(ms));
  const asOf = instant(asOfMs);
  const aggregates = new Map<string, string>();
  const expressions = features.map((feature) =>
    featureSql(feature, {
      params,
      asOfMs,
      rows: (condition) => condition || '1',
      aggregate(expression) {
        const known = aggregates.get(expression) ?? `a${aggregates.size}`;
        aggregates.set(expression, known);
        return `e.${known}`;
      },
    }),
  );
  const only =
    options.personIds === undefined
      ? ''
      : ` AND person_id IN ${params.add('Array(UInt64)', options.personIds)}`;
  const isOrder = `type = ${params.add('String', EVENT.orderCompleted)}`;
  const label = options.label
    ? `
LEFT JOIN (SELECT DISTINCT person_id FROM event
  WHERE type = ${params.add('String', options.label.event)} AND line = 0 AND machine = 0 AND person_id != 0${only}
    AND at >= ${asOf} AND at < ${instant(options.asOfMs + options.label.withinMs)}) AS l ON l.person_id = p.person_id`
    : '';
  const order =
    options.limit === undefined
      ? 'ORDER BY id'
      : `ORDER BY sipHash64(id, ${params.add('UInt32', options.seed ?? 1)}), id LIMIT ${params.add('UInt64', options.limit)}`;
  // An imported person's record may be younger than its first event.
  const exists = options.onlyBuyers
    ? 'e.orders_ever > 0'
    : `(p.created_at < ${asOf} OR e.events_ever > 0)`;
  const sql = `SELECT p.person_id AS id, CAST([${expressions.join(', ')}], 'Array(Float64)') AS x,
  ${options.label ? 'l.person_id != 0' : '0'} AS y
FROM (SELECT person_id, created_at FROM person FINAL WHERE 1${only}) AS p
LEFT JOIN (SELECT person_id, count() AS events_ever, countIf(${isOrder}) AS orders_ever${[
    ...aggregates,
  ]
    .map(([expression, name]) => `,\n    ${expression} AS ${name}`)
    .join('')}
  FROM event WHERE person_id != 0 AND line = 0 AND at < ${asOf}${only} GROUP BY person_id) AS e ON e.person_id = p.person_id${label}
WHERE ${exists}
${order}
SETTINGS join_use_nulls = 0, output_format_json_quote_denormals = 0`;
  return { sql, params: params.values };
}

/** Where a feature's aggregates go. */
export interface FeatureContext {
  readonly params: BoundParams;
  readonly asOfMs: number;
  /** A condition on the rows of a person's events (no lines of orders) as the query at hand needs it; '' is all. */
  readonly rows: (condition: string) => string;
  /** The name under which an aggregate of a person's events before the moment is found. */
  readonly aggregate: (expression: string) => string;
}

/** A feature in SQL by its formula, over events before the moment; NaN where it is missing. */
export function featureSql(
  { formula, windowDays }: Feature,
  { params, asOfMs, rows, aggregate }: FeatureContext,
): string {
  const human = formula.kind === 'count' && formula.human === true;
  const found = rows(
    [
      ...(formula.event === null ? [] : [`type = ${params.add('String', formula.event)}`]),
      // An open or a click of a scanner is no sign of interest.
      ...(human ? ['machine = 0'] : []),
      ...(windowDays === null ? [] : [`at >= ${params.instant(asOfMs - windowDays * MS_PER_DAY)}`]),
    ].join(' AND '),
  );
  const count = (): string => aggregate(`countIf(${found})`);
  const time = (pick: 'maxIf' | 'minIf'): string =>
    aggregate(`toUnixTimestamp64Milli(${pick}(at, ${found}))`);
  const sum = (): string => `toFloat64(${aggregate(`sumIf(amount, ${found})`)})`;
  switch (formula.kind) {
    case 'count':
      return count();
    case 'sum':
      return formula.floor === undefined ? sum() : `greatest(${sum()}, ${formula.floor})`;
    case 'days': {
      const then = time(formula.from === 'first' ? 'minIf' : 'maxIf');
      return `if(${count()} = 0, nan, ((${params.add('Int64', asOfMs)} - ${then}) / ${MS_PER_DAY}))`;
    }
    case 'gap':
      return `if(${count()} < 2, nan, (${time('maxIf')} - ${time('minIf')}) / ${MS_PER_DAY} / (${count()} - 1))`;
    case 'mean':
      return `if(${count()} = 0, nan, ${sum()} / ${count()})`;
    default:
      return formula satisfies never;
  }
}
