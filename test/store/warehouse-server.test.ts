import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventToRows } from '../../domain/warehouse-rows.ts';
import { createWarehouse } from '../../store/warehouse/client.ts';
import { projectEvents } from '../../store/warehouse/project.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

let t: TestWarehouse;
beforeAll(async () => {
  t = await startWarehouse();
});
afterAll(() => t.stop());

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** A plain request, so that headers can be what a browser or an attacker would send. */
function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(t.url);
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: options.method ?? 'GET',
        headers: options.headers ?? {},
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(options.body);
  });
}

const withKey = (headers: Record<string, string> = {}) => ({
  'x-clickhouse-key': t.key,
  ...headers,
});
/** ClickHouse's number for why a statement failed; '0' where it did not. */
async function codeOf(sql: string): Promise<string> {
  const answer = await ask('/?database=kairos', { method: 'POST', headers: withKey(), body: sql });
  return String(answer.headers['x-clickhouse-exception-code'] ?? '0');
}

describe('who may ask', () => {
  test('ping answers anyone on loopback, all else needs the key', async () => {
    expect((await ask('/ping')).body.toString()).toBe('Ok.\n');
    const without = await ask('/?query=SELECT%201');
    expect(without.status).toBe(403);
    expect(without.headers['x-clickhouse-exception-code']).toBe('516');
    expect(
      (await ask('/?query=SELECT%201', { headers: { 'x-clickhouse-key': 'wrong' } })).status,
    ).toBe(403);
    expect((await ask('/?query=SELECT%201', { headers: withKey() })).body.toString()).toBe('1\n');
    const basic = `Basic ${Buffer.from(`default:${t.key}`).toString('base64')}`;
    expect((await ask('/?query=SELECT%201', { headers: { authorization: basic } })).status).toBe(
      200,
    );
  });

  test('a web page is refused, by its Origin and by a Host that is not loopback, though it had the key', async () => {
    for (const headers of [
      { origin: 'http://127.0.0.1:8080' },
      { host: 'evil.example' },
      { host: '127.0.0.1.evil.example:80' },
    ]) {
      expect((await ask('/?query=SELECT%201', { headers: withKey(headers) })).status).toBe(403);
      expect((await ask('/ping', { headers })).status).toBe(403);
    }
    expect((await ask('/ping', { headers: { host: 'localhost:1' } })).status).toBe(200);
  });

  test('GET only reads', async () => {
    const answer = await ask(`/?query=${encodeURIComponent('DROP TABLE kairos.event')}`, {
      headers: withKey(),
    });
    expect(answer.status).toBe(500);
    expect(answer.body.toString()).toContain('READONLY');
    expect((await t.warehouse.counts()).rows).toBeGreaterThanOrEqual(0);
  });
});

describe('what may be asked', () => {
  test.each([
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT file('/etc/passwd')",
    "SELECT `fi\\x6ce`('/etc/passwd')",
    "SELECT fileCluster('a', '/etc/passwd')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM s3('http://127.0.0.1:1/x', 'CSV')",
    "SELECT * FROM /* a comment */ executable /* and one */ ('a.sh', 'TSV', 'x String')",
    "SELECT * FROM remote('127.0.0.1', 'system', 'one')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('/tmp/x.db', 'a')",
    "SELECT * FROM eval('SELECT 1')",
    'SELECT * FROM default.`/etc/passwd`',
    "SELECT 1 INTO OUTFILE '/tmp/kairos-warehouse-outfile'",
    "INSERT INTO event FROM INFILE '/etc/passwd' FORMAT CSV",
    "INSERT INTO FUNCTION file('/tmp/x.csv') SELECT 1",
    "CREATE TABLE kairos.f (a String) ENGINE = File('CSV')",
    "CREATE TABLE kairos.u (a String) ENGINE = URL('http://127.0.0.1:1/', 'CSV')",
    "CREATE DATABASE f ENGINE = Filesystem('/etc')",
    "CREATE DICTIONARY kairos.d (a UInt64, b String) PRIMARY KEY a SOURCE(FILE(path '/etc/passwd' format 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
    'CREATE FUNCTION f AS x -> x',
    "BACKUP TABLE kairos.event TO File('/tmp/x')",
    'SYSTEM SHUTDOWN',
    'GRANT ALL ON *.* TO default',
    "ATTACH TABLE x FROM '/etc' (a Int8) ENGINE = MergeTree ORDER BY a",
  ])('denied: %s', async (sql) => {
    expect(await codeOf(sql)).toBe('497');
  });

  test.each([
    'SELECT 1; DROP TABLE event',
    'SELECT $$file$$',
    "SELECT 'no end",
    'SELECT 1 # a comment',
    'SELECT ‘a’',
  ])('malformed: %s', async (sql) => {
    expect(await codeOf(sql)).toBe('62');
  });

  test('words in strings and comments do no harm', async () => {
    const [row] = await t.warehouse.query<{ a: string }>(
      "SELECT 'file(''/etc/passwd'') into outfile' AS a /* url( */ -- s3(\n",
    );
    expect(row!.a).toBe("file('/etc/passwd') into outfile");
  });

  test('the limits of the engine cannot be lifted by a caller', async () => {
    const lifted = 'SELECT 1 SETTINGS max_memory_usage = 0';
    expect(await codeOf(lifted)).toBe('452');
    const inUrl = await ask('/?query=SELECT%201&max_memory_usage=0', { headers: withKey() });
    expect(inUrl.headers['x-clickhouse-exception-code']).toBe('452');
  });
});

