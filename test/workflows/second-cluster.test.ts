import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../bin/config.ts';
import type { Stack } from '../../bin/supervisor/stack.ts';
import { campaignWorkflowId, connectTemporal, startCampaign } from '../../bin/temporal.ts';
import { campaignById } from '../../store/campaigns.ts';
import { setShopClock, shopNowMs } from '../../store/clock.ts';
import { ledgerCounts } from '../../store/ledger.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { createDatabase, startServices, type TestDatabase } from '../support/stack.ts';
import {
  people,
  recordingQueue,
  registered,
  settleAll,
  startTestWorker,
  testDeps,
} from './support.ts';

let cluster: Stack;
let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  cluster = await startServices(['temporal']);
  database = await createDatabase();
  db = connectPostgres(database.url, 'second cluster', 20);
});
afterAll(async () => {
  await db?.end();
  await database?.drop();
  await cluster?.stop();
});

describe('a Temporal that somebody else started', () => {
  it('runs campaigns as they are, named by TEMPORAL_ADDRESS alone', async () => {
    const address = `127.0.0.1:${cluster.config.ports.temporal}`;
    const config = loadConfig({
      dataDir: cluster.config.dataDir,
      env: { TEMPORAL_ADDRESS: address },
    });
    expect(config.temporal.external).toBe(true);
    const client = await connectTemporal(config);
    const worker = await startTestWorker(address, testDeps(db, recordingQueue()));
    try {
      await people(db, 100);
      const row = await registered(db, { id: 'elsewhere', holdout: 0.2 });
      await startCampaign(client, row);
      const stage = async (): Promise<string> => (await campaignById(db, 'elsewhere')).stage;
      await vi.waitFor(async () => expect(await stage()).toBe('draining'), { timeout: 30_000 });
      await settleAll(db);
      await vi.waitFor(async () => expect(await stage()).toBe('measuring'), { timeout: 30_000 });
      await setShopClock(db, (await shopNowMs(db)) + 2 * 3_600_000);
      const run = client.workflow.getHandle(campaignWorkflowId('elsewhere'));
      await run.signal('clockMoved');
      await run.result();
      const counts = await ledgerCounts(db, row.no);
      expect(counts.sent + counts.holdout).toBe(100);
    } finally {
      await worker.stop();
      await client.connection.close();
    }
  });
});
