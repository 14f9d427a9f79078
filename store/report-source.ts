import { MS_PER_DAY } from '../domain/clock.ts';
import type { ReactionsOfPerson } from '../domain/report.ts';
import { EVENT } from '../domain/records.ts';
import { warehouseType } from '../domain/warehouse-rows.ts';
import type { Queryable } from './postgres.ts';
import type { Warehouse } from './warehouse/client.ts';

/** The goal events of one person on one day since the launch. */
export interface GoalRow {
  personId: number;
  day: number;
  count: number;
  /** Of orders what they were worth less what was refunded of them until the end of the time asked for. */
  value: number;
  /** What was refunded of it; 0 for other goals. */
  refunded: number;
}

/** What one person did about a campaign's mails. */
export interface ReactionRow {
  personId: number;
  kind: ReactionsOfPerson['kind'];
  isHuman: boolean;
}

/** Where a report reads events from: the warehouse, or the log itself where there is none. */
export interface ReportSource {
  /** Of everyone, in [fromMs, toMs), a row a person and day. */
  goals(query: { event: string; fromMs: number; toMs: number }): AsyncIterable<GoalRow[]>;
  reactions(campaignId: string): AsyncIterable<ReactionRow[]>;
}

const KINDS: Readonly<Record<string, ReactionRow['kind']>> = {
  [EVENT.emailOpened]: 'open',
  [EVENT.emailClicked]: 'click',
  [EVENT.unsubscribed]: 'unsubscribe',
  [EVENT.emailComplained]: 'complaint',
};

interface RawReaction {
  personId: number;
  type: string;
  isHuman: number | boolean;
}

function toReaction({ personId, type, isHuman }: RawReaction): ReactionRow {
  return { personId, kind: KINDS[type]!, isHuman: Boolean(isHuman) };
}

const IN_TIME =
  'at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({to:Int64})';
const DAY = `intDiv(toUnixTimestamp64Milli(at) - {from:Int64}, ${MS_PER_DAY})`;

/**
 * Orders less their refunds, by the day of the order: a refund counts where it and its order are in the time asked for, and
 * takes no more than the order was worth. One that names no order is taken off on its own day.
 */
const ORDERS_SQL = `SELECT personId, day, toUInt64(sum(n)) AS count, toFloat64(sum(net)) AS value,
     toFloat64(sum(back)) AS refunded
   FROM (
     SELECT o.person_id AS personId, o.day AS day, 1 AS n, greatest(toDecimal64(0, 2), least(o.amount, r.refunded)) AS back,
       o.amount - back AS net
     FROM (SELECT person_id, ${DAY} AS day, order_id, amount FROM event
           WHERE type = {event:String} AND line = 0 AND person_id > 0 AND ${IN_TIME}) AS o
     LEFT JOIN (SELECT order_id, CAST(sum(abs(amount)) AS Decimal(18, 2)) AS refunded FROM event
                WHERE type = '${EVENT.orderRefunded}' AND line = 0 AND order_id != '' AND ${IN_TIME}
                GROUP BY order_id) AS r ON r.order_id = o.order_id
     UNION ALL
     SELECT person_id, ${DAY}, 0, abs(amount), -abs(amount) FROM event
     WHERE type = '${EVENT.orderRefunded}' AND line = 0 AND order_id = '' AND person_id > 0 AND ${IN_TIME})
   GROUP BY personId, day`;

/** One query each; the tables are ordered by type, so neither reads other events. */
export function warehouseSource(warehouse: Pick<Warehouse, 'stream'>): ReportSource {
  return {
    goals: ({ event, fromMs, toMs }) =>
      warehouse.stream<GoalRow>(
        event === EVENT.orderCompleted
          ? ORDERS_SQL
          : `SELECT person_id AS personId, intDiv(toUnixTimestamp64Milli(at) - {from:Int64}, ${MS_PER_DAY}) AS day,
           count() AS count, toFloat64(sum(amount)) AS value, toFloat64(0) AS refunded
         FROM event
         WHERE type = {event:String} AND line = 0 AND person_id > 0
           AND at >= fromUnixTimestamp64Milli({from:Int64}) AND at < fromUnixTimestamp64Milli({to:Int64})
         GROUP BY personId, day`,
        { event, from: Math.floor(fromMs), to: Math.floor(toMs) },
      ),
    async *reactions(campaignId) {
      const batches = warehouse.stream<RawReaction>(
        `SELECT person_id AS personId, type, min(machine) = 0 AS isHuman FROM event
         WHERE type IN {types:Array(String)} AND campaign = {campaign:String} AND line = 0 AND person_id > 0
         GROUP BY personId, type`,
        {
          types: Object.keys(KINDS).map((type) => warehouseType(type, campaignId)),
          campaign: campaignId,
        },
      );
      const named = new Map(
        Object.keys(KINDS).map((type) => [warehouseType(type, campaignId), type]),
      );
      for await (const batch of batches) {
        yield batch.map((row) => toReaction({ ...row, type: named.get(row.type)! }));
      }
    },
  };
}