describe('as ClickHouse answers', () => {
  test('errors carry ClickHouse’s number, type and text', async () => {
    await expect(t.warehouse.query('SELECT nope')).rejects.toMatchObject({
      code: '47',
      type: 'UNKNOWN_IDENTIFIER',
    });
    await expect(t.warehouse.query('SELECT * FROM nothing')).rejects.toMatchObject({ code: '60' });
    await expect(t.warehouse.query('SELECT {x:UInt8} AS x', { x: 'abc' })).rejects.toMatchObject({
      code: '457',
    });
    await expect(t.warehouse.query('SELECT {x:UInt8} AS x')).rejects.toMatchObject({ code: '456' });
  });

  test('parameters come through as they are, a long list too', async () => {
    const text = 'a\'b"c\\d\te\nf\0g é \u{1F600} {x:String} %41 + &';
    const values = {
      text,
      list: ["it's", 'b\\', '\t', ''],
      none: null,
      small: 1e-7,
      big: 2 ** 53,
      flag: true,
    };
    const [row] = await t.warehouse.query(
      `SELECT {text:String} AS text, {list:Array(String)} AS list, {none:Nullable(String)} AS none,
         {small:Float64} AS small, {big:UInt64} AS big, {flag:Bool} AS flag`,
      values,
    );
    expect(row).toEqual(values);
    const ids = Array.from({ length: 100_000 }, (_, index) => 1_000_000 + index);
    const [sum] = await t.warehouse.query('SELECT length({ids:Array(UInt64)}) AS n', { ids });
    expect(sum).toEqual({ n: 100_000 });
  });

  test('many statements at once keep their parameters and settings apart', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        t.warehouse.query<{ x: string; n: number }>(
          'SELECT {x:String} AS x, count() AS n FROM numbers({n:UInt64}) SETTINGS max_threads = 1',
          { x: `v${index}`, n: index * 100 },
        ),
      ),
    );
    expect(answers.map(([row]) => row)).toEqual(
      Array.from({ length: 40 }, (_, index) => ({ x: `v${index}`, n: index * 100 })),
    );
  });

  test('a large result is streamed, and its reader may leave', async () => {
    let rows = 0;
    let batches = 0;
    for await (const batch of t.warehouse.stream(
      'SELECT number, toString(number) AS text FROM numbers(300000)',
    )) {
      rows += batch.length;
      batches += 1;
    }
    expect(rows).toBe(300_000);
    expect(batches).toBeGreaterThan(2);
    for await (const batch of t.warehouse.stream('SELECT number FROM numbers(50000000)')) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
    expect(await t.warehouse.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('an error behind rows that were sent already is an error, not an end', async () => {
    let rows = 0;
    const failing = async (): Promise<void> => {
      const sql = `SELECT number, throwIf(number = 900000, 'in the middle') AS t FROM numbers(1000000)
        SETTINGS max_threads = 1, max_block_size = 65536`;
      for await (const batch of t.warehouse.stream(sql)) rows += batch.length;
    };
    await expect(failing()).rejects.toMatchObject({ code: '395' });
    expect(rows).toBeGreaterThan(0);
  });

  test('gzip both ways', async () => {
    const packed = await ask('/?enable_http_compression=1', {
      method: 'POST',
      headers: withKey({ 'accept-encoding': 'gzip', 'content-encoding': 'gzip' }),
      body: gzipSync('SELECT number FROM numbers(3) FORMAT JSONCompactEachRow'),
    });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body).toString()).toBe('[0]\n[1]\n[2]\n');
  });

  test('ping answers while a long statement runs', async () => {
    const long = t.warehouse.query('SELECT sum(sipHash64(number)) AS s FROM numbers(10000000)');
    const from = performance.now();
    expect(await t.warehouse.ping()).toBe(true);
    expect(performance.now() - from).toBeLessThan(1_000);
    await long;
  });

  test('a down warehouse is WAREHOUSE_DOWN, which is tried again', async () => {
    const nowhere = createWarehouse({ url: 'http://127.0.0.1:1', key: 'x' });
    await expect(nowhere.query('SELECT 1')).rejects.toMatchObject({
      code: 'WAREHOUSE_DOWN',
      retryable: true,
    });
    await nowhere.close();
  });
});

const order = (id: number) => ({
  id,
  type: 'Order Completed',
  personId: (id % 50) + 1,
  atMs: 1_700_000_000_000 + id,
  properties: { total: 0.1, products: [{ sku: 'a', quantity: 1, price: 0.1, category: 'c' }] },
});

