import { KairosError } from '../domain/errors.ts';
import { LANES, type LaneName } from '../domain/lane.ts';
import {
  type LedgerCounts,
  MESSAGE_REASON,
  MESSAGE_STATE,
  type MessageReasonName,
  MODE,
  type Mode,
  isBalanced,
} from '../domain/ledger.ts';
import { LIMITS } from '../domain/limits.ts';
import { EVENT } from '../domain/records.ts';
import { appendEvents } from './events.ts';
import type { Db, Queryable, Tx } from './postgres.ts';
import { transaction } from './postgres.ts';

/** A planned message: reserved for sending at `dueAtMs`, or skipped at once with its reason. */
export interface Reservation {
  personId: number;
  skip: MessageReasonName | null;
  lane: number;
  variant: number;
  /** Probability with which this variant was chosen. */
  variantP: number;
  dueAtMs: number;
  address: string | null;
  unit: string | null;
  decision: Record<string, unknown> | null;
}

/** Messages whose due times fall into one span of this length share a lot. */
const LOT_SPAN_MS = 60_000;

/**
 * Reserves a batch, message rows and the lots that hold them, in the caller's transaction; people who have a row already
 * keep it. Returns how many are new.
 */
export async function reserveBatch(
  tx: Tx,
  campaignNo: number,
  step: number,
  mode: Mode,
  batch: readonly Reservation[],
): Promise<{ reserved: number; skipped: number }> {
  const { rows } = await tx.query<{ person_id: number; state: number }>(
    `insert into message (campaign_no, step, person_id, state, reason, mode, lane, variant, variant_p, settled_at, address,
       unit, decision)
     select $1, $2, p, case when r = 0 then 1 else 11 end, r, $3, l, v, vp, case when r > 0 then shop_now() end, a, u,
       j::jsonb
     from unnest($4::bigint[], $5::smallint[], $6::smallint[], $7::smallint[], $8::real[], $9::text[], $10::text[],
       $11::text[]) as x (p, r, l, v, vp, a, u, j)
     on conflict do nothing returning person_id, state`,
    [
      campaignNo,
      step,
      MODE[mode],
      batch.map((row) => row.personId),
      batch.map((row) => (row.skip ? MESSAGE_REASON[row.skip] : 0)),
      batch.map((row) => row.lane),
      batch.map((row) => row.variant),
      batch.map((row) => row.variantP),
      batch.map((row) => row.address),
      batch.map((row) => row.unit),
      batch.map((row) => (row.decision ? JSON.stringify(row.decision) : null)),
    ],
  );
  const fresh = new Set(rows.filter((row) => row.state === 1).map((row) => row.person_id));
  await insertLots(
    tx,
    campaignNo,
    step,
    batch.filter((row) => fresh.has(row.personId)),
  );
  return { reserved: fresh.size, skipped: rows.length - fresh.size };
}

async function insertLots(
  tx: Tx,
  campaignNo: number,
  step: number,
  reserved: readonly Reservation[],
): Promise<void> {
  const lots = new Map<string, { lane: number; dueMs: number; ids: number[] }>();
  for (const { lane, dueAtMs, personId } of reserved) {
    const key = `${lane}:${Math.floor(dueAtMs / LOT_SPAN_MS)}`;
    const lot = lots.get(key);
    if (lot) {
      lot.ids.push(personId);
      // Never before anyone's moment: quiet hours end on the minute.
      lot.dueMs = Math.max(lot.dueMs, dueAtMs);
    } else lots.set(key, { lane, dueMs: dueAtMs, ids: [personId] });
  }
  for (const lot of lots.values()) {
    await tx.query(
      `insert into lot (campaign_no, step, lane, due_at, person_ids)
       values ($1, $2, $3, to_timestamp($4 / 1000.0), $5::bigint[])`,
      [campaignNo, step, lot.lane, lot.dueMs, lot.ids],
    );
  }
}

/** One leased message with what rendering needs. */
export interface LeasedMessage {
  personId: number;
  externalId: string;
  variant: number;
  attempt: number;
  address: string;
  name: string | null;
  country: string | null;
  locale: string | null;
  traits: Record<string, unknown>;
  decision: Record<string, unknown> | null;
}

export type Claim =
  | { token: number; personIds: number[]; messages: LeasedMessage[] }
  | {
      token: null;
      waitMs: number;
      reason: 'stopped' | 'paused' | 'empty' | 'lane rate' | 'campaign rate';
    };

