import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { createPublicListener, publicCounters } from '../../server/public/app.ts';
import { ReactionLog } from '../../server/public/reaction-log.ts';
import { connectPostgres } from '../../store/postgres.ts';
import { Vault } from '../../store/sealed.ts';

/** The public listener alone, in a process of its own: prints its port and serves until it is killed. */
const { values } = parseArgs({
  options: { database: { type: 'string' }, key: { type: 'string' } },
});
const db = connectPostgres(values.database!, 'bench intake', 8);
const server = createServer(
  createPublicListener({
    db,
    clock: { nowMs: () => Date.now() },
    linkKeys: [],
    writeKeys: [values.key!],
    vault: new Vault(randomBytes(32)),
    reactions: new ReactionLog(db),
    counters: publicCounters(),
    log: (event, detail) => console.error(JSON.stringify({ event, ...detail })),
  }),
);
process.once('SIGINT', () => process.exit(0));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log((server.address() as AddressInfo).port);
