import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporal } from '@temporalio/proto';
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startCampaign, campaignWorkflowId } from '../../bin/temporal.ts';
import type { Stack } from '../../bin/supervisor/stack.ts';
import { verifyAudit, sealAudit } from '../../store/audit.ts';
import { campaignById } from '../../store/campaigns.ts';
import { setShopClock, shopNowMs } from '../../store/clock.ts';
import { ledgerCounts, skippedByReason } from '../../store/ledger.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { createDatabase, startServices, type TestDatabase } from '../support/stack.ts';
import {
  type TestWorker,
  people,
  recordingQueue,
  registered,
  settleAll,
  startTestWorker,
  testBundle,
  testDeps,
} from './support.ts';

/** Histories of these runs are kept as the replay corpus where this is set: `KAIROS_RECORD=1`. */
const RECORD = process.env['KAIROS_RECORD'] !== undefined;
const CORPUS = join(import.meta.dirname, '../replay/histories');

let stack: Stack;
let database: TestDatabase;
let db: Db;
let worker: TestWorker;

const address = (): string => `127.0.0.1:${stack.config.ports.temporal}`;

beforeAll(async () => {
  stack = await startServices(['temporal']);
  database = await createDatabase();
  db = connectPostgres(database.url, 'workflow test', 20);
  // Zero cached workflows: every task replays the whole history, which finds what is not deterministic.
  worker = await startTestWorker(address(), testDeps(db, recordingQueue()), {
    maxCachedWorkflows: 0,
  });
});
afterAll(async () => {
  await worker?.stop();
  await db?.end();
  await database?.drop();
  await stack?.stop();
});
beforeEach(async () => {
  await db.query(
    'truncate person, consent, suppression, message, lot, audience_member, campaign, bucket cascade',
  );
});

const handle = (id: string) => worker.client.workflow.getHandle(campaignWorkflowId(id));

async function stage(id: string): Promise<string> {
  return (await campaignById(db, id)).stage;
}

async function endGoalWindow(id: string): Promise<void> {
  await vi.waitFor(async () => expect(await stage(id)).toBe('measuring'), {
    timeout: 30_000,
    interval: 50,
  });
  await setShopClock(db, (await shopNowMs(db)) + 2 * 3_600_000);
  await handle(id).signal('clockMoved');
}

async function record(id: string, name: string): Promise<number> {
  const history = await handle(id).fetchHistory();
  if (RECORD) {
    mkdirSync(CORPUS, { recursive: true });
    writeFileSync(
      join(CORPUS, `${name}.pb`),
      temporal.api.history.v1.History.encode(history).finish(),
    );
  }
  return history.events?.length ?? 0;
}