export interface ClaimInput {
  campaignNo: number;
  step: number;
  lane: LaneName;
  want: number;
  /** Names the sender's process in the lease. */
  sender: string;
}

/** Leases a lot under a new fencing token, within the lane's and the campaign's rate. */
export async function claimMessages(db: Db, input: ClaimInput): Promise<Claim> {
  const claimed = await db.query<{
    token: number | null;
    wait_ms: number;
    wait_reason: string | null;
    person_ids: number[] | null;
  }>('select * from claim_lot($1, $2::smallint, $3::smallint, $4, $5, $6, $7)', [
    input.campaignNo,
    input.step,
    LANES.indexOf(input.lane),
    `lane:${input.lane}`,
    input.want,
    input.sender,
    LIMITS.leaseSeconds,
  ]);
  const claim = claimed.rows[0]!;
  if (claim.token === null) {
    return { token: null, waitMs: claim.wait_ms, reason: claim.wait_reason as 'empty' };
  }
  const { rows } = await db.query<LeasedMessage>(
    `select m.person_id as "personId", p.external_id as "externalId", m.variant, m.attempt, m.address, p.name,
       p.country, p.locale, p.traits, m.decision
     from message m join person p on p.id = m.person_id
     where m.person_id = any ($3::bigint[]) and m.campaign_no = $1 and m.step = $2 and m.state = 1`,
    [input.campaignNo, input.step, claim.person_ids],
  );
  return { token: claim.token, personIds: claim.person_ids!, messages: rows };
}

export interface Handed {
  /** `paused`: nothing moved, give the lot back. `fenced`: the lease is not ours any more, touch nothing. */
  verdict: 'go' | 'paused' | 'fenced';
  personIds: number[];
}

/**
 * reserved → handed, committed before any of them is sent; names the people whose mail may go now. `again` repeats a call
 * whose answer was lost, by a caller that has sent none of them.
 */
export async function handMessages(
  db: Queryable,
  lease: { campaignNo: number; step: number; token: number },
  personIds: readonly number[],
  again = false,
): Promise<Handed> {
  const { rows } = await db.query<{ verdict: Handed['verdict']; handed: number[] | null }>(
    'select * from hand_messages($1, $2::smallint, $3, $4::bigint[], $5, $6)',
    [lease.campaignNo, lease.step, lease.token, personIds, LIMITS.leaseSeconds, again],
  );
  return { verdict: rows[0]!.verdict, personIds: rows[0]!.handed ?? [] };
}

export type Outcome = 'sent' | 'refused' | 'deferred' | 'unknown';
export interface Settlement {
  personId: number;
  outcome: Outcome;
  reply: string;
}

const OUTCOME_LETTER: Record<Outcome, string> = {
  sent: 's',
  refused: 'b',
  deferred: 'd',
  unknown: 'u',
};

/**
 * handed → sent, bounced, deferred or unknown, and one log row for all that were sent or bounced, in one statement and so
 * in one transaction. Returns how many rows moved: fewer than given where another token owns a row by now.
 */
export async function settleMessages(
  db: Queryable,
  input: {
    campaignId: string;
    campaignNo: number;
    step: number;
    token: number;
    retrySeconds: number;
  },
  settlements: readonly Settlement[],
): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    'select settle_messages($1, $2::smallint, $3, $4::bigint[], $5::text[], $6::text[], $7, $8, $9) as n',
    [
      input.campaignNo,
      input.step,
      input.token,
      settlements.map((s) => s.personId),
      settlements.map((s) => OUTCOME_LETTER[s.outcome]),
      settlements.map((s) => s.reply),
      input.retrySeconds,
      LIMITS.attemptsMax,
      input.campaignId,
    ],
  );
  return rows[0]!.n;
}

/** Ends a lease; `unhanded` go back and are due at once, for example when the sender stops or the campaign is paused. */
export async function releaseLot(
  db: Queryable,
  token: number,
  unhanded: readonly number[] = [],
): Promise<void> {
  await db.query('select release_lot($1, $2::bigint[])', [token, unhanded]);
}

/** Leases that ended without their sender: reserved ones are due again, handed ones without a reply become `unknown`. */
export async function reconcileLots(db: Queryable): Promise<{ released: number; unknown: number }> {
  const { rows } = await db.query<{ released: number; unknown: number }>(
    'select * from reconcile_lots($1)',
    [LIMITS.handedSeconds],
  );
  return rows[0]!;
}

