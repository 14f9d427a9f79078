import { foremostReason } from '../../domain/lane.ts';
import { campaignByNo, setWaiting } from '../../store/campaigns.ts';
import { isAllLater, warmUpWaits } from '../../store/lanes.ts';
import { expireOverdue, healLots, isBusy, outstanding } from '../../store/ledger.ts';
import type { CampaignDeps } from './deps.ts';

export interface DrainState {
  open: number;
  sent: number;
  /** Why it waits, a `WaitReason` or `rate` where nothing more is known; null where all has settled. */
  waiting: string | null;
}

const LOOK_MS = 250;
/** Asking why is dearer than asking whether. */
const ASK_EVERY_MS = 2_000;
/** A reason that changes ends the wait, so that Temporal UI shows the new one; but not at each flicker. */
const TELL_AFTER_MS = 15_000;
/** One probe of an index a second is nothing; whoever waits for the report sees it at once. */
const LOOK_MOST_MS = 1_000;

/** Waits until every message of the campaign has settled, at most `waitMs`; expires what is past its deadline. */
export async function awaitDrained(
  deps: CampaignDeps,
  input: { campaignNo: number; waitMs: number },
): Promise<DrainState> {
  const beganAt = Date.now();
  const until = beganAt + input.waitMs;
  const reasons = reasonsOf(deps, input.campaignNo);
  for (let lookMs = LOOK_MS; ; lookMs = Math.min(LOOK_MOST_MS, lookMs * 1.5)) {
    await expireOverdue(deps.db, input.campaignNo);
    const busy = await isBusy(deps.db, input.campaignNo);
    const why = busy ? await reasons() : null;
    const news = why?.isNews === true && Date.now() - beganAt >= TELL_AFTER_MS;
    const late = Date.now() >= until || news;
    const open = busy && !late ? 1 : await outstanding(deps.db, input.campaignNo);
    if (!busy && open > 0) await healLots(deps.db, input.campaignNo);
    if (open === 0 || late) {
      const { rows } = await deps.db.query<{ sent: number }>(
        'select count(*) as sent from message where campaign_no = $1 and state = 10',
        [input.campaignNo],
      );
      return { open, sent: rows[0]!.sent, waiting: open === 0 ? null : (why?.reason ?? 'rate') };
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(lookMs, until - Date.now())));
  }
}

interface Why {
  reason: string;
  /** It was another one when the wait began. */
  isNews: boolean;
}

/** Asks why the campaign waits, keeps the answer in its row for whoever looks there, and asks no more often than needed. */
function reasonsOf(deps: CampaignDeps, campaignNo: number): () => Promise<Why> {
  let first: string | null = null;
  let askedAt = 0;
  let reason = 'rate';
  return async () => {
    if (Date.now() - askedAt >= ASK_EVERY_MS) {
      askedAt = Date.now();
      reason = await reasonNow(deps, campaignNo);
      await setWaiting(deps.db, campaignNo, reason);
    }
    first ??= reason;
    return { reason, isNews: reason !== first };
  };
}

async function reasonNow(deps: CampaignDeps, campaignNo: number): Promise<string> {
  const { paused } = await campaignByNo(deps.db, campaignNo);
  if (paused) return 'paused';
  // The queue may be away: then less is known, and nothing is wrong with the campaign.
  const tickets = await deps.queue.waiting().catch(() => []);
  // The relay is everybody's.
  const mine = tickets.filter((wait) => wait.campaignNo === campaignNo || wait.reason === 'relay');
  const reasons = mine.map(({ reason }) => reason);
  if (await warmUpWaits(deps.db, campaignNo)) reasons.push('warm-up');
  if (await isAllLater(deps.db, campaignNo)) reasons.push('time');
  return foremostReason(reasons) ?? 'rate';
}
