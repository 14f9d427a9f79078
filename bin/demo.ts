import type { CampaignReport } from '../domain/report.ts';
import { connectPostgres } from '../store/postgres.ts';
import { readSetting } from '../store/settings.ts';
import { type Demo, openDemo } from './demo/context.ts';
import { printReport, summaryOf } from './demo/print.ts';
import { runFirstCampaign } from './demo/run.ts';
import { writeTruth } from './demo/shops.ts';
import { trainFirst } from './demo/train.ts';
import { recover } from './recover.ts';
import type { Stack } from './supervisor/stack.ts';

/** The campaign that `npm start` runs. */
const FIRST_CAMPAIGN = 'campaigns/win-back.ts';

/**
 * What `npm start` does once everything works and the shop is loaded: trains, runs its first campaign, reports. Each step looks
 * first whether an earlier start has done it, so that a second start sends nothing twice.
 * @returns the report as `--json` prints it; null for a shop that starts empty
 */
export async function runDemo(
  stack: Stack,
  { say, loaded }: { say: (text: string) => void; loaded: Promise<void> },
): Promise<Record<string, unknown> | null> {
  const began = performance.now();
  if (stack.config.shop === 'none' && !(await hasShop(stack))) {
    say('  The shop is empty: `npm run kairos -- import` loads yours.');
    return null;
  }
  const demo = await openDemo(stack.config, say);
  try {
    await loaded;
    await trainFirst(demo);
    await recover(demo, () => {});
    if (stack.config.shop === 'none') return null;
    const report = await runFirstCampaign(demo, FIRST_CAMPAIGN);
    await writeTruth(demo);
    const seconds = (performance.now() - began) / 1_000;
    printReport(demo, report as CampaignReport);
    return summaryOf(report, seconds);
  } finally {
    await demo.close();
  }
}

async function hasShop(stack: Stack): Promise<boolean> {
  const db = connectPostgres(stack.config.database.url.reveal(), 'demo', 1);
  try {
    return (await readSetting(db, 'shop')) !== null;
  } finally {
    await db.end();
  }
}

export type { Demo };
