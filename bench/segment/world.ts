import { MS_PER_DAY } from '../../domain/clock.ts';
import { startStack } from '../../bin/supervisor/stack.ts';
import { loadSecrets } from '../../bin/secrets.ts';
import { connectPostgres, type Db } from '../../store/postgres.ts';
import { startWarehouse, type TestWarehouse } from '../../test/support/warehouse.ts';
import { removeTestFolder, TEST_FOLDER_PREFIX } from '../../test/support/services.ts';
import { ensureDatabase } from '../../bin/postgres.ts';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A shop of two years in the real warehouse, and the same events in PostgreSQL, each where it is read best. */
export interface SegmentWorld {
  readonly t: TestWarehouse;
  readonly db: Db;
  readonly events: number;
  readonly people: number;
  /** Rows of the warehouse's event table: the events, and two lines for each order. */
  readonly rows: number;
  stop(): Promise<void>;
}

export const NOW_MS = Date.UTC(2026, 0, 1);
const YEARS_MS = 730 * MS_PER_DAY;
/** Events of a statement: one part of the table, and bounded memory. */
const SLICE = 2_500_000;

export async function startWorld(
  people: number,
  log: (line: string) => void,
): Promise<SegmentWorld> {
  const t = await startWarehouse();
  const postgres = await startPostgres();
  const events = 10 * people;
  const from = performance.now();
  await fillWarehouse(t, events, people);
  log(`warehouse: ${events} events of ${people} people in ${seconds(from)} s`);
  const then = performance.now();
  await fillPostgres(postgres.db, events, people);
  log(`PostgreSQL: the same, with a covering index, in ${seconds(then)} s`);
  const { rows } = await t.warehouse.counts();
  return {
    t,
    db: postgres.db,
    events,
    people,
    rows,
    async stop() {
      await postgres.stop();
      await t.stop();
    },
  };
}

const seconds = (from: number): string => ((performance.now() - from) / 1_000).toFixed(1);

async function startPostgres(): Promise<{ db: Db; stop: () => Promise<void> }> {
  const dataDir = mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX));
  const stack = await startStack({
    dataDir,
    shop: 'none',
    only: ['postgres'],
    ports: 'random',
    durable: false,
  });
  const { postgresSuperuser, postgres } = loadSecrets(dataDir);
  const port = stack.config.ports.postgres;
  await ensureDatabase(port, postgresSuperuser, postgres, 'bench');
  const url = `postgres://kairos:${postgres.reveal()}@127.0.0.1:${port}/bench`;
  const db = connectPostgres(url, 'bench segment', 1);
  return {
    db,
    async stop() {
      await db.end();
      await stack.stop();
      await removeTestFolder(dataDir);
    },
  };
}

/**
 * A hash of 31 bits that both engines compute alike. `salt` picks another column's. Few people do most of it (the cube of
 * a uniform number), and six of ten events are in a person's favourite category.
 */
interface Dialect {
  hash(n: string, salt: number): string;
  div(a: string, b: string): string;
}
const clickhouse: Dialect = {
  hash(n, salt) {
    const seeded = `(toInt64(${n} + ${salt * 1_000_003}) * 2654435761 % 2147483648)`;
    const mixed = `(bitXor(${seeded}, bitShiftRight(${seeded}, 15)) * 2246822519 % 2147483648)`;
    return `bitXor(${mixed}, bitShiftRight(${mixed}, 13))`;
  },
  div: (a, b) => `intDiv(${a}, ${b})`,
};
const postgresql: Dialect = {
  hash(n, salt) {
    const seeded = `((${n} + ${salt * 1_000_003}) * 2654435761 % 2147483648)`;
    const mixed = `((${seeded} # (${seeded} >> 15)) * 2246822519 % 2147483648)`;
    return `(${mixed} # (${mixed} >> 13))`;
  },
  div: (a, b) => `(${a} / ${b})`,
};

const TYPES = [
  ...Array.from({ length: 12 }, () => 'Product Viewed'),
  ...Array.from({ length: 3 }, () => 'Email Opened'),
  ...Array.from({ length: 3 }, () => 'Product Added'),
  ...Array.from({ length: 2 }, () => 'Order Completed'),
];
const CATEGORIES = 12;

