import { randomBytes } from 'node:crypto';
import { prepareCampaign } from '../delivery/prepare.ts';
import { openTicketQueue } from '../delivery/queue.ts';
import { Sender } from '../delivery/sender.ts';
import { campaignByNo } from '../store/campaigns.ts';
import { openShopClock } from '../store/clock.ts';
import { connectPostgres, isTransient } from '../store/postgres.ts';
import { openCatalogue, readShop } from './catalogue.ts';
import { loadLanes } from './lanes.ts';
import { linkKeys } from './link-keys.ts';
import { assertRelayFits, openTransport } from './mail.ts';
import { runProcess } from './process.ts';

/** Failures of the queue in a row after which the process starts anew: its tables may have to be made again. */
const QUEUE_FAILURES_MAX = 20;

await runProcess('sender', async (config) => {
  const db = connectPostgres(config.database.url.reveal(), 'sender', 8);
  const clock = await openShopClock(db);
  const catalogue = await openCatalogue(db);
  const queue = openTicketQueue((config.queueUrl ?? config.database.url).reveal());
  const transport = openTransport(config);
  const sender = new Sender(
    {
      db,
      queue,
      transport,
      name: `sender-${process.pid}-${randomBytes(3).toString('hex')}`,
      prepare: async (no) => {
        // The shop may have been loaded after this process started.
        await catalogue.refresh();
        const row = await campaignByNo(db, no);
        assertRelayFits(config, row.mode);
        return prepareCampaign(row, {
          shop: await readShop(db),
          publicUrl: config.publicUrl,
          linkKey: linkKeys(config)[0]!,
          clock,
          products: catalogue.products,
        });
      },
      log: (event, detail) => console.log(JSON.stringify({ event, ...detail })),
    },
    { lanes: loadLanes(config) },
  );
  let failures = 0;
  const healthy = setInterval(() => (failures = 0), 10_000);
  await sender.start((error) => {
    // A server that is away comes back; tables that are gone do not, until this process starts anew and makes them.
    if (isTransient(error)) return;
    failures += 1;
    console.error(`queue: ${error.message}`);
    if (failures !== QUEUE_FAILURES_MAX) return;
    // In order: what is handed must be settled first.
    void sender.stop().finally(() => process.exit(1));
    setTimeout(() => process.exit(1), 8_000).unref();
  });
  return {
    details: { transport: transport.name },
    async stop() {
      clearInterval(healthy);
      await sender.stop();
      await transport.close();
      await queue.close();
      clock.stop();
      catalogue.stop();
      await db.end();
    },
  };
});
