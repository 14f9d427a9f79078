import { once } from 'node:events';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { eventToPerson, eventToRows } from '../domain/warehouse-rows.ts';
import { createPublicApp, publicCounters } from '../server/public/app.ts';
import { ReactionLog } from '../server/public/reaction-log.ts';
import { sealAudit } from '../store/audit.ts';
import { openShopClock } from '../store/clock.ts';
import { connectPostgres } from '../store/postgres.ts';
import { type ProjectionSink, runProjector } from '../store/projector.ts';
import type { Warehouse } from '../store/warehouse/client.ts';
import { linkKeys } from './link-keys.ts';
import { runProcess } from './process.ts';
import { openWarehouse } from './warehouse-client.ts';

const SEAL_MS = 1_000;

await runProcess('server', async (config) => {
  const db = connectPostgres(config.database.url.reveal(), 'server', 16);
  const warehouse = openWarehouse(config);
  const clock = await openShopClock(db);
  const log = (event: string, detail: Record<string, unknown> = {}): void =>
    console.log(JSON.stringify({ event, ...detail }));
  const reactions = new ReactionLog(db, log);
  const app = createPublicApp({
    db,
    clock,
    linkKeys: linkKeys(config),
    writeKeys: [config.writeKey.reveal()],
    reactions,
    counters: publicCounters(),
    log,
  });
  const server = createServer(getRequestListener(app.fetch));
  server.listen(config.ports.public, '127.0.0.1');
  await once(server, 'listening');
  const projector = runProjector(db, projectInto(warehouse), log);
  const sealer = setInterval(() => void sealAudit(db).catch(() => {}), SEAL_MS);
  return {
    async stop() {
      clearInterval(sealer);
      server.close();
      server.closeAllConnections();
      await projector.stop();
      await reactions.close();
      clock.stop();
      await warehouse.close();
      await db.end();
    },
  };
});

/** Writes events, and the people that they tell of, into the warehouse; its tables are made at the first call. */
function projectInto(warehouse: Warehouse): ProjectionSink {
  let ready = false;
  return async (events, token) => {
    if (!ready) await warehouse.setUp();
    ready = true;
    try {
      const people = events.map(eventToPerson).filter((person) => person !== null);
      if (people.length > 0) await warehouse.upsertPeople(people);
      const rows = events.flatMap(eventToRows);
      if (rows.length > 0) await warehouse.insertEvents(rows, token);
    } catch (error) {
      // Its folder may have been deleted: the tables are made again at the next try.
      ready = false;
      throw error;
    }
  };
}
