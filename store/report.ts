import { parseSpan } from '../domain/campaign.ts';
import type { LedgerCounts } from '../domain/ledger.ts';
import {
  type ByArm,
  type CampaignReport,
  type GoalsOfPerson,
  type ReactionsOfPerson,
  type ReportInput,
  composeReport,
} from '../domain/report.ts';
import type { CampaignRow } from './campaigns.ts';
import { ledgerCounts, skippedByReason, unknownMessages } from './ledger.ts';
import { budgetOf } from './budget.ts';
import { waitingOf } from './waiting.ts';
import type { Queryable } from './postgres.ts';
import type { GoalRow, ReactionRow, ReportSource } from './report-source.ts';

export interface ReportOptions {
  /** Shop time; later events do not count yet. */
  nowMs: number;
  /** `none` for a historical shop: nobody of it can have reacted to a mail. */
  reactions: 'real' | 'none';
}

/** People whose rows are looked up in one statement. */
const PEOPLE_BATCH = 5_000;

/**
 * What a campaign did and earned, as of `nowMs`: states from the ledger, events from `source`, joined by the frozen
 * audience. The warehouse must have caught up with the log before (`awaitProjected`).
 */
export async function buildReport(
  db: Queryable,
  source: ReportSource,
  row: CampaignRow,
  options: ReportOptions,
): Promise<CampaignReport> {
  const span = parseSpan(row.definition.goal.window) ?? 0;
  const windowEndMs = row.launchedAtMs === null ? null : row.launchedAtMs + span;
  const [counts, skipped, unknown, facts] = await Promise.all([
    ledgerCounts(db, row.no),
    skippedByReason(db, row.no),
    unknownMessages(db, row.no),
    ledgerFacts(db, row),
  ]);
  const [waiting, budget, goals, reactions] = await Promise.all([
    waitingOf(db, row, counts),
    budgetOf(db, row),
    goalsOf(db, source, row, options.nowMs, windowEndMs),
    reactionsOf(db, source, row),
  ]);
  return composeReport({
    campaign: row.id,
    name: row.definition.name,
    mode: row.mode,
    goal: { event: row.definition.goal.event, window: row.definition.goal.window },
    launchedAtMs: row.launchedAtMs,
    windowEndMs,
    nowMs: options.nowMs,
    isClosed: row.closedAtMs !== null,
    counts,
    skippedByReason: skipped,
    waiting,
    budget,
    unknownMessages: unknown.map(({ personId, handedAt }) => ({
      personId,
      handedAtMs: handedAt.getTime(),
    })),
    goals,
    reactions,
    reactionsPossible: options.reactions,
    ...facts,
  });
}

type LedgerFacts = Pick<
  ReportInput,
  'persons' | 'duplicates' | 'variants' | 'bounces' | 'currencies' | 'clockAheadMs'
>;

async function ledgerFacts(db: Queryable, row: CampaignRow): Promise<LedgerFacts> {
  const [persons, duplicates, variants, bounces, shop] = await Promise.all([
    db.query<ByArm>(
      `select count(*) filter (where not holdout) as treated, count(*) filter (where holdout) as holdout
       from audience_member where campaign_no = $1 and eligible`,
      [row.no],
    ),
    // By the mailbox, and also what was sent and bounced later: more than the ledger's key forbids.
    db.query<{ n: number }>(
      `select count(*) as n from (
         select 1 from message where campaign_no = $1 and (state = 10 or (state = 12 and reason = 21))
         group by step, coalesce(unit, person_id::text) having count(*) > 1) d`,
      [row.no],
    ),
    db.query<{ variant: number; persons: number; sent: number }>(
      `select variant, count(*) filter (where variant_p > 0) as persons, count(*) filter (where state = 10) as sent
       from message where campaign_no = $1 and step = 0 group by variant`,
      [row.no],
    ),
    db.query<{ code: string; count: number }>(
      `select coalesce(substring(reply from '\\y[245]\\.[0-9]{1,3}\\.[0-9]{1,3}\\y'), substring(reply from '^[245][0-9]{2}\\y'),
         'other') as code, count(*) as count
       from message where campaign_no = $1 and state = 12 group by 1 order by 2 desc, 1 limit 20`,
      [row.no],
    ),
    db.query<{ currencies: string[]; ahead: number }>(
      `select array(select currency from product group by currency order by count(*) desc, currency limit 5) as currencies,
         offset_ms as ahead from shop_clock`,
    ),
  ]);
  return {
    persons: persons.rows[0]!,
    duplicates: duplicates.rows[0]!.n,
    variants: row.definition.variants.map(({ id }, index) => {
      const known = variants.rows.find(({ variant }) => variant === index);
      return { id, persons: known?.persons ?? 0, sent: known?.sent ?? 0 };
    }),
    bounces: bounces.rows,
    currencies: shop.rows[0]!.currencies,
    clockAheadMs: shop.rows[0]!.ahead,
  };
}