/** Gives a lot to reserved messages that have none, and ends handed ones whose lease is gone; returns how many. */
export async function healLots(db: Queryable, campaignNo: number): Promise<number> {
  const { rows } = await db.query<{ n: number }>('select heal_lots($1, $2) as n', [
    campaignNo,
    LIMITS.handedSeconds,
  ]);
  return rows[0]!.n;
}

export interface OpenLane {
  campaignNo: number;
  campaignId: string;
  step: number;
  lane: LaneName;
  /** Shop time of the first message that is due in it. */
  nextDueMs: number;
}

/** The lanes with lots that are due or will be: for each of them a ticket must exist. */
export async function openLanes(db: Queryable): Promise<OpenLane[]> {
  const { rows } = await db.query<Omit<OpenLane, 'lane'> & { lane: number }>(
    `select l.campaign_no as "campaignNo", c.id as "campaignId", l.step, l.lane,
       floor(extract(epoch from min(l.due_at)) * 1000)::bigint as "nextDueMs"
     from lot l join campaign c on c.no = l.campaign_no
     where l.due_at is not null and c.stop is null and not c.paused group by 1, 2, 3, 4`,
  );
  return rows.map((row) => ({ ...row, lane: LANES[row.lane]! }));
}

/** True while a lot of the campaign is due or leased: one probe, where counting would read the whole campaign. */
export async function isBusy(db: Queryable, campaignNo: number): Promise<boolean> {
  const { rows } = await db.query<{ busy: boolean }>(
    'select exists (select from lot where campaign_no = $1) as busy',
    [campaignNo],
  );
  return rows[0]!.busy;
}

/** Reserved messages past their campaign's deadline expire. */
export async function expireOverdue(db: Queryable, campaignNo: number): Promise<number> {
  const late = await db.query<{ late: boolean }>(
    'select coalesce(deadline_at < shop_now(), false) as late from campaign where no = $1',
    [campaignNo],
  );
  if (!late.rows[0]?.late) return 0;
  // Only lots that nobody leases: what a sender holds it may still hand.
  const { rowCount } = await db.query(
    `with overdue as (delete from lot where campaign_no = $1 and due_at is not null returning step, person_ids)
     update message m set state = ${MESSAGE_STATE.expired}, reason = ${MESSAGE_REASON.pastDeadline}, settled_at = shop_now()
     from (select step, unnest(person_ids) as person_id from overdue) o
     where m.person_id = o.person_id and m.campaign_no = $1 and m.step = o.step and m.state = 1`,
    [campaignNo],
  );
  return rowCount ?? 0;
}

/**
 * Takes back every message not yet handed. `stop` is set first and in the same transaction, so a sender that asks for
 * `handed` afterwards gets nothing. Returns what was taken back and who was gone already.
 */
export async function stopCampaign(
  db: Db,
  campaignNo: number,
  stop: 'recalled' | 'cancelled',
): Promise<{ takenBack: number; gone: number }> {
  return transaction(db, async (tx) => {
    await tx.query('update campaign set stop = coalesce(stop, $2), waiting = null where no = $1', [
      campaignNo,
      stop,
    ]);
    await tx.query('delete from lot where campaign_no = $1 and due_at is not null', [campaignNo]);
    const taken = await tx.query(
      `update message set state = ${MESSAGE_STATE.skipped}, reason = $2, settled_at = shop_now()
       where campaign_no = $1 and state = ${MESSAGE_STATE.reserved}`,
      [campaignNo, MESSAGE_REASON[stop]],
    );
    const gone = await tx.query<{ n: number }>(
      `select count(*) as n from message where campaign_no = $1 and state in (3, 10, 12, 14)`,
      [campaignNo],
    );
    return { takenBack: taken.rowCount ?? 0, gone: gone.rows[0]!.n };
  });
}

