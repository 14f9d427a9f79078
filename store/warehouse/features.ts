import { EVENT } from '../../domain/records.ts';
import { ORDER_FEATURES, RFM_FEATURES } from '../../domain/features.ts';
import type { Warehouse } from './client.ts';

/** Features of people at a moment, row-major; NaN is missing. The names are those of `domain/features.ts`. */
export interface FeatureTable {
  readonly ids: Float64Array;
  readonly names: readonly string[];
  readonly data: Float64Array;
  readonly asOfMs: number;
}

export interface FeatureQuery {
  /** Only events before this shop time count: nothing of the future leaks into a feature. */
  asOfMs: number;
  /** All people with an event before the moment where absent. */
  personIds?: readonly number[];
  /** A random sample of this size, fixed by `seed`. */
  limit?: number;
  seed?: number;
}

const DAYS: Readonly<Record<string, number>> = { '30d': 30, '90d': 90, '365d': 365 };

/** The aggregate of one counted feature such as `orders90d`: its event, and what is summed. */
const COUNTED: Readonly<Record<string, { condition: string; value: string }>> = {
  orders: { condition: `type = '${EVENT.orderCompleted}'`, value: '1' },
  revenue: { condition: `type = '${EVENT.orderCompleted}'`, value: 'toFloat64(amount)' },
  views: { condition: `type = '${EVENT.productViewed}'`, value: '1' },
  carts: { condition: `type = '${EVENT.productAdded}'`, value: '1' },
  refunds: { condition: `type = '${EVENT.orderRefunded}'`, value: '1' },
  opens: { condition: `type = '${EVENT.emailOpened}' AND machine = 0`, value: '1' },
  clicks: { condition: `type = '${EVENT.emailClicked}' AND machine = 0`, value: '1' },
};

const AS_OF = 'fromUnixTimestamp64Milli({asOf:Int64})';
const daysSince = (at: string): string =>
  `({asOf:Int64} - toUnixTimestamp64Milli(${at})) / 86400000.0`;
const ORDERED = `type = '${EVENT.orderCompleted}'`;

/** Names are our own constants; every value of a caller is a bound parameter. */
function expressionOf(name: string): string {
  const orders = `countIf(${ORDERED})`;
  switch (name) {
    case 'recencyDays':
      return `if(${orders} = 0, nan, ${daysSince(`maxIf(at, ${ORDERED})`)})`;
    case 'tenureDays':
      return daysSince('min(at)');
    case 'gapDays':
      return `if(${orders} < 2, nan, (toUnixTimestamp64Milli(maxIf(at, ${ORDERED})) - toUnixTimestamp64Milli(minIf(at, ${ORDERED}))) / 86400000.0 / (${orders} - 1))`;
    case 'basketAll':
      return `if(${orders} = 0, nan, sumIf(toFloat64(amount), ${ORDERED}) / ${orders})`;
    case 'orders':
      return `toFloat64(${orders})`;
    case 'revenue':
      return `greatest(0, sumIf(toFloat64(amount), ${ORDERED}))`;
    default:
      return countedExpression(name);
  }
}

function countedExpression(name: string): string {
  const match = /^([a-z]+)(30d|90d|365d|All)$/.exec(name);
  const counted = match && COUNTED[match[1]!];
  if (!counted) throw new Error(`no expression for the feature ${name}`);
  const days = DAYS[match[2]!];
  const since = days === undefined ? '' : ` AND at >= ${AS_OF} - INTERVAL ${days} DAY`;
  return `sumIf(${counted.value}, ${counted.condition}${since})`;
}

async function features(
  warehouse: Warehouse,
  names: readonly string[],
  query: FeatureQuery,
  having: string,
): Promise<FeatureTable> {
  const some = query.personIds ? 'AND person_id IN {ids:Array(UInt64)}' : '';
  const sql = `SELECT toFloat64(person_id) AS id, [${names.map((name) => `toFloat64(${expressionOf(name)})`).join(', ')}] AS x
    FROM event WHERE line = 0 AND person_id > 0 AND at < ${AS_OF} ${some}
    GROUP BY person_id ${having}
    ORDER BY cityHash64(person_id, {seed:UInt64})${query.limit === undefined ? '' : ' LIMIT {limit:UInt64}'}`;
  const ids: number[] = [];
  const values: number[] = [];
  const rows = warehouse.stream<{ id: number; x: (number | null)[] }>(sql, {
    asOf: Math.floor(query.asOfMs),
    seed: query.seed ?? 0,
    ...(query.personIds ? { ids: [...query.personIds] } : {}),
    ...(query.limit === undefined ? {} : { limit: query.limit }),
  });
  for await (const batch of rows) {
    for (const row of batch) {
      ids.push(Number(row.id));
      // JSON has no NaN: ClickHouse writes null for it.
      for (const value of row.x) values.push(value === null ? Number.NaN : Number(value));
    }
  }
  return {
    ids: Float64Array.from(ids),
    names,
    data: Float64Array.from(values),
    asOfMs: query.asOfMs,
  };
}

/** What P(order in the next 30 days) is learnt from, as of a moment. One query. */
export function orderFeatures(warehouse: Warehouse, query: FeatureQuery): Promise<FeatureTable> {
  return features(
    warehouse,
    ORDER_FEATURES.map((feature) => feature.name),
    query,
    '',
  );
}

/** Recency, orders and revenue of everyone with an order, as of a moment. */
export function rfmFeatures(warehouse: Warehouse, query: FeatureQuery): Promise<FeatureTable> {
  return features(
    warehouse,
    RFM_FEATURES.map((feature) => feature.name),
    query,
    `HAVING countIf(${ORDERED}) > 0`,
  );
}

/** Who did `event` in [fromMs, toMs). */
export async function peopleWith(
  warehouse: Warehouse,
  window: { event: string; fromMs: number; toMs: number },
): Promise<Set<number>> {
  const rows = await warehouse.query<{ id: number }>(
    `SELECT DISTINCT person_id AS id FROM event
     WHERE type = {event:String} AND line = 0 AND person_id > 0
       AND at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({to:Int64})`,
    { event: window.event, from: Math.floor(window.fromMs), to: Math.floor(window.toMs) },
  );
  return new Set(rows.map((row) => Number(row.id)));
}