async function goalsOf(
  db: Queryable,
  source: ReportSource,
  row: CampaignRow,
  nowMs: number,
  windowEndMs: number | null,
): Promise<GoalsOfPerson[]> {
  if (row.launchedAtMs === null || windowEndMs === null) return [];
  const { event } = row.definition.goal;
  const toMs = Math.min(windowEndMs, nowMs);
  const rows = new Map<number, GoalRow[]>();
  for await (const batch of source.goals({ event, fromMs: row.launchedAtMs, toMs })) {
    for (const goal of batch) {
      const known = rows.get(goal.personId);
      if (known) known.push(goal);
      else rows.set(goal.personId, [goal]);
    }
  }
  const members = await membersAmong(db, row.no, [...rows.keys()]);
  return members.map(({ personId, isHoldout, variant }) => ({
    isHoldout,
    variant,
    days: rows.get(personId)!,
  }));
}

async function reactionsOf(
  db: Queryable,
  source: ReportSource,
  row: CampaignRow,
): Promise<ReactionsOfPerson[]> {
  const found: ReactionsOfPerson[] = [];
  for await (const batch of source.reactions(row.id)) {
    const variants = await variantsAmong(db, row.no, [
      ...new Set(batch.map(({ personId }: ReactionRow) => personId)),
    ]);
    for (const { personId, kind, isHuman } of batch) {
      found.push({ kind, isHuman, variant: variants.get(personId) ?? null });
    }
  }
  return found;
}

/** Which of these people could be mailed by the frozen audience, and what was drawn for them. */
async function membersAmong(
  db: Queryable,
  campaignNo: number,
  personIds: readonly number[],
): Promise<{ personId: number; isHoldout: boolean; variant: number | null }[]> {
  const found: { personId: number; isHoldout: boolean; variant: number | null }[] = [];
  for (let at = 0; at < personIds.length; at += PEOPLE_BATCH) {
    const { rows } = await db.query<(typeof found)[number]>(
      `select a.person_id as "personId", a.holdout as "isHoldout",
         case when m.variant_p > 0 then m.variant end as variant
       from audience_member a
       left join message m on m.person_id = a.person_id and m.campaign_no = a.campaign_no and m.step = 0
       where a.campaign_no = $1 and a.eligible and a.person_id = any ($2::bigint[])`,
      [campaignNo, personIds.slice(at, at + PEOPLE_BATCH)],
    );
    found.push(...rows);
  }
  return found;
}

async function variantsAmong(
  db: Queryable,
  campaignNo: number,
  personIds: readonly number[],
): Promise<Map<number, number>> {
  const variants = new Map<number, number>();
  for (let at = 0; at < personIds.length; at += PEOPLE_BATCH) {
    const { rows } = await db.query<{ personId: number; variant: number }>(
      `select person_id as "personId", variant from message
       where person_id = any ($2::bigint[]) and campaign_no = $1 and step = 0 and variant_p > 0`,
      [campaignNo, personIds.slice(at, at + PEOPLE_BATCH)],
    );
    for (const { personId, variant } of rows) variants.set(personId, variant);
  }
  return variants;
}

/** How the variants of a pilot did so far, by people who clicked or reached the goal. Machines do not count. */
export async function armResults(
  db: Queryable,
  source: ReportSource,
  row: CampaignRow,
  nowMs: number,
): Promise<{ variant: number; persons: number; successes: number }[]> {
  const { rows } = await db.query<{ variant: number; persons: number }>(
    `select variant, count(*) as persons from message
     where campaign_no = $1 and step = 0 and state = 10 and variant_p > 0 group by variant`,
    [row.no],
  );
  const byClicks = row.definition.pilot?.choose !== 'orders';
  const won = byClicks
    ? (await reactionsOf(db, source, row)).filter(
        ({ kind, isHuman }) => kind === 'click' && isHuman,
      )
    : await goalsOf(db, source, row, nowMs, Number.POSITIVE_INFINITY);
  return row.definition.variants.map((_, variant) => ({
    variant,
    persons: rows.find((known) => known.variant === variant)?.persons ?? 0,
    successes: won.filter((success) => success.variant === variant).length,
  }));
}

/** Everything of a campaign by state, and its skipped ones by reason: what the API and the metrics show. */
export async function ledgerSummary(
  db: Queryable,
  campaignNo: number,
): Promise<{ counts: LedgerCounts; skipped: Record<string, number> }> {
  const [counts, skipped] = await Promise.all([
    ledgerCounts(db, campaignNo),
    skippedByReason(db, campaignNo),
  ]);
  return { counts, skipped };
}

/** Size of the audience and mails sent of every campaign by its number; for lists. */
export async function audienceAndSent(
  db: Queryable,
): Promise<Map<number, { audience: number; sent: number }>> {
  const { rows } = await db.query<{ no: number; audience: number; sent: number }>(
    `select c.no, (select count(*) from audience_member a where a.campaign_no = c.no) as audience,
       (select count(*) from message m where m.campaign_no = c.no and m.state = 10) as sent
     from campaign c`,
  );
  return new Map(rows.map(({ no, audience, sent }) => [no, { audience, sent }]));
}
