import type { Campaign } from '../domain/campaign.ts';
import { parseSpan } from '../domain/campaign.ts';
import { KairosError } from '../domain/errors.ts';
import { MODE, type Mode } from '../domain/ledger.ts';
import type { Db, Queryable } from './postgres.ts';
import { transaction } from './postgres.ts';

/** Where a campaign is in its life, as its row, Temporal UI and the command line show it. */
export type Stage =
  | 'draft'
  | 'snapshot'
  | 'approval'
  | 'scheduled'
  | 'sending'
  | 'draining'
  | 'measuring'
  | 'closed'
  | 'refused';

export interface CampaignRow {
  no: number;
  id: string;
  definition: Campaign;
  hash: string;
  mode: Mode;
  links: Record<string, readonly string[]>;
  templates: Record<string, unknown>;
  /** A template shows products, so planning chooses some for each person. */
  usesProducts: boolean;
  salt: string;
  stage: Stage;
  waiting: string | null;
  paused: boolean;
  stop: 'recalled' | 'cancelled' | null;
  ratePerSecond: number | null;
  chosenVariant: number | null;
  expectedCount: number | null;
  approvedBy: string | null;
  snapshotAtMs: number | null;
  launchedAtMs: number | null;
  deadlineAtMs: number | null;
  closedAtMs: number | null;
  report: unknown;
}

const COLUMNS = `no, id, definition, hash, mode, links, templates, uses_products as "usesProducts", salt, stage, waiting, paused, stop,
  rate_per_second as "ratePerSecond", chosen_variant as "chosenVariant", expected_count as "expectedCount",
  approved_by as "approvedBy", report,
  (extract(epoch from snapshot_at) * 1000)::double precision as "snapshotAtMs",
  (extract(epoch from launched_at) * 1000)::double precision as "launchedAtMs",
  (extract(epoch from deadline_at) * 1000)::double precision as "deadlineAtMs",
  (extract(epoch from closed_at) * 1000)::double precision as "closedAtMs"`;

type RawRow = Omit<CampaignRow, 'mode'> & { mode: number };

function fromRaw(row: RawRow): CampaignRow {
  const mode = (Object.keys(MODE) as Mode[]).find((name) => MODE[name] === row.mode)!;
  return { ...row, mode };
}

export interface RegisterInput {
  campaign: Campaign;
  links: Record<string, readonly string[]>;
  templates: Record<string, unknown>;
  usesProducts: boolean;
  mode: Mode;
  salt: string;
  expectedCount: number | null;
  /** The run's own id where it is not the campaign's; see `domain/mode.ts`. */
  runId?: string;
}

/**
 * Writes the frozen campaign's row, the guard that a campaign runs once. The same content again returns the row that is
 * there; other content under an id that was launched is refused with `CAMPAIGN_ALREADY_RUN`.
 */
export async function registerCampaign(db: Db, input: RegisterInput): Promise<CampaignRow> {
  const runId = input.runId ?? input.campaign.id;
  return transaction(db, async (tx) => {
    await tx.query(
      `insert into campaign (id, definition, hash, mode, links, templates, salt, expected_count, rate_per_second,
         uses_products)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing`,
      [
        runId,
        JSON.stringify(input.campaign),
        input.campaign.hash,
        MODE[input.mode],
        JSON.stringify(input.links),
        JSON.stringify(input.templates),
        input.salt,
        input.expectedCount,
        input.campaign.ratePerSecond ?? null,
        input.usesProducts,
      ],
    );
    const row = await campaignById(tx, runId);
    if (row.hash !== input.campaign.hash) {
      throw new KairosError(
        'CAMPAIGN_ALREADY_RUN',
        `Campaign ${row.id} was launched before with other content (hash ${row.hash.slice(0, 12)}); give the new one another id.`,
        { campaign: row.id },
      );
    }
    await setRate(tx, row.no, input.campaign.ratePerSecond ?? row.ratePerSecond);
    return row;
  });
}