/** Everyone of the audience by state; `planned` are those without a row of the ledger. */
export async function ledgerCounts(db: Queryable, campaignNo: number): Promise<LedgerCounts> {
  const { rows } = await db.query<{ state: number; n: number }>(
    'select state, count(*) as n from message where campaign_no = $1 and step = 0 group by state',
    [campaignNo],
  );
  const audience = await db.query<{ n: number; held: number }>(
    `select count(*) as n, count(*) filter (where holdout) as held from audience_member where campaign_no = $1`,
    [campaignNo],
  );
  const leased = await db.query<{ n: number }>(
    `select count(*) as n from lot l cross join unnest(l.person_ids) as p (person_id)
     join message m on m.person_id = p.person_id and m.campaign_no = l.campaign_no and m.step = l.step
     where l.campaign_no = $1 and l.until is not null and m.state = 1`,
    [campaignNo],
  );
  const of = (state: number): number => rows.find((row) => row.state === state)?.n ?? 0;
  const rowsTotal = rows.reduce((sum, row) => sum + row.n, 0);
  const { n, held } = audience.rows[0]!;
  return {
    audience: n,
    holdout: held,
    planned: n - held - rowsTotal,
    reserved: of(MESSAGE_STATE.reserved) - leased.rows[0]!.n,
    leased: leased.rows[0]!.n,
    handed: of(MESSAGE_STATE.handed),
    sent: of(MESSAGE_STATE.sent),
    skipped: of(MESSAGE_STATE.skipped),
    bounced: of(MESSAGE_STATE.bounced),
    expired: of(MESSAGE_STATE.expired),
    unknown: of(MESSAGE_STATE.unknown),
  };
}

export async function skippedByReason(
  db: Queryable,
  campaignNo: number,
): Promise<Record<string, number>> {
  const { rows } = await db.query<{ reason: number; n: number }>(
    `select reason, count(*) as n from message where campaign_no = $1 and state = 11 group by reason order by n desc`,
    [campaignNo],
  );
  return Object.fromEntries(rows.map((row) => [reasonName(row.reason), row.n]));
}

export function reasonName(reason: number): MessageReasonName {
  const names = Object.keys(MESSAGE_REASON) as MessageReasonName[];
  return names.find((name) => MESSAGE_REASON[name] === reason) ?? 'none';
}

/** Messages of one campaign that are neither planned into a closing state nor closed. */
export async function outstanding(db: Queryable, campaignNo: number): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    'select count(*) as n from message where campaign_no = $1 and state < 10',
    [campaignNo],
  );
  return rows[0]!.n;
}

/** Promise 2: closes the campaign if everyone planned is in exactly one closing state, else refuses. */
export async function closeCampaign(db: Db, campaignNo: number): Promise<LedgerCounts> {
  return transaction(db, async (tx) => {
    await tx.query('select 1 from campaign where no = $1 for update', [campaignNo]);
    const counts = await ledgerCounts(tx, campaignNo);
    if (!isBalanced(counts)) {
      throw new KairosError(
        'CAMPAIGN_NOT_BALANCED',
        `Campaign number ${campaignNo} does not balance: ${JSON.stringify(counts)}; it closes when every message has settled.`,
        { counts },
      );
    }
    const { rows } = await tx.query<{ id: string; mode: number; ms: number }>(
      `update campaign set closed_at = coalesce(closed_at, shop_now()) where no = $1
       returning id, mode, (extract(epoch from closed_at) * 1000)::double precision as ms`,
      [campaignNo],
    );
    const { id, mode, ms } = rows[0]!;
    await appendEvents(tx, [
      {
        messageId: `campaign-closed:${campaignNo}`,
        type: EVENT.campaignClosed,
        personId: null,
        atMs: ms,
        properties: { campaign: id, mode, ...counts },
      },
    ]);
    return counts;
  });
}

/** The messages that nobody can say of whether they arrived, for the operator. */
export async function unknownMessages(
  db: Queryable,
  campaignNo: number,
): Promise<{ personId: number; handedAt: Date; token: number }[]> {
  const { rows } = await db.query<{ personId: number; handedAt: Date; token: number }>(
    `select person_id as "personId", handed_at as "handedAt", token from message
     where campaign_no = $1 and state = 14 order by handed_at`,
    [campaignNo],
  );
  return rows;
}

/** One person's row of a campaign, for `explain`. */
export interface MessageRow {
  state: number;
  reason: number;
  mode: number;
  lane: number;
  variant: number;
  variantP: number;
  attempt: number;
  handedAt: Date | null;
  settledAt: Date | null;
  reply: string | null;
  decision: Record<string, unknown> | null;
}

export async function messageOf(
  db: Queryable,
  campaignNo: number,
  personId: number,
): Promise<MessageRow | null> {
  const { rows } = await db.query<MessageRow>(
    `select state, reason, mode, lane, variant, variant_p as "variantP", attempt, handed_at as "handedAt",
       settled_at as "settledAt", reply, decision
     from message where person_id = $2 and campaign_no = $1 and step = 0`,
    [campaignNo, personId],
  );
  return rows[0] ?? null;
}
