import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessName } from '../../bin/supervisor/definition.ts';
import type { Stack } from '../../bin/supervisor/stack.ts';
import type { Segment } from '../../domain/segment.ts';
import { migrate } from '../../store/migrate.ts';
import { connectPostgres, type Db } from '../../store/postgres.ts';
import { liveSizes, saveSegment } from '../../store/segments.ts';
import { createWarehouse, type Warehouse } from '../../store/warehouse/client.ts';
import { startStack } from '../../bin/supervisor/stack.ts';
import { removeTestFolder, TEST_FOLDER_PREFIX } from '../../test/support/services.ts';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processUsage } from '../support/process.ts';
import { fillWarehouse, settled } from './world.ts';

/**
 * How soon a saved segment follows what happens, at 1,000 events a second through the real HTTP intake beside a warehouse
 * of ten events a person; and what a whole stack costs that has nothing to do.
 */
const SECONDS = 30;
const EVENTS_PER_SECOND = 1_000;
const BATCHES_PER_SECOND = 10;
const CUSTOMERS = 20_000;
const IDLE_SECONDS = Number(process.env['BENCH_IDLE_SECONDS'] ?? 60);
/** Watched at rest; PostgreSQL and Temporal stand beside them. */
const OURS: readonly ProcessName[] = ['server', 'worker', 'warehouse'];

const SEGMENTS: Readonly<Record<string, Segment>> = {
  keen: { event: 'Product Viewed', where: { category: 'c1' }, within: '30d', is: 'ge', value: 2 },
  'not bought': {
    all: [
      { event: 'Product Viewed', within: '30d', is: 'ge', value: 1 },
      { never: 'Order Completed', within: '7d' },
    ],
  },
  spent: { event: 'Order Completed', measure: 'sum', is: 'gt', value: 100 },
};

export interface LiveFigures {
  membershipP50Seconds: number;
  membershipP95Seconds: number;
  membershipMaxSeconds: number;
  changes: number;
  /** Of the whole run, in microseconds an event. */
  serverMicros: number;
  warehouseMicros: number;
  idleCpuPercent: number;
  idlePostgresPercent: number;
  idleQueries: number;
}

export async function measureLive(
  people: number,
  log: (line: string) => void,
): Promise<LiveFigures> {
  const dataDir = mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX));
  const stack = await startStack({
    dataDir,
    shop: 'none',
    only: ['postgres', 'temporal', 'warehouse', 'server', 'worker'],
    ports: 'random',
    durable: false,
    migrate: async (config) => {
      const own = connectPostgres(config.database.url.reveal(), 'migrate', 1);
      await migrate(own);
      await own.end();
      return 'done';
    },
  });
  const db = connectPostgres(stack.config.database.url.reveal(), 'bench live', 2);
  const { url, key } = stack.config.warehouse;
  const warehouse = createWarehouse({ url, key: key.reveal() });
  try {
    await warehouse.setUp();
    await fillWarehouse({ warehouse }, 10 * people, people);
    log(`warehouse: ${10 * people} older events of ${people} people`);
    for (const [name, segment] of Object.entries(SEGMENTS)) await saveSegment(db, name, segment);
    await caughtUp(db);
    log('segments filled; sending');
    const cpuFrom = cpuOf(stack, OURS);
    await sendSteadily(stack);
    await caughtUp(db);
    const cpuTo = cpuOf(stack, OURS);
    const events = SECONDS * EVENTS_PER_SECOND;
    const latency = await latencies(db);
    log(
      `membership: p50 ${latency.p50.toFixed(2)} s, p95 ${latency.p95.toFixed(2)} s of ${latency.n} changes`,
    );
    const idle = await atRest(stack, warehouse);
    log(
      `at rest: ${idle.ours.toFixed(2)} % of a core, ${idle.queries} queries of the warehouse in ${IDLE_SECONDS} s`,
    );
    return {
      membershipP50Seconds: latency.p50,
      membershipP95Seconds: latency.p95,
      membershipMaxSeconds: latency.max,
      changes: latency.n,
      serverMicros: (cpuTo.server! - cpuFrom.server!) / events,
      warehouseMicros: (cpuTo.warehouse! - cpuFrom.warehouse!) / events,
      idleCpuPercent: idle.ours,
      idlePostgresPercent: idle.postgres,
      idleQueries: idle.queries,
    };
  } finally {
    await warehouse.close();
    await db.end();
    await stack.stop();
    await removeTestFolder(dataDir);
  }
}

function cpuOf(stack: Stack, names: readonly ProcessName[]): Record<string, number> {
  return Object.fromEntries(
    names.map((name) => [name, processUsage(stack.pid(name)!)?.cpuMicros ?? 0]),
  );
}