/** The runs of a campaign in all modes, the oldest first. */
export async function runsOf(db: Queryable, campaignId: string): Promise<CampaignRow[]> {
  const { rows } = await db.query<RawRow>(
    `select ${COLUMNS} from campaign where definition ->> 'id' = $1 order by no`,
    [campaignId],
  );
  return rows.map(fromRaw);
}

export async function campaignById(db: Queryable, id: string): Promise<CampaignRow> {
  const { rows } = await db.query<RawRow>(`select ${COLUMNS} from campaign where id = $1`, [id]);
  if (!rows[0]) {
    throw new KairosError('CAMPAIGN_UNKNOWN', `There is no campaign ${id}; launch it first.`);
  }
  return fromRaw(rows[0]);
}

export async function campaignByNo(db: Queryable, no: number): Promise<CampaignRow> {
  const { rows } = await db.query<RawRow>(`select ${COLUMNS} from campaign where no = $1`, [no]);
  if (!rows[0]) throw new KairosError('CAMPAIGN_UNKNOWN', `There is no campaign number ${no}.`);
  return fromRaw(rows[0]);
}

export async function listCampaigns(db: Queryable): Promise<CampaignRow[]> {
  const { rows } = await db.query<RawRow>(`select ${COLUMNS} from campaign order by no`);
  return rows.map(fromRaw);
}

export async function setStage(
  db: Queryable,
  no: number,
  stage: Stage,
  waiting: string | null = null,
): Promise<void> {
  await db.query('update campaign set stage = $2, waiting = $3 where no = $1', [
    no,
    stage,
    waiting,
  ]);
}

/** Why it waits at its stage, where that changes while it does; a campaign that was stopped waits for nothing. */
export async function setWaiting(db: Queryable, no: number, waiting: string): Promise<void> {
  await db.query(
    `update campaign set waiting = $2
     where no = $1 and stage = 'draining' and stop is null and waiting is distinct from $2`,
    [no, waiting],
  );
}

export async function setPaused(db: Queryable, no: number, paused: boolean): Promise<void> {
  await db.query('update campaign set paused = $2 where no = $1', [no, paused]);
}

export async function approveCampaign(db: Queryable, no: number, by: string): Promise<void> {
  await db.query(
    'update campaign set approved_by = $2, approved_at = shop_now() where no = $1 and approved_by is null',
    [no, by],
  );
}

/** Messages a second over all lanes of one campaign; null lifts the limit. The bucket holds a second's worth. */
export async function setRate(
  db: Queryable,
  no: number,
  ratePerSecond: number | null,
): Promise<void> {
  await db.query('update campaign set rate_per_second = $2 where no = $1', [no, ratePerSecond]);
  await db.query(
    `insert into bucket (key, rate_per_second, burst) values ('campaign:' || $1::int, $2, $3)
     on conflict (key) do update set rate_per_second = excluded.rate_per_second, burst = excluded.burst,
       tokens = least(bucket.tokens, excluded.burst)`,
    [no, ratePerSecond, Math.max(1, Math.ceil(ratePerSecond ?? 1))],
  );
}

/** Marks the start of the sending: goal window and deadline count from here. Once only. */
export async function markLaunched(db: Queryable, no: number, deadline: string): Promise<void> {
  await db.query(
    `update campaign set launched_at = coalesce(launched_at, shop_now()), stage = 'sending', waiting = null,
       deadline_at = coalesce(deadline_at, shop_now() + $2 * interval '1 millisecond') where no = $1`,
    [no, parseSpan(deadline)],
  );
}

export async function chooseVariant(db: Queryable, no: number, variant: number): Promise<void> {
  await db.query(
    'update campaign set chosen_variant = coalesce(chosen_variant, $2) where no = $1',
    [no, variant],
  );
}

export async function saveReport(db: Queryable, no: number, report: unknown): Promise<void> {
  await db.query('update campaign set report = $2 where no = $1', [no, JSON.stringify(report)]);
}