describe('the campaign workflow', () => {
  it('goes from the audience to the report, with a holdout and a balanced ledger', async () => {
    await people(db, 1_200);
    const row = await registered(db, { id: 'plain' });
    await startCampaign(worker.client, row);
    await vi.waitFor(async () => expect(await stage('plain')).toBe('draining'), {
      timeout: 30_000,
    });
    await settleAll(db);
    await endGoalWindow('plain');
    const result = await handle('plain').result();
    expect(result).toMatchObject({ stage: 'closed', audience: 1_200, open: 0 });
    const counts = await ledgerCounts(db, row.no);
    expect(counts.holdout).toBeGreaterThan(60);
    expect(counts.sent).toBe(1_200 - counts.holdout);
    await record('plain', 'plain');
  });

  it('waits for an approval of exactly what was shown, and refuses another', async () => {
    await people(db, 20);
    const row = await registered(db, { id: 'approved', approval: true });
    await startCampaign(worker.client, row);
    await vi.waitFor(async () => expect(await stage('approved')).toBe('approval'), {
      timeout: 30_000,
    });
    const approve = (hash: string) =>
      handle('approved').executeUpdate('approve', { args: [{ by: 'ana', hash }] });
    await expect(approve('something else')).rejects.toBeInstanceOf(WorkflowUpdateFailedError);
    await approve(row.hash);
    await vi.waitFor(async () => expect(await stage('approved')).toBe('draining'), {
      timeout: 30_000,
    });
    await settleAll(db);
    await endGoalWindow('approved');
    await handle('approved').result();
    expect((await campaignById(db, 'approved')).approvedBy).toBe('ana');
    await record('approved', 'approved');
  });

  it('recalls what is not handed over within seconds, and closes with the rest skipped', async () => {
    await people(db, 700);
    const row = await registered(db, { id: 'recalled', holdout: 0 });
    await startCampaign(worker.client, row);
    await vi.waitFor(async () => expect(await stage('recalled')).toBe('draining'), {
      timeout: 30_000,
    });
    await db.query(
      'update message set state = 10, settled_at = shop_now() where person_id in (select person_id from message limit 5)',
    );
    const began = performance.now();
    const receipt = await handle('recalled').executeUpdate('recall', { args: [{ by: 'ana' }] });
    expect(receipt).toEqual({ takenBack: 695, gone: 5 });
    expect(performance.now() - began).toBeLessThan(5_000);
    await endGoalWindow('recalled');
    await handle('recalled').result();
    expect(await skippedByReason(db, row.no)).toEqual({ recalled: 695 });
    await record('recalled', 'recalled');
  });

  it('pauses and resumes by an Update, and says no to a second pause', async () => {
    await people(db, 10);
    const row = await registered(db, { id: 'paused', holdout: 0 });
    await startCampaign(worker.client, row);
    await vi.waitFor(async () => expect(await stage('paused')).toBe('draining'), {
      timeout: 30_000,
    });
    const update = (name: string) =>
      handle('paused').executeUpdate(name, { args: [{ by: 'ana' }] });
    await update('pause');
    expect((await campaignById(db, 'paused')).paused).toBe(true);
    await expect(update('pause')).rejects.toBeInstanceOf(WorkflowUpdateFailedError);
    await update('resume');
    expect((await campaignById(db, 'paused')).paused).toBe(false);
    await handle('paused').executeUpdate('setRate', { args: [{ by: 'ana', ratePerSecond: 25 }] });
    expect((await campaignById(db, 'paused')).ratePerSecond).toBe(25);
    await update('cancel');
    await endGoalWindow('paused');
    await handle('paused').result();
    await record('paused', 'paused');
  });

  it('refuses an audience that drifted from what was approved', async () => {
    await people(db, 50);
    const row = await registered(db, { id: 'drifted' }, 20);
    await startCampaign(worker.client, row);
    await expect(handle('drifted').result()).rejects.toBeInstanceOf(WorkflowFailedError);
    expect(await stage('drifted')).toBe('refused');
    expect((await ledgerCounts(db, row.no)).reserved).toBe(0);
  });

  it('goes on from the ledger when its run was terminated, and plans nobody twice', async () => {
    await people(db, 300);
    const row = await registered(db, { id: 'resumed', holdout: 0 });
    await startCampaign(worker.client, row);
    await vi.waitFor(async () => expect(await stage('resumed')).toBe('draining'), {
      timeout: 30_000,
    });
    await handle('resumed').terminate('test');
    expect(await startCampaign(worker.client, await campaignById(db, 'resumed'))).toBe('started');
    await sleep(500);
    await settleAll(db);
    await endGoalWindow('resumed');
    await handle('resumed').result();
    expect(await ledgerCounts(db, row.no)).toMatchObject({ sent: 300, audience: 300 });
  });

  it('chooses the better arm of a pilot for the rest', async () => {
    await people(db, 400);
    const arms = testDeps(db, recordingQueue(), {
      armResults: () =>
        Promise.resolve([
          { variant: 0, persons: 40, successes: 2 },
          { variant: 1, persons: 40, successes: 9 },
        ]),
    });
    await worker.stop();
    worker = await startTestWorker(address(), arms, { maxCachedWorkflows: 0 });
    const row = await registered(db, {
      id: 'pilot',
      holdout: 0,
      variants: [
        { id: 'a', subject: 'A', template: 'newsletter' },
        { id: 'b', subject: 'B', template: 'newsletter' },
      ],
      pilot: { share: 0.2, wait: '1h', choose: 'clicks' },
    });
    await startCampaign(worker.client, row);
    await vi.waitFor(async () => expect((await campaignById(db, 'pilot')).waiting).toBe('pilot'), {
      timeout: 30_000,
    });
    const { rows: first } = await db.query<{ n: number }>('select count(*) as n from message');
    expect(first[0]!.n).toBeGreaterThan(40);
    expect(first[0]!.n).toBeLessThan(140);
    await settleAll(db);
    await setShopClock(db, (await shopNowMs(db)) + 2 * 3_600_000);
    await handle('pilot').signal('clockMoved');
    await vi.waitFor(async () => expect(await stage('pilot')).toBe('draining'), {
      timeout: 30_000,
    });
    const { rows } = await db.query<{ variant: number; n: number }>(
      'select variant, count(*) as n from message where state = 1 group by variant',
    );
    expect(rows).toEqual([{ variant: 1, n: 400 - first[0]!.n }]);
    await settleAll(db);
    await endGoalWindow('pilot');
    await handle('pilot').result();
    await record('pilot', 'pilot');
  });

  it('costs at most 15 history events for 500 recipients, also at 20,000', async () => {
    await people(db, 20_000);
    const row = await registered(db, { id: 'large', holdout: 0.1 });
    await startCampaign(worker.client, row);
    await vi.waitFor(async () => expect(await stage('large')).toBe('draining'), {
      timeout: 120_000,
    });
    await settleAll(db);
    await endGoalWindow('large');
    await handle('large').result();
    let events = await record('large', 'large');
    for (let shard = 0; shard < 4; shard += 1) {
      const child = worker.client.workflow.getHandle(
        `${campaignWorkflowId('large')}/shard/${shard}`,
      );
      events += (await child.fetchHistory()).events?.length ?? 0;
      if (shard === 0) await record(`large/shard/${shard}`, 'shard');
    }
    expect(events).toBeLessThanOrEqual((20_000 / 500) * 15);
  }, 240_000);

  it('leaves a trail that its seal proves', async () => {
    await sealAudit(db);
    expect(await verifyAudit(db)).toMatchObject({ ok: true });
    const { rows } = await db.query<{ n: number }>(
      `select count(*) as n from audit where action = 'activity'`,
    );
    expect(rows[0]!.n).toBeGreaterThan(50);
  });
});

describe('the bundle', () => {
  it('stays small: every cached workflow pays for it', async () => {
    const { code } = await testBundle();
    expect(code.length).toBeLessThan(2_000_000);
  });
});
