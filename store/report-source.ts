import { MS_PER_DAY } from '../domain/clock.ts';
import type { ReactionsOfPerson } from '../domain/report.ts';
import { EVENT } from '../domain/records.ts';
import type { Queryable } from './postgres.ts';
import type { Warehouse } from './warehouse/client.ts';

/** The goal events of one person on one day since the launch. */
export interface GoalRow {
  personId: number;
  day: number;
  count: number;
  value: number;
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

/** One query each; the tables are ordered by type, so neither reads other events. */
export function warehouseSource(warehouse: Pick<Warehouse, 'stream'>): ReportSource {
  return {
    goals: ({ event, fromMs, toMs }) =>
      warehouse.stream<GoalRow>(
        `SELECT person_id AS personId, intDiv(toUnixTimestamp64Milli(at) - {from:Int64}, ${MS_PER_DAY}) AS day,
           count() AS count, toFloat64(sum(amount)) AS value
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
        { types: Object.keys(KINDS), campaign: campaignId },
      );
      for await (const batch of batches) yield batch.map(toReaction);
    },
  };
}

/** From the log in PostgreSQL: for a small shop without a warehouse. It reads the whole log. */
export function postgresSource(db: Queryable): ReportSource {
  return {
    async *goals({ event, fromMs, toMs }) {
      const { rows } = await db.query<GoalRow>(
        `select person_id as "personId", floor((extract(epoch from at) * 1000 - $2) / ${MS_PER_DAY})::int as day,
           count(*) as count,
           coalesce(sum((properties ->> 'total')::numeric) filter (where jsonb_typeof(properties -> 'total') = 'number'), 0)
             as value
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
