import {
  LANES,
  type LaneName,
  type LaneTable,
  type WaitReason,
  laneIndex,
} from '../domain/lane.ts';
import { warmUpDay, warmUpLimit } from '../domain/warm-up.ts';
import { shopNowMs } from './clock.ts';
import { type Db, type Queryable, transaction } from './postgres.ts';

/** The token bucket of a lane. */
export const laneKey = (lane: LaneName): string => `lane:${lane}`;

/** What `claim_lot` answers with, exactly, where the day's volume of a lane is spent. */
const DAY_SPENT_MS = 60_000;

/** Why a lane grants nothing: its rate, or the volume of its day. */
export function laneWaitReason(waitMs: number): WaitReason {
  return waitMs >= DAY_SPENT_MS ? 'warm-up' : 'lane rate';
}

/** Where a lane stands in its warm-up today, by the shop clock. */
export interface WarmUpState {
  lane: LaneName;
  /** Days since the lane's first send. */
  day: number;
  /** Messages today at most. */
  limit: number;
  /** Sent today, or leased to be sent. */
  used: number;
}

/** Today's place on the curve of each lane that has one, computed from the ledger. Reads all messages: not per batch. */
export async function warmUpStates(db: Queryable, table: LaneTable): Promise<WarmUpState[]> {
  const nowMs = await shopNowMs(db);
  const states: WarmUpState[] = [];
  for (const lane of LANES) {
    const { warmUp } = table[lane];
    if (warmUp === null) continue;
    const { rows } = await db.query<{ firstMs: number | null; today: number }>(
      `select (extract(epoch from first_sent_at) * 1000)::double precision as "firstMs", today
       from lane_volume($1::smallint)`,
      [laneIndex(lane)],
    );
    const day = warmUpDay(rows[0]!.firstMs, nowMs);
    states.push({ lane, day, limit: warmUpLimit(warmUp, day), used: rows[0]!.today });
  }
  return states;
}

/**
 * Brings the lanes' token buckets to what the table says and the ledger counts. Lanes without limits have no bucket. A
 * bucket is locked while its day is counted, so that no claim falls between the count and its use.
 */
export async function applyLanes(db: Db, table: LaneTable): Promise<WarmUpState[]> {
  return transaction(db, async (tx) => {
    const limited = LANES.filter(
      (lane) => table[lane].warmUp !== null || table[lane].ratePerSecond !== null,
    );
    await tx.query("delete from bucket where key like 'lane:%' and key <> all ($1::text[])", [
      limited.map(laneKey),
    ]);
    for (const lane of limited) {
      const rate = table[lane].ratePerSecond;
      await tx.query(
        `insert into bucket (key, rate_per_second, burst) values ($1, $2, $3)
         on conflict (key) do update set rate_per_second = excluded.rate_per_second, burst = excluded.burst,
           tokens = least(bucket.tokens, excluded.burst)`,
        [laneKey(lane), rate, Math.max(1, Math.ceil(rate ?? 1))],
      );
    }
    const states = await warmUpStates(tx, table);
    for (const lane of limited) {
      const state = states.find((known) => known.lane === lane);
      await tx.query(
        `update bucket set daily_limit = $2, taken_today = $3, day = (shop_now() at time zone 'utc')::date where key = $1`,
        [laneKey(lane), state?.limit ?? null, state?.used ?? 0],
      );
    }
    return states;
  });
}

/** Lanes in which messages of the campaign are due and the day's volume is spent. */
export async function warmUpWaits(db: Queryable, campaignNo: number): Promise<boolean> {
  const { rows } = await db.query<{ waits: boolean }>(
    `select exists (
       select from bucket b join unnest($2::text[], $3::smallint[]) as k (key, lane) on k.key = b.key
       where b.taken_today >= b.daily_limit and b.day = (shop_now() at time zone 'utc')::date
         and exists (select from lot l where l.campaign_no = $1 and l.lane = k.lane and l.due_at <= shop_now())
     ) as waits`,
    [campaignNo, LANES.map(laneKey), LANES.map(laneIndex)],
  );
  return rows[0]!.waits;
}

/** Whether the campaign's messages are all due later: quiet hours, best moments, or another try. */
export async function isAllLater(db: Queryable, campaignNo: number): Promise<boolean> {
  const { rows } = await db.query<{ later: boolean }>(
    `select coalesce(bool_and(due_at > shop_now()), false) as later from lot where campaign_no = $1`,
    [campaignNo],
  );
  return rows[0]!.later;
}

/**
 * handed → reserved without counting the attempt, for messages that no relay took notice of. `reply` is kept for
 * `explain`. Returns how many rows moved.
 */
export async function returnMessages(
  db: Queryable,
  lease: { campaignNo: number; step: number; token: number; lane: LaneName },
  personIds: readonly number[],
  { afterSeconds, reply }: { afterSeconds: number; reply: string },
): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    'select return_messages($1, $2::smallint, $3, $4::bigint[], $5, $6, $7) as n',
    [
      lease.campaignNo,
      lease.step,
      lease.token,
      personIds,
      afterSeconds,
      reply,
      laneKey(lease.lane),
    ],
  );
  return rows[0]!.n;
}