const TOTAL = `case when jsonb_typeof(properties -> 'total') = 'number' then (properties ->> 'total')::numeric else 0 end`;

/** As the warehouse's; each order once, by the rule of `store/order-key.ts`. */
const ORDERS_OF_LOG = `with known as (
     select * from event where type in ('${EVENT.orderCompleted}', '${EVENT.orderRefunded}')
       and not exists (select from event_superseded s where s.event_id = event.id)),
   ranked as (
     select *, coalesce(properties ->> 'orderId', '') as order_id, ${TOTAL} as total,
       message_id like 'order:%' or message_id like 'refund:%' as imported,
       row_number() over (partition by type, coalesce(properties ->> 'orderId', message_id)
         order by message_id like 'order:%' desc, xid, id) as nth,
       bool_or(message_id like 'refund:%') over (partition by type, properties ->> 'orderId') as in_book
     from known),
   timed as (
     select *, floor((extract(epoch from at) * 1000 - $1) / ${MS_PER_DAY})::int as day from ranked
     where at >= to_timestamp($1::float8 / 1000) and at < to_timestamp($2::float8 / 1000)),
   refund as (
     select * from timed where type = '${EVENT.orderRefunded}' and (order_id = '' or imported or not in_book)),
   booked as (
     select o.person_id, o.day, 1 as n, o.total,
       greatest(0, least(o.total, (select coalesce(sum(abs(total)), 0) from refund r where r.order_id = o.order_id))) as back
     from timed o where type = '${EVENT.orderCompleted}' and order_id <> '' and nth = 1
     union all select person_id, day, 1, total, 0 from timed where type = '${EVENT.orderCompleted}' and order_id = ''
     union all select person_id, day, 0, 0, abs(total) from refund where order_id = '')
   select person_id as "personId", day, sum(n)::int as count, sum(total - back)::float8 as value,
     sum(back)::float8 as refunded
   from booked where person_id is not null group by 1, 2`;

/** From the log in PostgreSQL: for a small shop without a warehouse. It reads the whole log. */
export function postgresSource(db: Queryable): ReportSource {
  return {
    async *goals({ event, fromMs, toMs }) {
      if (event === EVENT.orderCompleted) {
        yield (await db.query<GoalRow>(ORDERS_OF_LOG, [fromMs, toMs])).rows;
        return;
      }
      const { rows } = await db.query<GoalRow>(
        `select person_id as "personId", floor((extract(epoch from at) * 1000 - $2) / ${MS_PER_DAY})::int as day,
           count(*) as count,
           coalesce(sum((properties ->> 'total')::numeric) filter (where jsonb_typeof(properties -> 'total') = 'number'), 0)
             as value, 0 as refunded
         from event where type = $1 and person_id is not null
           and not exists (select from event_superseded s where s.event_id = event.id)
           and at >= to_timestamp($2::float8 / 1000) and at < to_timestamp($3::float8 / 1000)
         group by 1, 2`,
        [event, fromMs, toMs],
      );
      yield rows;
    },
    async *reactions(campaignId) {
      const { rows } = await db.query<RawReaction>(
        `select person_id as "personId", type, bool_or(coalesce(properties -> 'machine' <> 'true', true)) as "isHuman"
         from event where type = any ($1) and properties ->> 'campaign' = $2 and person_id is not null
         group by 1, 2`,
        [Object.keys(KINDS), campaignId],
      );
      yield rows.map(toReaction);
    },
  };
}
