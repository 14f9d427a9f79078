import { sealAudit } from '../../store/audit.ts';
import { shopNowMs } from '../../store/clock.ts';
import { openLanes, reconcileLots } from '../../store/ledger.ts';
import { ticketAgain } from '../../delivery/queue.ts';
import type { CampaignDeps } from './deps.ts';

/** The shop clock may be moved: a ticket for later must not sleep through it. */
const DELAY_MAX_MS = 60_000;

/** What the sender does every two seconds for itself, by Schedule for all: a sender that is gone is noticed here. */
export async function reconcileAll(
  deps: CampaignDeps,
): Promise<{ released: number; unknown: number; tickets: number }> {
  const ended = await reconcileLots(deps.db);
  const lanes = await openLanes(deps.db);
  const now = await shopNowMs(deps.db);
  await deps.queue.issue(lanes.map((lane) => ticketAgain(lane, now, DELAY_MAX_MS)));
  await sealAudit(deps.db);
  return { ...ended, tickets: lanes.length };
}
