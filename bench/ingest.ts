import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { randomBytes } from 'node:crypto';
import { startStack } from '../bin/supervisor/stack.ts';
import { copyText } from '../store/copy.ts';
import { messageKey } from '../store/events.ts';
import { migrate } from '../store/migrate.ts';
import { type Db, connectPostgres, transaction } from '../store/postgres.ts';
import { removeTestFolder } from '../test/support/services.ts';
import type { ClientRun } from './ingest/client.ts';
import { runScript } from './support/child.ts';
import {
  type BenchOptions,
  type BenchResult,
  ratios,
  spread,
  spreadText,
} from './support/result.ts';

const PER_BATCH = 500;
const CONNECTIONS = 24;
const OVERLOAD_CONNECTIONS = 400;
const PEOPLE = 100_000;
/** As bin/processes/ours.ts starts it. */
const SERVER_FLAGS = ['--max-semi-space-size=64'];

/**
 * Events over real HTTP from a process of its own into a durable PostgreSQL (fsync on), batches of 500, each answered
 * after its commit; beside plain COPY of the same rows into one table, which is the most that this PostgreSQL takes over
 * one connection. Then three times as much as it can take. `--recipients N` is the overload's seconds (60).
 */
export async function run(options: BenchOptions): Promise<BenchResult> {
  const dataDir = mkdtempSync(join(tmpdir(), 'kairos-bench-'));
  const stack = await startStack({ dataDir, shop: 'none', only: ['postgres'], ports: 'random' });
  const url = stack.config.database.url.reveal();
  const db = connectPostgres(url, 'bench', 4);
  const key = randomBytes(16).toString('hex');
  let server: IntakeServer | undefined;
  try {
    await migrate(db);
    await db.query(
      `insert into person (external_id, created_at) select 'customer-' || i, now() from generate_series(0, $1 - 1) i`,
      [PEOPLE],
    );
    server = await startServer(url, key);
    const client = new Client(server.port, key);
    await client.run({ seconds: 2, connections: CONNECTIONS });
    const seconds = 8;
    const ours: ClientRun[] = [];
    const limits: number[] = [];
    for (let round = 0; round < options.rounds; round += 1) {
      limits.push(await rawCopy(db, seconds / 2));
      const done = await client.run({ seconds, connections: CONNECTIONS });
      ours.push(done);
      options.log(
        `round ${round + 1}: ${rate(done).toFixed(0)} events/s, COPY alone ${limits.at(-1)!.toFixed(0)} rows/s`,
      );
    }
    const perSecond = ours.map(rate);
    const overload = await overloaded(db, client, server, {
      seconds: options.recipients ?? 60,
      perSecond: spread(perSecond).median,
    });
    options.log(`overload: ${JSON.stringify(overload)}`);
    const importPerSecond = await importRate(options.log);
    return result(ours, limits, overload, importPerSecond);
  } finally {
    server?.child.kill('SIGKILL');
    await db.end();
    await stack.stop();
    await removeTestFolder(dataDir);
  }
}

const rate = (run: ClientRun): number => run.acknowledged / run.seconds;

interface IntakeServer {
  child: ChildProcess;
  port: number;
}

async function startServer(database: string, key: string): Promise<IntakeServer> {
  const script = join(import.meta.dirname, 'ingest/server.ts');
  const child = spawn(
    process.execPath,
    [...SERVER_FLAGS, script, '--database', database, '--key', key],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, port: Number(line) };
}

/** Each run numbers its batches on from the last. */
class Client {
  readonly #port: number;
  readonly #key: string;
  #first = 0;

  constructor(port: number, key: string) {
    this.#port = port;
    this.#key = key;
  }

  async run(how: { seconds: number; connections: number; rate?: number }): Promise<ClientRun> {
    const args = Object.entries({
      ...how,
      port: this.#port,
      key: this.#key,
      first: this.#first,
      people: PEOPLE,
    }).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const done = await runScript<ClientRun>(join(import.meta.dirname, 'ingest/client.ts'), args);
    this.#first += 1_000_000;
    return done;
  }
}

/** Rows of the same form into one table without an index, one transaction for every 10,000. */
async function rawCopy(db: Db, seconds: number): Promise<number> {
  await db.query('create table if not exists raw (like event including defaults)');
  await db.query('truncate raw');
  const properties = JSON.stringify({
    product_id: 'sku-700',
    category: 'Kitchen & Dining',
    name: 'Stoneware cup, 30 cl',
    price: 109.5,
    quantity: 1,
    currency: 'EUR',
    sku: 'sku-700',
  });
  const text = Array.from(
    { length: 10_000 },
    (_, n) =>
      `intake:bench-00000000000-${n}\tProduct Viewed\t${n}\t2026-01-01T00:00:00.000Z\t${properties}\n`,
  ).join('');
  const started = performance.now();
  let rows = 0;
  while (performance.now() - started < seconds * 1_000) {
    await transaction(db, (tx) =>
      copyText(tx, 'raw (message_id, type, person_id, at, properties)', text),
    );
    rows += 10_000;
  }
  return (rows / (performance.now() - started)) * 1_000;
}

