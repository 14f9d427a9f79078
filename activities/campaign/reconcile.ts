import { sealAudit } from '../../store/audit.ts';
import { shopNowMs } from '../../store/clock.ts';
import { openLanes, reconcileLots } from '../../store/ledger.ts';
import type { CampaignDeps } from './deps.ts';

/** What the sender does every two seconds for itself, by Schedule for all: a sender that is gone is noticed here. */
export async function reconcileAll(
  deps: CampaignDeps,
): Promise<{ released: number; unknown: number; tickets: number }> {
  const ended = await reconcileLots(deps.db);
  const lanes = await openLanes(deps.db);
  const now = await shopNowMs(deps.db);
  await deps.queue.issue(
    lanes.map((lane) => ({
      ticket: { ...lane, dueMs: lane.nextDueMs },
      options: {
        id: `again.${lane.campaignNo}.${lane.step}.${lane.lane}`,
        delayMs: Math.min(lane.nextDueMs - now, 60_000),
      },
    })),
  );
  await sealAudit(deps.db);
  return { ...ended, tickets: lanes.length };
}
