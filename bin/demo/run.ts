import { setTimeout as sleep } from 'node:timers/promises';
import { parseSpan } from '../../domain/campaign.ts';
import { KairosError } from '../../domain/errors.ts';
import type { CampaignReport } from '../../domain/report.ts';
import { type CampaignRow, campaignById } from '../../store/campaigns.ts';
import { shopNowMs } from '../../store/clock.ts';
import { ledgerCounts } from '../../store/ledger.ts';
import { awaitProjected } from '../../store/projector.ts';
import { warehouseSource } from '../../store/report-source.ts';
import { buildReport } from '../../store/report.ts';
import { reactionsOf } from '../campaign-deps.ts';
import { launch, propose } from '../launch.ts';
import { campaignWorkflowId } from '../temporal.ts';
import { type Demo, count, step } from './context.ts';
import { moveClock } from './clock.ts';
import { letPeopleReact } from './reactions.ts';

/** Launches the demo's campaign where it has not run, sees it through, and gives back its report. */
export async function runFirstCampaign(demo: Demo, file: string): Promise<CampaignReport> {
  const row = await launched(demo, file);
  if (row.report !== null) return row.report as CampaignReport;
  await followSending(demo, row.id);
  const now = await campaignById(demo.db, row.id);
  if ((await reactionsOf(demo.db)) === 'none') return reportNow(demo, now);
  await letPeopleReact(demo, now);
  await endGoalWindow(demo, now);
  return (await campaignById(demo.db, row.id)).report as CampaignReport;
}

async function launched(demo: Demo, file: string): Promise<CampaignRow> {
  const id = /([a-z0-9-]+)\.(?:ts|ya?ml)$/.exec(file)![1]!;
  const known = await campaignById(demo.db, id).catch((error: unknown) => {
    if (error instanceof KairosError && error.code === 'CAMPAIGN_UNKNOWN') return null;
    throw error;
  });
  if (known) {
    demo.say(`  Campaign    ${id} was launched before; nothing is sent twice`);
    return known;
  }
  return step(
    demo,
    'Campaign',
    async () => {
      const proposal = await propose(demo, file, 3);
      return (await launch(demo, proposal, { by: 'npm start' })).row;
    },
    (row) => `${row.id} launched for ${count(row.expectedCount ?? 0)} people`,
  );
}

const LOOK_MS = 200;
const SAY_EVERY_MS = 2_000;

/** Shows progress until the ledger is closed; moves the shop clock on when only later moments are left. */
async function followSending(demo: Demo, id: string): Promise<void> {
  const began = performance.now();
  let saidAt = 0;
  let firstSentAt: number | null = null;
  for (;;) {
    const row = await campaignById(demo.db, id);
    if (row.stage === 'refused') {
      throw new KairosError(
        'CAMPAIGN_INVALID',
        `Campaign ${id} was refused (${row.waiting ?? 'see its run'}); look at its run in Temporal UI.`,
      );
    }
    const counts = await ledgerCounts(demo.db, row.no);
    const elapsed = performance.now() - began;
    if (counts.sent > 0 && firstSentAt === null) {
      firstSentAt = elapsed;
      demo.say(`  First mail  left ${process.uptime().toFixed(1)} s after the start`);
    }
    const done = counts.audience - counts.planned - counts.reserved - counts.leased - counts.handed;
    if (row.closedAtMs !== null) {
      demo.say(
        `  Sent        ${count(counts.sent)} of ${count(counts.audience)} people, ${count(counts.holdout)} held out, ${count(counts.skipped)} skipped, ${count(counts.bounced)} bounced`,
      );
      return;
    }
    if (elapsed - saidAt > SAY_EVERY_MS && counts.audience > 0) {
      saidAt = elapsed;
      const rate = counts.sent / ((elapsed - (firstSentAt ?? elapsed)) / 1_000 || 1);
      const left = rate > 0 ? Math.ceil((counts.audience - done) / rate) : null;
      demo.say(
        `              ${row.stage}: ${count(done)} of ${count(counts.audience)} done, ${rate.toFixed(0)} mails/s${left === null ? '' : `, ${left} s left`}`,
      );
    }
    await moveToNextDue(demo, row);
    await sleep(LOOK_MS);
  }
}

/** Quiet hours: when all that is left is due later, the demo does not wait for the morning. */
async function moveToNextDue(demo: Demo, row: CampaignRow): Promise<void> {
  if (row.stage !== 'draining' && row.stage !== 'scheduled') return;
  const { rows } = await demo.db.query<{ next: number | null; busy: boolean }>(
    `select (extract(epoch from min(due_at)) * 1000)::double precision as next,
       coalesce(bool_or(until is not null or due_at <= shop_now()), false) as busy
     from lot where campaign_no = $1`,
    [row.no],
  );
  const { next, busy } = rows[0]!;
  if (next === null || busy) return;
  await moveClock(demo, row.id, next + 1_000);
  demo.say(
    `              quiet hours: the shop clock moves on to ${new Date(next).toISOString().slice(0, 16)}Z`,
  );
}

async function endGoalWindow(demo: Demo, row: CampaignRow): Promise<void> {
  const windowMs = parseSpan(row.definition.goal.window) ?? 0;
  const endMs = row.launchedAtMs! + windowMs + 60_000;
  await step(
    demo,
    'Measuring',
    async () => {
      await moveClock(demo, row.id, endMs);
      await demo.temporal.workflow.getHandle(campaignWorkflowId(row.id)).result();
    },
    () =>
      `the shop clock stands at ${new Date(endMs).toISOString().slice(0, 10)}, after the goal window`,
  );
}

/** A historical shop's report: its clock stands, so the goal window is not over. */
async function reportNow(demo: Demo, row: CampaignRow): Promise<CampaignReport> {
  await awaitProjected(demo.db);
  return buildReport(demo.db, warehouseSource(demo.warehouse), row, {
    nowMs: await shopNowMs(demo.db),
    reactions: 'none',
  });
}
