import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { openTicketQueue } from '../delivery/queue.ts';
import { createAdminApp } from '../server/admin/app.ts';
import { assertSafeBind } from '../server/admin/guard.ts';
import { createMetrics } from '../server/admin/metrics.ts';
import { codeOf, createPublicListener, publicCounters } from '../server/public/app.ts';
import { limitedLog } from '../server/limited-log.ts';
import { ReactionLog } from '../server/public/reaction-log.ts';
import { sealAudit } from '../store/audit.ts';
import { openShopClock } from '../store/clock.ts';
import { keepLog } from '../store/events.ts';
import { runLiveSegments } from '../store/live/loop.ts';
import { settleIdentities } from '../store/identity.ts';
import { type Db, connectPostgres } from '../store/postgres.ts';
import { warehouseSource } from '../store/report-source.ts';
import { buildReport } from '../store/report.ts';
import { reactionsOf } from './campaign-deps.ts';
import { openControlPlane } from './campaign-control.ts';
import { linkKeys } from './link-keys.ts';
import { readLogFor } from './log-readers.ts';
import { runProcess } from './process.ts';
import { openVault } from './vault.ts';
import { openWarehouse } from './warehouse-client.ts';

const HOST = '127.0.0.1';
const SEAL_MS = 1_000;
const KEEP_LOG_MS = 6 * 3_600_000;
/** Requests in hand at the end get this long. */
const DRAIN_MS = 3_000;

await runProcess('server', async (config) => {
  const db = connectPostgres(config.database.url.reveal(), 'server', 16);
  const warehouse = openWarehouse(config);
  const clock = await openShopClock(db);
  const queue = openTicketQueue((config.queueUrl ?? config.database.url).reveal());
  const temporal = openControlPlane(config);
  const log = limitedLog((event, detail) => console.log(JSON.stringify({ event, ...detail })));
  const vault = openVault(config);
  const reactions = new ReactionLog(db, log);
  const counters = publicCounters();
  const publicListener = createPublicListener({
    db,
    clock,
    linkKeys: linkKeys(config),
    writeKeys: [config.writeKey.reveal()],
    vault,
    reactions,
    counters,
    log,
  });
  const source = warehouseSource(warehouse);
  const { uiUrl, namespace } = config.temporal;
  const adminApp = createAdminApp({
    db,
    adminToken: config.adminToken.reveal(),
    checks: {
      database: () => db.query('select 1'),
      warehouse: () => warehouse.ping(),
      temporal: () => temporal.check(),
    },
    metrics: createMetrics({
      db,
      queueDepth: () => queue.depth(),
      publicCounters: counters,
      reactionCounters: reactions.counters,
    }),
    control: temporal.control,
    report: async (row) =>
      buildReport(db, source, row, {
        nowMs: clock.nowMs(),
        reactions: await reactionsOf(db),
      }),
    places: {
      inboxUrl: config.smtp.external ? null : config.inboxUrl,
      temporalUrl: uiUrl === null ? null : `${uiUrl}/namespaces/${namespace}`,
    },
    log,
  });
  assertSafeBind(HOST, config.adminToken.reveal());
  const listeners = [
    await listen(publicListener, config.ports.public),
    await listen(getRequestListener(adminApp.fetch), config.ports.admin),
  ];
  const readers = readLogFor({ db, warehouse, vault, log }, config);
  const live = runLiveSegments({ db, warehouse, clock, log });
  const sealer = setInterval(() => void sealAudit(db).catch(() => {}), SEAL_MS);
  const keeper = keepTidy(db, log);
  return {
    async stop() {
      clearInterval(sealer);
      clearInterval(keeper);
      await Promise.all([...listeners.map(drain), readers.stop(), live.stop()]);
      await publicListener.idle();
      await reactions.close();
      clock.stop();
      await Promise.all([queue.close(), temporal.close(), warehouse.close()]);
      await db.end();
    },
  };
});

/** Links and merges that a crash left open, ids whose window has ended, and the log's months to come. */
function keepTidy(db: Db, log: (event: string, detail: Record<string, unknown>) => void) {
  const tidy = (): void =>
    void settleIdentities(db)
      .then(() => keepLog(db))
      .catch((error: unknown) => log('log not tidied', { error: codeOf(error) }));
  tidy();
  return setInterval(tidy, KEEP_LOG_MS);
}

/** Slow senders hold a connection no longer than this; a batch of events is half a megabyte. */
async function listen(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
  port: number,
): Promise<Server> {
  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 10_000 },
    (request, response) => void answer(request, response),
  );
  server.listen(port, HOST);
  await once(server, 'listening');
  return server;
}

/** Takes no more, lets what is in hand finish, and then closes what is left. */
async function drain(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(timer);
}