interface Overload {
  offeredPerSecond: number;
  acknowledgedPerSecond: number;
  toldToWait: number;
  lost: number;
  rssGrowthMiB: number;
  rssPeakMiB: number;
  p99Ms: number;
}

async function overloaded(
  db: Db,
  client: Client,
  server: IntakeServer,
  how: { seconds: number; perSecond: number },
): Promise<Overload> {
  const offered = Math.ceil((3 * how.perSecond) / PER_BATCH);
  const drive = { connections: OVERLOAD_CONNECTIONS, rate: offered };
  // Buffers and the heap find their size under the same load first; flat is what comes after.
  const warm = Math.min(15, how.seconds / 2);
  await client.run({ ...drive, seconds: warm });
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(rssMiB(server.child.pid!)), 500);
  const done = await client.run({ ...drive, seconds: how.seconds });
  clearInterval(timer);
  const third = Math.max(1, Math.floor(samples.length / 3));
  const mean = (part: number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
  return {
    offeredPerSecond: offered * PER_BATCH,
    acknowledgedPerSecond: rate(done),
    toldToWait: done.statuses['429'] ?? 0,
    lost: await lostOf(db, done.batches),
    rssGrowthMiB: mean(samples.slice(-third)) - mean(samples.slice(0, third)),
    rssPeakMiB: Math.max(...samples),
    p99Ms: quantile(done.latencies, 0.99),
  };
}

/** Events of acknowledged batches that are not in the log. */
async function lostOf(db: Db, batches: readonly number[]): Promise<number> {
  const { rows } = await db.query<{ found: number; keys: number }>(
    `select count(*) as found, count(distinct message_id) as keys from event e
     where substring(message_id from 14 for 11) = any ($1::text[])`,
    [batches.map((number) => String(number).padStart(11, '0'))],
  );
  const sample = messageKey(`intake:bench-${String(batches[0] ?? 0).padStart(11, '0')}-1000`);
  const known = await db.query('select from message_key where key = $1::uuid', [sample]);
  if (batches.length > 0 && known.rowCount !== 1) throw new Error('a logged id is not known');
  if (rows[0]!.found !== rows[0]!.keys) throw new Error('an event was logged twice');
  return batches.length * PER_BATCH - rows[0]!.found;
}

function rssMiB(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1_024;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/** Measured by bench/ingest/import.ts on the form of a real shop. */
async function importRate(log: (line: string) => void): Promise<number | null> {
  const bench = (await import('./ingest/import.ts')) as {
    importRate?: () => Promise<{ rowsPerSecond: number }>;
  };
  if (bench.importRate === undefined) return null;
  const { rowsPerSecond: rows } = await bench.importRate();
  log(`import: ${rows.toFixed(0)} rows/s`);
  return rows;
}

function result(
  ours: readonly ClientRun[],
  limits: readonly number[],
  overload: Overload,
  importPerSecond: number | null,
): BenchResult {
  const perSecond = ours.map(rate);
  const p50 = ours.map((run) => quantile(run.latencies, 0.5));
  const p99 = ours.map((run) => quantile(run.latencies, 0.99));
  return {
    figures: {
      httpEventsPerSecond: spread(perSecond).median,
      p50Ms: spread(p50).median,
      p99Ms: spread(p99).median,
      copyRowsPerSecond: spread(limits).median,
      lostUnderOverload: overload.lost,
      overloadEventsPerSecond: overload.acknowledgedPerSecond,
      toldToWait: overload.toldToWait,
      rssGrowthMiB: overload.rssGrowthMiB,
      rssPeakMiB: overload.rssPeakMiB,
      ...(importPerSecond === null ? {} : { importRowsPerSecond: importPerSecond }),
    },
    ratios: { toPlainCopy: spread(ratios(perSecond, limits)).median },
    tables: [
      {
        title: `Intake over HTTP, batches of ${PER_BATCH}, answered after the commit`,
        columns: ['', 'events/s', 'p50 ms', 'p99 ms'],
        rows: [
          ['Kairos intake', spreadText(perSecond), spreadText(p50, 1), spreadText(p99, 1)],
          ['plain COPY, one table without an index', spreadText(limits), '', ''],
          [
            `three times as much (${Math.round(overload.offeredPerSecond)}/s)`,
            Math.round(overload.acknowledgedPerSecond),
            '',
            overload.p99Ms.toFixed(1),
          ],
        ],
      },
    ],
    notes: [
      'Client, server and PostgreSQL share the machine; the projector and the warehouse did not run.',
      ...(importPerSecond === null ? ['bench/ingest/import.ts has no importRate yet.'] : []),
    ],
  };
}
