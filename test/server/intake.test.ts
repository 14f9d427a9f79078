import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { WRITE_KEY, eventsOf, publicServer } from './shop.ts';

let database: TestDatabase;
let db: Db;
let server: Awaited<ReturnType<typeof publicServer>>;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'intake test');
  server = await publicServer(db, NOW);
});
afterAll(async () => {
  await server.close();
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query('truncate person, consent, suppression, event, message_key cascade');
});

const NOW = Date.UTC(2026, 5, 1, 12);

const basic = (key: string): string => `Basic ${Buffer.from(`${key}:`).toString('base64')}`;

async function send(
  path: string,
  body: unknown,
  to: { request: typeof server.request } = server,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await to.request(`/v1/${path}`, {
    method: 'POST',
    headers: { authorization: basic(WRITE_KEY), 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

describe('the intake', () => {
  it('takes an order in Segment’s spelling, for a person not seen before, once', async () => {
    const order = {
      messageId: 'm-1',
      userId: 'u-1',
      event: 'Order Completed',
      timestamp: '2026-05-30T10:00:00.000Z',
      properties: {
        order_id: 'o-1',
        revenue: 49.9,
        currency: 'EUR',
        products: [{ product_id: 'cup-1', quantity: 2, price: 24.95 }],
      },
    };
    expect(await send('track', order)).toEqual({
      status: 200,
      body: { success: true, accepted: 1, duplicates: 0, rejected: [] },
    });
    expect((await send('track', order)).body).toMatchObject({ accepted: 0, duplicates: 1 });

    const events = await eventsOf(db, 'Order Completed');
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      atMs: Date.parse(order.timestamp),
      properties: {
        orderId: 'o-1',
        total: 49.9,
        products: [{ sku: 'cup-1', quantity: 2, price: 24.95 }],
      },
    });
    const { rows } = await db.query<{ id: number; granted: boolean | null }>(
      `select p.id, k.granted from person p left join consent k on k.person_id = p.id where external_id = 'u-1'`,
    );
    expect(rows).toEqual([{ id: events[0]!.personId, granted: null }]);
    expect(await eventsOf(db, 'Traits Changed')).toHaveLength(1);
  });

  it('stamps what has no time with the shop’s clock, and keeps anonymous visits without a person', async () => {
    await send('page', { anonymousId: 'a-1', name: 'Home', properties: { path: '/' } });
    expect(await eventsOf(db, 'Page Viewed')).toEqual([
      {
        personId: null,
        atMs: NOW,
        properties: { name: 'Home', path: '/', anonymousId: 'a-1' },
      },
    ]);
  });

  it('takes what an identify says, leaves the rest, and lets no copy of it overrule a newer one', async () => {
    const first = {
      messageId: 'i-1',
      userId: 'u-1',
      traits: {
        email: 'Ada@Mail.Test',
        firstName: 'Ada',
        lastName: 'L',
        timezone: 'europe/berlin',
        locale: 'de_AT',
        address: { country: 'at', city: 'Wien' },
        marketingConsent: true,
        size: 'M',
        nested: { a: 1 },
      },
    };
    expect((await send('identify', first)).body).toEqual({
      success: true,
      accepted: 1,
      duplicates: 0,
      rejected: [],
      ignored: [
        { index: 0, pointer: '/traits/nested', message: 'is not kept; traits are single values' },
      ],
    });
    await send('identify', {
      messageId: 'i-2',
      userId: 'u-1',
      traits: { size: 'L', plan: 'gold' },
    });
    await send('identify', first);
    const { rows } = await db.query(
      `select address, unit, name, country, time_zone, locale, traits, granted from person
       join consent on person_id = id where external_id = 'u-1'`,
    );
    expect(rows).toEqual([
      {
        address: 'Ada@mail.test',
        unit: 'ada@mail.test',
        name: 'Ada L',
        country: 'AT',
        time_zone: 'Europe/Berlin',
        locale: 'de-AT',
        traits: { firstName: 'Ada', lastName: 'L', size: 'L', plan: 'gold' },
        granted: true,
      },
    ]);
  });

  it('names what is wrong in a batch by its place, never by its value, and takes the others', async () => {
    const { status, body } = await send('batch', {
      batch: [
        { type: 'track', userId: 'u-1', event: 'Product Viewed', properties: { sku: 'cup-1' } },
        { type: 'track', event: 'Product Viewed' },
        { type: 'delete', userId: 'u-1' },
        { type: 'identify', userId: 'u-2', traits: { email: 'secret..x@mail.test' } },
        { type: 'track', userId: 'u-1', event: 'Order Completed', properties: { total: '12' } },
        { type: 'track', userId: 'u-1', event: 'X', timestamp: 'yesterday' },
        { type: 'track', userId: 'u-1', event: 'X', timestamp: '2026-06-09T00:00:00Z' },
        { type: 'track', userId: 'u-1', event: 'X', properties: { 'a/b': 'broken\u0000' } },
        { type: 'track', userId: 'u-1', event: 'Messages Settled', properties: {} },
        { type: 'track', userId: 'u-1', event: 'X', properties: { text: 'x'.repeat(33_000) } },
        7,
      ],
    });
    expect(status).toBe(200);
    expect(body['accepted']).toBe(1);
    const rejected = body['rejected'] as { index: number; pointer: string; message: string }[];
    expect(rejected.map(({ index, pointer }) => [index, pointer])).toEqual([
      [1, '/userId'],
      [2, '/type'],
      [3, '/traits/email'],
      [4, '/properties/total'],
      [5, '/timestamp'],
      [6, '/timestamp'],
      [7, '/properties/a~1b'],
      [8, '/event'],
      [9, ''],
      [10, ''],
    ]);
    expect(JSON.stringify(body)).not.toContain('secret');
    const { rows } = await db.query<{ n: number }>('select count(*) as n from person');
    expect(rows[0]!.n).toBe(1);
  });

  it('of which all calls are wrong is refused', async () => {
    const { status, body } = await send('track', { userId: 'u-1' });
    expect([status, body['accepted']]).toEqual([400, 0]);
  });

  it('takes two batches that name the same new people at once', async () => {
    const batch = (prefix: string, order: number[]) => ({
      batch: order.flatMap((n) => [
        { type: 'identify', messageId: `${prefix}i${n}`, userId: `u-${n}`, traits: { n } },
        { type: 'track', messageId: `${prefix}t${n}`, userId: `u-${n}`, event: 'Product Viewed' },
      ]),
    });
    const up = Array.from({ length: 50 }, (_, index) => index);
    const answers = await Promise.all([
      send('batch', batch('a', up)),
      send('batch', batch('b', up.toReversed())),
      send('batch', batch('c', up)),
      send('batch', batch('a', up.toReversed())),
    ]);
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200]);
    const { rows } = await db.query<{ people: number; events: number }>(
      `select (select count(*) from person) as people,
         (select count(*) from event where message_id like 'intake:%') as events`,
    );
    expect(rows).toEqual([{ people: 50, events: 300 }]);
  });

  it('keeps odd names of properties and traits as data', async () => {
    await send(
      'identify',
      '{"userId":"u-1","messageId":"x","traits":{"__proto__":"p","constructor":"c","toString":1}}',
    );
    await send(
      'track',
      '{"userId":"u-1","event":"X","properties":{"__proto__":{"total":1},"a":1}}',
    );
    const { rows } = await db.query<{ names: string[] }>(
      `select array(select jsonb_object_keys(traits) order by 1) as names from person`,
    );
    expect(rows[0]!.names).toEqual(['__proto__', 'constructor', 'toString']);
    expect(({} as Record<string, unknown>)['total']).toBeUndefined();
  });

  it('refuses a wrong key, a large body, and what is not JSON, without writing', async () => {
    const { counters } = server;
    counters.intakeRefused = 0;
    const post = async (authorization: string | null, body: string): Promise<number> => {
      const headers: Record<string, string> = authorization ? { authorization } : {};
      return (await server.request('/v1/track', { method: 'POST', headers, body })).status;
    };
    const event = JSON.stringify({ userId: 'u-1', event: 'X' });
    expect(await post(null, event)).toBe(401);
    expect(await post(basic('wrong'), event)).toBe(401);
    expect(await post(basic(`${WRITE_KEY}x`), event)).toBe(401);
    expect(await post(`Bearer ${WRITE_KEY}`, event)).toBe(401);
    expect(await post(basic(''), event)).toBe(401);
    expect(counters.intakeRefused).toBe(5);
    expect(await post(basic(WRITE_KEY), ' '.repeat(500_001))).toBe(413);
    expect(await post(basic(WRITE_KEY), '{"userId":')).toBe(400);
    expect(await post(basic(WRITE_KEY), '['.repeat(200_000) + ']'.repeat(200_000))).toBe(400);
    const deep = `{"userId":"u","event":"X","properties":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`;
    expect(await post(basic(WRITE_KEY), deep)).toBe(400);
    expect((await db.query('select from person')).rowCount).toBe(0);
  });

  it('says 503 while the database is away, so that the shop sends it again', async () => {
    const away = connectPostgres('postgres://nobody@127.0.0.1:1/none', 'away', 1);
    const far = await publicServer(away, NOW);
    const answer = await send('track', { userId: 'u-1', event: 'X' }, far);
    expect(answer.status).toBe(503);
    expect(JSON.stringify(answer.body)).not.toMatch(/127\.0\.0\.1|ECONN|at .*\.ts/);
    await far.close();
    await away.end();
  });
});
