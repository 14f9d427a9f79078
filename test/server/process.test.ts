import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Stack } from '../../bin/supervisor/stack.ts';
import { loginLink } from '../../server/admin/session.ts';
import { migrate } from '../../store/migrate.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { awaitProjected } from '../../store/projector.ts';
import { createWarehouse } from '../../store/warehouse/client.ts';
import { startServices } from '../support/stack.ts';
import { campaign, people } from './shop.ts';

/** The real process between real services: both listeners, the projector and the sealer. */
let stack: Stack;
let db: Db;

beforeAll(async () => {
  stack = await startServices(['postgres', 'temporal', 'warehouse', 'server'], {
    migrate: async (config) => {
      const own = connectPostgres(config.database.url.reveal(), 'migrate', 1);
      await migrate(own);
      await own.end();
      return 'done';
    },
  });
  db = connectPostgres(stack.config.database.url.reveal(), 'server process test');
});
afterAll(async () => {
  await db.end();
  await stack.stop();
});

const bearer = (): Record<string, string> => ({
  authorization: `Bearer ${stack.config.adminToken.reveal()}`,
});

it('takes events, and copies them to the warehouse', async () => {
  const key = Buffer.from(`${stack.config.writeKey.reveal()}:`).toString('base64');
  const answer = await fetch(`${stack.config.publicUrl}/v1/track`, {
    method: 'POST',
    headers: { authorization: `Basic ${key}` },
    body: JSON.stringify({
      messageId: 'm-1',
      userId: 'u-1',
      event: 'Order Completed',
      properties: { orderId: 'o-1', total: 12.5 },
    }),
  });
  expect([answer.status, await answer.json()]).toMatchObject([200, { accepted: 1 }]);
  await awaitProjected(db);
  const warehouse = createWarehouse({
    url: stack.config.warehouse.url,
    key: stack.config.warehouse.key.reveal(),
  });
  const rows = await warehouse.query(
    `SELECT type, toFloat64(amount) AS amount FROM event WHERE type = 'Order Completed' AND line = 0`,
  );
  expect(rows).toEqual([{ type: 'Order Completed', amount: 12.5 }]);
  await warehouse.close();
});

it('is healthy, shows its pages to whoever has the link, and seals the trail', async () => {
  await people(db, 3);
  await campaign(db);
  const { adminUrl, adminToken } = stack.config;
  const health = await fetch(`${adminUrl}/health`);
  expect(await health.json()).toMatchObject({
    ready: true,
    checks: { database: { ok: true }, warehouse: { ok: true }, temporal: { ok: true } },
  });
  const login = await fetch(loginLink(adminUrl, adminToken.reveal()));
  const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
  const page = await fetch(`${adminUrl}/reports/win-back`, { headers: { cookie } });
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('Win back')]);
  const metrics = await (await fetch(`${adminUrl}/metrics`, { headers: bearer() })).text();
  expect(metrics).toContain('kairos_up{part="ledger"} 1');
  expect(metrics).toContain('kairos_up{part="queue"} 1');
  await db.query(`insert into audit (actor, action, subject) values ('test', 'tested', 'x')`);
  await expect
    .poll(async () => (await db.query('select from audit_seal')).rowCount, { timeout: 10_000 })
    .toBe(1);
});

it('says clearly that a campaign does not run', async () => {
  const answer = await fetch(`${stack.config.adminUrl}/api/campaigns/win-back/pause`, {
    method: 'POST',
    headers: bearer(),
  });
  expect([answer.status, await answer.json()]).toEqual([
    409,
    {
      error: {
        code: 'STATE_CONFLICT',
        message: 'win-back does not run now, so there is nothing to change: look at its report.',
      },
    },
  ]);
});

it('ends in order within its time, and comes back at the same address', async () => {
  const began = performance.now();
  await stack.kill('server', 'SIGTERM');
  expect(performance.now() - began).toBeLessThan(9_000);
  const isBack = async (): Promise<number> => {
    const answer = await fetch(`${stack.config.adminUrl}/health/live`).catch(() => null);
    return answer?.status ?? 0;
  };
  await expect.poll(isBack, { timeout: 30_000 }).toBe(200);
  expect(stack.restarts('server')).toBe(1);
  expect(stack.lastLog('server').join('\n')).not.toMatch(/failed|did not stop/);
});
