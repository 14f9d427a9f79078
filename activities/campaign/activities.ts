import { KairosError } from '../../domain/errors.ts';
import { snapshotAudience } from '../../store/audience.ts';
import { writeAudit } from '../../store/audit.ts';
import { type CampaignRow, campaignByNo, markLaunched, setStage } from '../../store/campaigns.ts';
import { shopNowMs } from '../../store/clock.ts';
import { type Db, transaction } from '../../store/postgres.ts';
import { auditContext, whileBeating } from '../context.ts';
import { createControlActivities } from './control.ts';
import { type CampaignDeps, type Ref, subject } from './deps.ts';
import { type DrainState, awaitDrained } from './drain.ts';
import { createOutcomeActivities } from './outcome.ts';
import { type PlanReceipt, planBatches } from './plan-batch.ts';
import { reconcileAll } from './reconcile.ts';
import { startMs } from './times.ts';

/** What the workflow must know of the campaign: decisions and spans, no content. */
export interface CampaignPlan {
  hash: string;
  approval: boolean;
  approvedBy: string | null;
  paused: boolean;
  stop: 'recalled' | 'cancelled' | null;
  /** Span of the pilot's wait, or null where there is none. */
  pilotWait: string | null;
}

export interface SnapshotResult {
  audience: number;
  holdout: number;
}

export function createCampaignActivities(deps: CampaignDeps) {
  return {
    ...createLaunchActivities(deps),
    ...createControlActivities(deps),
    ...createOutcomeActivities(deps),
    reconcile: () => reconcileAll(deps),
  };
}

/** From the frozen audience to the last planned batch. */
function createLaunchActivities(deps: CampaignDeps) {
  const { db } = deps;
  return {
    async describeCampaign({ campaignNo }: Ref): Promise<CampaignPlan> {
      const row = await campaignByNo(db, campaignNo);
      return {
        hash: row.hash,
        approval: (row.definition.approval ?? false) && row.mode !== 'simulated',
        approvedBy: row.approvedBy,
        paused: row.paused,
        stop: row.stop,
        // A simulation has nothing to learn from: everyone gets a variant by its weight.
        pilotWait: row.mode === 'simulated' ? null : (row.definition.pilot?.wait ?? null),
      };
    },

    async awaitProjector(_: { campaignNo: number | null }): Promise<void> {
      await whileBeating(() => deps.awaitProjector(() => {}));
    },

    async takeSnapshot({ campaignNo }: Ref): Promise<SnapshotResult> {
      return whileBeating(async () => {
        const row = await campaignByNo(db, campaignNo);
        const nowMs = row.snapshotAtMs ?? (await shopNowMs(db));
        const receipt = await snapshotAudience(
          db,
          campaignNo,
          deps.members(row.definition, nowMs),
          {
            holdout: row.definition.holdout,
            pilot: row.definition.pilot?.share ?? 0,
          },
        );
        await guardDrift(deps.db, row, receipt.audience);
        if (!receipt.already) {
          await writeAudit(db, auditContext(), {
            action: 'audience frozen',
            subject: subject(row),
            detail: { ...receipt, hash: row.hash },
          });
        }
        return { audience: receipt.audience, holdout: receipt.holdout };
      });
    },

    async untilStart({ campaignNo }: Ref): Promise<{ waitMs: number }> {
      const row = await campaignByNo(db, campaignNo);
      return { waitMs: startMs(row) - (await shopNowMs(db)) };
    },

    async markLaunched({ campaignNo }: Ref): Promise<void> {
      await transaction(db, async (tx) => {
        const row = await campaignByNo(tx, campaignNo);
        await markLaunched(tx, campaignNo, row.definition.deadline);
        if (row.launchedAtMs === null) {
          await writeAudit(tx, auditContext(), { action: 'launched', subject: subject(row) });
        }
      });
    },

    planBatch: (input: PlanBatchInput): Promise<PlanReceipt> =>
      whileBeating(() => planBatches(deps, input)),

    awaitDrained: (input: Ref & { waitMs: number }): Promise<DrainState> =>
      whileBeating(() => awaitDrained(deps, input)),
  };
}

export interface PlanBatchInput {
  campaignNo: number;
  afterSeq: number;
  lastSeq: number;
  phase: 'all' | 'pilot' | 'rest';
}

export type CampaignActivities = ReturnType<typeof createCampaignActivities>;

/** The launch guard: what was approved is what runs, within the tolerance. */
async function guardDrift(db: Db, row: CampaignRow, audience: number): Promise<void> {
  if (audience === 0) {
    await setStage(db, row.no, 'refused', 'audience');
    throw new KairosError(
      'AUDIENCE_EMPTY',
      `Campaign ${row.id} would reach nobody: its segment has no members at this time; check it with "kairos segment preview".`,
    );
  }
  if (row.expectedCount === null) return;
  const allowed = row.definition.driftTolerance * row.expectedCount;
  if (Math.abs(audience - row.expectedCount) <= allowed) return;
  await setStage(db, row.no, 'refused', 'audience');
  throw new KairosError(
    'AUDIENCE_DRIFTED',
    `Campaign ${row.id} was approved for ${row.expectedCount} people, and its segment has ${audience} now, more than ${row.definition.driftTolerance * 100} % apart; look at it again and launch it under another id.`,
    { expected: row.expectedCount, audience },
  );
}
