import { listCampaigns } from '../store/campaigns.ts';
import { healLots } from '../store/ledger.ts';
import { projectorState, resetProjector } from '../store/projector.ts';
import type { Demo } from './demo/context.ts';
import { startCampaign } from './temporal.ts';

export interface Recovery {
  campaign: string;
  run: 'started' | 'running' | 'finished';
}

/**
 * Makes everything that is not the truth agree with it again, whatever was lost: runs of campaigns that are not over are
 * started where Temporal does not know them, and a warehouse that is empty is filled from the log. The queue needs
 * nothing: its tables are made when the sender starts, and tickets are issued from the ledger every two seconds.
 */
export async function recover(
  demo: Pick<Demo, 'db' | 'warehouse' | 'temporal'>,
  tell: (line: string) => void,
): Promise<Recovery[]> {
  await demo.warehouse.setUp();
  const [counts, state] = await Promise.all([demo.warehouse.counts(), projectorState(demo.db)]);
  if (counts.events === 0 && state.projected > 0) {
    await resetProjector(demo.db);
    tell(`the warehouse was empty; ${state.logged} events of the log are copied again`);
  }
  const recovered: Recovery[] = [];
  for (const row of await listCampaigns(demo.db)) {
    if (row.report !== null || row.stage === 'refused' || row.stage === 'draft') continue;
    const healed = row.launchedAtMs === null ? 0 : await healLots(demo.db, row.no);
    const run = await startCampaign(demo.temporal, row);
    recovered.push({ campaign: row.id, run });
    tell(
      `campaign ${row.id}: ${run}${healed > 0 ? `, ${healed} messages without a lot were given one` : ''}`,
    );
  }
  return recovered;
}
