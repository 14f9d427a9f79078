import { LANES } from '../domain/lane.ts';
import type { LedgerCounts } from '../domain/ledger.ts';
import { type Waiting, type WaitingFacts, waitingByReason } from '../domain/waiting.ts';
import type { CampaignRow } from './campaigns.ts';
import { laneKey } from './lanes.ts';
import type { Queryable } from './postgres.ts';

/** How many messages of a campaign wait, and why. Reads its open messages: for a report, not for each batch. */
export async function waitingOf(
  db: Queryable,
  row: CampaignRow,
  counts: Pick<LedgerCounts, 'planned' | 'handed'>,
): Promise<Waiting> {
  if (row.closedAtMs !== null) return {};
  const { rows } = await db.query<WaitingFacts['lots'][number]>(
    `select coalesce(b.taken_today >= b.daily_limit and b.day = (shop_now() at time zone 'utc')::date, false)
         as "warmUpSpent",
       l.until is not null as leased, coalesce(l.due_at > shop_now(), false) as later, count(*) as messages,
       count(*) filter (where m.attempt > 0) as tried
     from lot l cross join unnest(l.person_ids) as p (person_id)
     join message m on m.person_id = p.person_id and m.campaign_no = l.campaign_no and m.step = l.step and m.state = 1
     left join bucket b on b.key = ($2::text[])[l.lane + 1]
     where l.campaign_no = $1 group by 1, 2, 3`,
    [row.no, LANES.map(laneKey)],
  );
  return waitingByReason({
    stage: row.stage,
    told: row.waiting,
    paused: row.paused,
    definition: row.definition,
    planned: counts.planned,
    handed: counts.handed,
    lots: rows,
  });
}