/** Each tenth of a second a batch, whatever the answers do: an open loop hides no delay. */
async function sendSteadily(stack: Stack): Promise<void> {
  const authorization = `Basic ${Buffer.from(`${stack.config.writeKey.reveal()}:`).toString('base64')}`;
  const begin = Date.now();
  const size = EVENTS_PER_SECOND / BATCHES_PER_SECOND;
  const answers: Promise<number>[] = [];
  for (let number = 0; number < SECONDS * BATCHES_PER_SECOND; number += 1) {
    await sleep(Math.max(0, begin + (number * 1_000) / BATCHES_PER_SECOND - Date.now()));
    const batch = Array.from({ length: size }, (_, index) => eventOf(number * size + index));
    answers.push(
      fetch(`${stack.config.publicUrl}/v1/batch`, {
        method: 'POST',
        headers: { authorization },
        body: JSON.stringify({ batch }),
      }).then(async (answer) => {
        await answer.arrayBuffer();
        return answer.status;
      }),
    );
  }
  const refused = (await Promise.all(answers)).filter((status) => status !== 200);
  if (refused.length > 0) throw new Error(`${refused.length} batches were refused: ${refused[0]}`);
}

function eventOf(number: number): object {
  const isOrder = number % 10 === 9;
  const draw = (number * 2_654_435_761) % 4_294_967_296;
  return {
    type: 'track',
    messageId: `live-${number}`,
    userId: `customer-${draw % CUSTOMERS}`,
    event: isOrder ? 'Order Completed' : 'Product Viewed',
    timestamp: new Date().toISOString(),
    properties: isOrder
      ? { order_id: `o-${number}`, total: 30 + (draw % 100), products: [] }
      : { sku: `s${draw % 400}`, category: `c${draw % 3}` },
  };
}

async function caughtUp(db: Db): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    await sleep(500);
    const { sizes, lagSeconds } = await liveSizes(db);
    const isLive = [...sizes.values()].every(({ state }) => state === 'live');
    quiet = isLive && lagSeconds === 0 ? quiet + 1 : 0;
  }
}

/** From the moment that the deciding event was written to that at which the change was. */
async function latencies(db: Db): Promise<{ p50: number; p95: number; max: number; n: number }> {
  const { rows } = await db.query<{ p50: number; p95: number; max: number; n: number }>(
    `with cause as (
       select person_id, received_at, type, properties ->> 'category' as category,
         count(*) filter (where type = 'Product Viewed' and properties ->> 'category' = 'c1') over w as views,
         count(*) filter (where type = 'Product Viewed') over w as any_views,
         count(*) filter (where type = 'Order Completed') over w as orders,
         sum((properties ->> 'total')::numeric) over w as total,
         sum((properties ->> 'total')::numeric) over w - (properties ->> 'total')::numeric as total_before
       from event where type in ('Product Viewed', 'Order Completed')
       window w as (partition by person_id order by xid, id)),
     changed as (select person_id, type, properties ->> 'segment' as segment, received_at
       from event where type in ('Segment Entered', 'Segment Left')),
     taken as (
       select extract(epoch from c.received_at - e.received_at)::double precision as seconds
       from changed c join cause e using (person_id) where case
         when c.segment = 'keen' then e.category = 'c1' and e.views = 2 and c.type = 'Segment Entered'
         when c.segment = 'spent' then e.type = 'Order Completed' and e.total > 100
           and coalesce(e.total_before, 0) <= 100
         when c.type = 'Segment Entered' then e.type = 'Product Viewed' and e.any_views = 1
         else e.type = 'Order Completed' and e.orders = 1 end)
     select percentile_cont(0.5) within group (order by seconds) as p50,
       percentile_cont(0.95) within group (order by seconds) as p95, max(seconds) as max, count(*) as n from taken`,
  );
  return rows[0]!;
}

/** A whole stack with saved segments, of which nobody wants anything. */
async function atRest(
  stack: Stack,
  warehouse: Warehouse,
): Promise<{ ours: number; postgres: number; queries: number }> {
  await settled({ warehouse });
  await sleep(10_000);
  const queries = async (): Promise<number> => {
    const [row] = await warehouse.query<{ n: number }>(
      `SELECT toUInt64(sum(value)) AS n FROM system.events WHERE event = 'SelectQuery'`,
    );
    return row!.n;
  };
  const queriesFrom = await queries();
  const [from, postgresFrom] = [cpuOf(stack, OURS), treeMicros(stack.pid('postgres')!)];
  await sleep(IDLE_SECONDS * 1_000);
  const [to, postgresTo] = [cpuOf(stack, OURS), treeMicros(stack.pid('postgres')!)];
  // The first look is one of them.
  const asked = (await queries()) - queriesFrom - 1;
  if (asked > 0) throw new Error(`the warehouse answered ${asked} queries while nothing happened`);
  const percent = (micros: number): number => micros / IDLE_SECONDS / 10_000;
  const ours = OURS.reduce((sum, name) => sum + to[name]! - from[name]!, 0);
  return { ours: percent(ours), postgres: percent(postgresTo - postgresFrom), queries: asked };
}

/** CPU of PostgreSQL's processes that are there now; those that have ended are counted by their parent's parent. */
function treeMicros(pid: number): number {
  const children = readChildren(pid).reduce((sum, child) => sum + treeMicros(child), 0);
  return (processUsage(pid)?.cpuMicros ?? 0) + children;
}

function readChildren(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