describe('exactly once', () => {
  test('a batch repeated with its token changes nothing, however large; sums are exact', async () => {
    await t.warehouse.reset();
    const events = Array.from({ length: 30_000 }, (_, index) => order(index + 1));
    await projectEvents(t.warehouse, events, 'batch');
    const counts = await t.warehouse.counts();
    expect(counts).toMatchObject({ events: 30_000, rows: 60_000, lastEventId: 30_000 });
    await projectEvents(t.warehouse, events, 'batch');
    expect(await t.warehouse.counts()).toEqual(counts);
    const [sum] = await t.warehouse.query(
      'SELECT sum(amount) = toDecimal128(3000, 2) AS exact FROM event WHERE line = 0',
    );
    expect(sum).toEqual({ exact: 1 });
    // Emptied, it must take the same tokens again.
    await t.warehouse.reset();
    await projectEvents(t.warehouse, events, 'batch');
    expect(await t.warehouse.counts()).toEqual(counts);
  });

  test('people: the highest version counts, in whatever order they come', async () => {
    const told = (id: number, plan: string) => ({
      id,
      type: 'Traits Changed',
      personId: 7,
      atMs: 1_700_000_000_000,
      properties: {
        externalId: 'c7',
        country: 'DE',
        consent: id > 1,
        hasAddress: true,
        traits: { plan, points: id, vip: true, none: null },
        createdAtMs: 5,
      },
    });
    await projectEvents(t.warehouse, [told(3, 'new'), told(1, 'old'), told(2, 'older')], 'people');
    const rows = await t.warehouse.query(
      'SELECT version, consent, text_traits, number_traits, flag_traits FROM person FINAL',
    );
    expect(rows).toEqual([
      {
        version: 3,
        consent: 1,
        text_traits: { plan: 'new' },
        number_traits: { points: 3 },
        flag_traits: { vip: 1 },
      },
    ]);
    await t.warehouse.erase([7]);
    expect(await t.warehouse.query('SELECT person_id FROM person')).toEqual([]);
    expect(await t.warehouse.query('SELECT count() AS n FROM event WHERE person_id = 7')).toEqual([
      { n: 0 },
    ]);
  });
});

describe('the process', () => {
  test('nothing that was acknowledged is lost by SIGKILL, nothing is doubled by trying again', async () => {
    await t.warehouse.reset();
    let acknowledged = 0;
    for (let round = 0; round < 3; round += 1) {
      // Each writer retries its own batch with its own token until it is acknowledged, as the projector does.
      const until = Date.now() + 400;
      const write = async (writer: number): Promise<void> => {
        for (let step = 0; Date.now() < until; step += 1) {
          const base = (round * 4 + writer) * 1_000_000 + step * 100;
          const rows = Array.from({ length: 100 }, (_, index) => order(base + index + 1)).flatMap(
            eventToRows,
          );
          for (let done = false; !done;) {
            done = await t.warehouse.insertEvents(rows, `w${round}-${writer}-${step}`).then(
              () => true,
              () => new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 50)),
            );
          }
          acknowledged += rows.length;
        }
      };
      const writers = Promise.all([0, 1, 2].map(write));
      await new Promise((resolve) => setTimeout(resolve, 200));
      await t.crash();
      await writers;
      expect((await t.warehouse.counts()).rows).toBe(acknowledged);
    }
    expect(acknowledged).toBeGreaterThan(1_000);
  });

  test('a deleted folder ends the process; the next one is empty and says how to fill it', async () => {
    const ended = once(t.process, 'exit') as Promise<unknown[]>;
    // Unlike rmSync, rm goes on when the engine renames a file under its hands.
    spawnSync('rm', ['-rf', join(t.dataDir, 'warehouse')]);
    await ended;
    await t.crash();
    await expect(t.warehouse.counts()).rejects.toMatchObject({
      code: 'WAREHOUSE_DOWN',
      message: expect.stringContaining('rebuild-warehouse') as string,
    });
    // Empty, it waits to be set up: the folder watch looks every second.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await t.warehouse.setUp();
    expect((await t.warehouse.counts()).rows).toBe(0);
  });

  test('SIGTERM lets a running statement finish and ends in order', async () => {
    const sql = 'SELECT sum(sipHash64(number)) AS s FROM numbers(5000000) SETTINGS max_threads = 1';
    let ended = false;
    const running = t.warehouse.query(sql).finally(() => (ended = true));
    const isRunning =
      "SELECT count() AS n FROM system.processes WHERE query LIKE '%numbers(5000000)%'";
    // The question finds itself too.
    for (let n = 1; n < 2 && !ended;) n = (await t.warehouse.query<{ n: number }>(isRunning))[0]!.n;
    const [answer, { code, ms }] = await Promise.all([running, t.terminate()]);
    expect(answer).toHaveLength(1);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(9_000);
  });
});