function columnsOf(d: Dialect, n: string, people: number) {
  const draw = d.hash(n, 3);
  const square = d.div(`${draw} * ${draw}`, '2147483648');
  const cube = d.div(`${square} * ${draw}`, '2147483648');
  return {
    typeIndex: `1 + ${d.hash(n, 1)} % ${TYPES.length}`,
    category: `(case when ${d.hash(n, 6)} % 10 < 6 then ${d.div(`${cube} * ${people}`, '2147483648')} else ${d.hash(n, 2)} end) % ${CATEGORIES}`,
    person: `1 + ${d.div(`${cube} * ${people}`, '2147483648')}`,
    ageMs: `1 + ${d.hash(n, 4)} * ${YEARS_MS / 1_000} % ${YEARS_MS}`,
    cents: `${d.hash(n, 5)} % 10000`,
  };
}

const quoted = (texts: readonly string[]): string => texts.map((text) => `'${text}'`).join(', ');

/** Made by the engine itself, by the real tables, in both of their orders. */
export async function fillWarehouse(
  t: Pick<TestWarehouse, 'warehouse'>,
  events: number,
  people: number,
): Promise<void> {
  const c = columnsOf(clickhouse, 'number', people);
  const at = `fromUnixTimestamp64Milli(toInt64(${NOW_MS}) - toInt64(${c.ageMs}), 'UTC')`;
  const type = `[${quoted(TYPES)}][${c.typeIndex}]`;
  const category = `if(kind = 'Order Completed', '', concat('c', toString(${c.category})))`;
  for (let from = 0; from < events; from += SLICE) {
    const numbers = `numbers(${from}, ${Math.min(SLICE, events - from)})`;
    const rest = `toString(number), '', (${c.cents}) / 100, 1, 0, 0, map(), map(), map()`;
    await t.warehouse.query(
      `INSERT INTO event SELECT number + 1, 0, ${type} AS kind, ${category}, ${at}, ${c.person},
         concat('s', toString(number % 400)), ${rest} FROM ${numbers}`,
    );
    await t.warehouse.query(
      `INSERT INTO event SELECT number + 1, line, 'Product Purchased', concat('c', toString((number + line) % ${CATEGORIES})), ${at},
         ${c.person}, concat('s', toString((number + line) % 400)), ${rest}
       FROM ${numbers} ARRAY JOIN [1, 2] AS line WHERE ${type} = 'Order Completed'`,
    );
  }
  await t.warehouse.query(
    `INSERT INTO person SELECT number + 1, 1, toString(number), ['DE', 'FR', 'US', 'GB'][1 + number % 4], '', '', 1, 1,
       map(), map(), map(), toDateTime64(0, 3, 'UTC') FROM numbers(${people})`,
  );
  await settled(t);
}

/** Waits until the engine has merged what it wants to: minutes after a load nothing else is going on either. */
export async function settled(t: Pick<TestWarehouse, 'warehouse'>): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    const [row] = await t.warehouse.query<{ n: number }>('SELECT count() AS n FROM system.merges');
    quiet = row!.n === 0 ? quiet + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function fillPostgres(db: Db, events: number, people: number): Promise<void> {
  const c = columnsOf(postgresql, 'n', people);
  await db.query(`create unlogged table bench_event (id bigint, type text, category text, at timestamptz, person_id bigint,
    amount numeric(18, 2))`);
  for (let from = 0; from < events; from += SLICE) {
    await db.query(
      `insert into bench_event select n + 1, kind, case kind when 'Order Completed' then '' else 'c' || (${c.category}) end,
         to_timestamp(${NOW_MS} / 1000.0) - (${c.ageMs}) * interval '1 millisecond', ${c.person}, (${c.cents}) / 100.0
       from generate_series($1::bigint, $2::bigint - 1) n,
         lateral (select (array[${quoted(TYPES)}])[${c.typeIndex}] as kind) k`,
      [from, Math.min(from + SLICE, events)],
    );
  }
  await db.query(
    'create index bench_event_covering on bench_event (type, category, at) include (person_id, amount)',
  );
  await db.query(
    `create unlogged table bench_person (id bigint primary key, created_at timestamptz)`,
  );
  await db.query(
    `insert into bench_person select n, to_timestamp(0) from generate_series(1, $1::bigint) n`,
    [people],
  );
  // So that the index alone answers.
  await db.query('vacuum (analyze) bench_event');
  await db.query('vacuum (analyze) bench_person');
}
