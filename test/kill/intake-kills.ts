import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from '../../bin/supervisor/stack.ts';
import { migrate } from '../../store/migrate.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { awaitProjected } from '../../store/projector.ts';
import { createWarehouse } from '../../store/warehouse/client.ts';
import { startServices } from '../support/stack.ts';

/** What one day holds, in the log or in the warehouse: events, and cents of orders. */
export type Days = Record<string, { events: number; cents: number }>;

export interface KillRun {
  kills: Record<string, number>;
  acknowledged: number;
  /** Acknowledged events that the log does not have, and events that it has twice. */
  lost: number;
  twice: number;
  log: Days;
  warehouse: Days;
}

const VICTIMS = ['server', 'warehouse', 'postgres'] as const;
const CLIENTS = 4;
const PER_BATCH = 100;
const FIRST_DAY_MS = Date.UTC(2026, 0, 1);

/**
 * Sends events without a pause, as a client that repeats what was not acknowledged, while server, warehouse and
 * PostgreSQL are killed in turn, `kills` times in all; then compares the log with the warehouse, day by day.
 */
export async function intakeUnderKills(kills: number): Promise<KillRun> {
  const stack = await startServices(['postgres', 'temporal', 'warehouse', 'server'], {
    migrate: async (config) => {
      const own = connectPostgres(config.database.url.reveal(), 'migrate', 1);
      await migrate(own);
      await own.end();
      return 'done';
    },
  });
  const db = connectPostgres(stack.config.database.url.reveal(), 'kill test');
  try {
    const run: KillRun = { kills: {}, acknowledged: 0, lost: 0, twice: 0, log: {}, warehouse: {} };
    const acknowledged = new Set<string>();
    let ended = false;
    const clients = Array.from({ length: CLIENTS }, (_, client) =>
      sendUntil(stack, client, acknowledged, () => ended),
    );
    for (let kill = 0; kill < kills; kill += 1) {
      const victim = VICTIMS[kill % VICTIMS.length]!;
      await sleep(200 + Math.random() * 800);
      await stack.kill(victim, 'SIGKILL');
      run.kills[victim] = (run.kills[victim] ?? 0) + 1;
      await stack.whenReady(victim);
      await stack.whenReady('server');
    }
    ended = true;
    await Promise.all(clients);
    run.acknowledged = acknowledged.size;
    await compare(stack, db, acknowledged, run);
    return run;
  } finally {
    await db.end();
    await stack.stop();
  }
}

async function sendUntil(
  stack: Stack,
  client: number,
  acknowledged: Set<string>,
  isEnded: () => boolean,
): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${stack.config.writeKey.reveal()}:`).toString('base64')}`;
  for (let number = 0; !isEnded(); number += 1) {
    const batch = Array.from({ length: PER_BATCH }, (_, index) => event(client, number, index));
    const body = JSON.stringify({ batch });
    for (;;) {
      const status = await fetch(`${stack.config.publicUrl}/v1/batch`, {
        method: 'POST',
        headers: { authorization },
        body,
      }).then(
        (answer) => answer.text().then(() => answer.status),
        () => 0,
      );
      if (status === 200) break;
      if (status >= 400 && status < 429) throw new Error(`the intake answered ${status}`);
      await sleep(100);
    }
    for (const { messageId } of batch) acknowledged.add(messageId);
  }
}

function event(client: number, number: number, index: number) {
  const isOrder = index % 5 === 0;
  return {
    type: 'track',
    messageId: `${client}-${number}-${index}`,
    userId: `customer-${(number * 7 + index) % 500}`,
    event: isOrder ? 'Order Completed' : 'Product Viewed',
    timestamp: new Date(FIRST_DAY_MS + ((number * 3 + index) % 20) * 86_400_000).toISOString(),
    properties: isOrder
      ? {
          order_id: `o-${client}-${number}-${index}`,
          total: 1 + index,
          products: [{ sku: 's', price: 1 + index }],
        }
      : { sku: `s-${index}` },
  };
}

const TYPES = `('Order Completed', 'Product Viewed')`;

async function compare(
  stack: Stack,
  db: Db,
  acknowledged: ReadonlySet<string>,
  run: KillRun,
): Promise<void> {
  await awaitProjected(db, { timeoutMs: 120_000 });
  const { rows } = await db.query<{ id: string; n: number }>(
    `select substring(message_id from 8) as id, count(*) as n from event where type in ${TYPES} group by 1`,
  );
  const known = new Set(rows.map((row) => row.id));
  run.lost = [...acknowledged].filter((id) => !known.has(id)).length;
  run.twice = rows.filter((row) => row.n > 1).length;
  const log = await db.query<{ day: string; events: number; cents: number }>(
    `select to_char(at at time zone 'utc', 'YYYY-MM-DD') as day, count(*) as events,
       round(100 * coalesce(sum((properties ->> 'total')::numeric), 0)) as cents
     from event where type in ${TYPES} group by 1`,
  );
  run.log = daysOf(log.rows);
  const { url, key } = stack.config.warehouse;
  const warehouse = createWarehouse({ url, key: key.reveal() });
  run.warehouse = daysOf(
    await warehouse.query<{ day: string; events: number; cents: number }>(
      `SELECT toString(toDate(at)) AS day, count() AS events, toInt64(100 * sum(amount)) AS cents
       FROM event WHERE line = 0 AND type IN ${TYPES} GROUP BY day`,
    ),
  );
  await warehouse.close();
}

function daysOf(rows: readonly { day: string; events: number; cents: number }[]): Days {
  const days = rows.map(
    ({ day, events, cents }) => [day, { events: Number(events), cents: Number(cents) }] as const,
  );
  return Object.fromEntries(days.sort(([a], [b]) => (a < b ? -1 : 1)));
}
