import { campaignByNo } from '../../store/campaigns.ts';
import { expireOverdue, healLots, isBusy, outstanding } from '../../store/ledger.ts';
import type { CampaignDeps } from './deps.ts';

export interface DrainState {
  open: number;
  sent: number;
  /** Why it waits: `paused`, `lane rate`, `campaign rate`, `time`, or null. */
  waiting: string | null;
}

const LOOK_MS = 250;

/** Waits until every message of the campaign has settled, at most `waitMs`; expires what is past its deadline. */
export async function awaitDrained(
  deps: CampaignDeps,
  input: { campaignNo: number; waitMs: number },
): Promise<DrainState> {
  const until = Date.now() + input.waitMs;
  for (let lookMs = LOOK_MS; ; lookMs = Math.min(5_000, lookMs * 1.5)) {
    await expireOverdue(deps.db, input.campaignNo);
    const busy = await isBusy(deps.db, input.campaignNo);
    const late = Date.now() >= until;
    const open = busy && !late ? 1 : await outstanding(deps.db, input.campaignNo);
    if (!busy && open > 0) await healLots(deps.db, input.campaignNo);
    if (open === 0 || late) {
      const row = await campaignByNo(deps.db, input.campaignNo);
      const { rows } = await deps.db.query<{ sent: number }>(
        'select count(*) as sent from message where campaign_no = $1 and state = 10',
        [input.campaignNo],
      );
      const waiting = open === 0 ? null : row.paused ? 'paused' : (row.waiting ?? 'rate');
      return { open, sent: rows[0]!.sent, waiting };
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(lookMs, until - Date.now())));
  }
}
