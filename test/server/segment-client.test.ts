import { Analytics } from '@segment/analytics-node';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { createWriteKey, revokeWriteKey, writeKeys } from '../../store/write-keys.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { WRITE_KEY, eventsOf, publicServer } from './shop.ts';

let database: TestDatabase;
let db: Db;
let server: Awaited<ReturnType<typeof publicServer>>;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'segment client test');
  server = await publicServer(db);
});
afterAll(async () => {
  await server.close();
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query(
    'truncate person, consent, event, message_key, visitor, identity_claim, write_key cascade',
  );
});

async function post(
  path: string,
  body: unknown,
  key: string | null = WRITE_KEY,
  to = server,
  headers: Record<string, string> = {},
): Promise<{ status: number; retry: string | null; body: Record<string, unknown> }> {
  const answer = await to.request(path, {
    method: 'POST',
    headers: {
      ...(key === null
        ? {}
        : { authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` }),
      ...headers,
    },
    body: Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body),
  });
  return {
    status: answer.status,
    retry: answer.headers.get('retry-after'),
    body: (await answer.json()) as Record<string, unknown>,
  };
}

describe('the client library of Segment for Node', () => {
  it('delivers every kind of call', async () => {
    const problems: unknown[] = [];
    const analytics = new Analytics({ writeKey: WRITE_KEY, host: server.origin, flushAt: 4 });
    analytics.on('error', (error) => problems.push(error));
    analytics.page({ anonymousId: 'a-1', name: 'Home', properties: { path: '/' } });
    analytics.identify({
      userId: 'u-1',
      anonymousId: 'a-1',
      traits: { email: 'u@mail.test', plan: 'gold' },
    });
    analytics.track({
      userId: 'u-1',
      event: 'Order Completed',
      properties: {
        order_id: 'o-1',
        total: 20,
        products: [{ product_id: 'cup', price: 10, quantity: 2 }],
      },
    });
    analytics.screen({ userId: 'u-1', name: 'Start' });
    analytics.group({ userId: 'u-1', groupId: 'club', traits: { level: 2 } });
    analytics.track({ userId: 'u-0', event: 'Product Viewed', properties: { product_id: 'cup' } });
    analytics.alias({ previousId: 'u-0', userId: 'u-1' });
    await analytics.closeAndFlush();
    await server.listener.idle();
    expect(problems).toEqual([]);
    const { rows } = await db.query<{ type: string; who: string }>(
      `select type, external_id as who from event join person p on p.id = person_id
       where message_id like 'intake:%' order by type`,
    );
    expect(rows.map(({ type, who }) => `${type}: ${who}`)).toEqual([
      'Group Joined: u-1',
      'Order Completed: u-1',
      'Page Viewed: u-1',
      'Person Aliased: u-1',
      'Person Identified: u-1',
      'Product Viewed: u-1',
      'Screen Viewed: u-1',
    ]);
  });
});

describe('raw calls of the spec', () => {
  it('are taken by their long and short addresses, packed or not', async () => {
    const event = { userId: 'u-1', event: 'Product Viewed', properties: { sku: 'cup' } };
    for (const path of ['/v1/track', '/v1/t', '/v1/track/']) {
      expect((await post(path, event)).body).toMatchObject({ accepted: 1 });
    }
    const packed = gzipSync(JSON.stringify({ batch: [{ type: 'track', ...event }] }));
    const gzip = { 'content-encoding': 'gzip' };
    expect((await post('/v1/batch', packed, WRITE_KEY, server, gzip)).body).toMatchObject({
      accepted: 1,
    });
    expect((await post('/v1/batch', packed.subarray(0, 40), WRITE_KEY, server, gzip)).status).toBe(
      400,
    );
    const bomb = gzipSync(Buffer.alloc(50_000_000, 32));
    expect((await post('/v1/batch', bomb, WRITE_KEY, server, gzip)).status).toBe(413);
    expect(
      (await post('/v1/batch', packed, WRITE_KEY, server, { 'content-encoding': 'br' })).status,
    ).toBe(415);
    expect((await server.request('/v1/track')).status).toBe(405);
  });

  it('correct a clock that is wrong by what it says of the moment of sending', async () => {
    const wrong = (ms: number): string => new Date(Date.UTC(2001, 0, 1) + ms).toISOString();
    const call = {
      type: 'track',
      userId: 'u-1',
      event: 'Product Viewed',
      properties: { sku: 'x' },
    };
    const now = server.clock.nowMs();
    await post('/v1/batch', { batch: [{ ...call, timestamp: wrong(0) }], sentAt: wrong(60_000) });
    expect((await eventsOf(db, 'Product Viewed'))[0]!.atMs).toBe(now - 60_000);
  });

  it('of a shop’s events come under one name, with our fields', async () => {
    await post('/v1/batch', {
      batch: [
        {
          type: 'track',
          userId: 'u',
          event: 'completed order',
          properties: { order_id: 7, revenue: 5 },
        },
        {
          type: 'track',
          userId: 'u',
          event: 'Order Refunded',
          properties: { order_id: '7', products: [{ product_id: 9, price: 5 }] },
        },
        {
          type: 'track',
          userId: 'u',
          event: 'Email Opened',
          properties: { campaign_id: 'win-back' },
        },
      ],
    });
    expect((await eventsOf(db, 'Order Completed'))[0]!.properties).toMatchObject({
      orderId: '7',
      total: 5,
    });
    expect((await eventsOf(db, 'Order Refunded'))[0]!.properties).toMatchObject({
      products: [{ sku: '9' }],
    });
    expect((await eventsOf(db, 'Email Opened'))[0]!.properties).toMatchObject({
      campaign: 'external:win-back',
    });
    const none = await post('/v1/track', {
      userId: 'u',
      event: 'Order Refunded',
      properties: { order_id: '7' },
    });
    expect(none.body['rejected']).toMatchObject([{ index: 0, pointer: '/properties/total' }]);
    const noted = await post('/v1/track', {
      userId: 'u',
      event: 'Product Added',
      properties: { price: '5' },
    });
    expect(noted.body['ignored']).toMatchObject([
      { pointer: '/properties/price' },
      { pointer: '/properties/sku' },
    ]);
  });
});

describe('write keys', () => {
  it('are stored as hashes, stop within seconds of being revoked, and keep to their rate', async () => {
    const { id, key } = await createWriteKey(
      db,
      { name: 'x', kind: 'server', ratePerSecond: 1 },
      'test',
    );
    expect(JSON.stringify(await writeKeys(db))).not.toContain(key);
    const own = await publicServer(db);
    const event = { userId: 'u', event: 'X' };
    expect((await post('/v1/track', event, key, own)).status).toBe(200);
    const five = { batch: Array.from({ length: 5 }, () => ({ type: 'track', ...event })) };
    const busy = await post('/v1/batch', five, key, own);
    expect([busy.status, busy.retry]).toEqual([429, '1']);
    await revokeWriteKey(db, id, 'test');
    await expect(revokeWriteKey(db, id, 'test')).rejects.toThrow('no write key');
    const later = await publicServer(db);
    expect((await post('/v1/track', event, key, later)).status).toBe(401);
    await own.close();
    await later.close();
  });

  it('of pages grant no consent, merge nobody, and forge no mail', async () => {
    const { key } = await createWriteKey(db, { name: 'page', kind: 'browser' }, 'test');
    const own = await publicServer(db);
    const { body } = await post(
      '/v1/batch',
      {
        writeKey: key,
        batch: [
          { type: 'identify', userId: 'u', traits: { marketingConsent: true } },
          { type: 'alias', userId: 'u', previousId: 'v' },
          { type: 'track', userId: 'u', event: 'Email Opened' },
        ],
      },
      null,
      own,
    );
    expect(body).toMatchObject({
      accepted: 1,
      rejected: [{ index: 1 }, { index: 2 }],
      ignored: [{ index: 0, pointer: '/traits/marketingConsent' }],
    });
    await own.close();
  });
});

it('tells clients to come again where too much is under way, and loses nothing of what it took', async () => {
  const small = await publicServer(db, Date.now(), { inFlightBytes: 60_000 });
  const batch = (n: number) => ({
    batch: Array.from({ length: 100 }, (_, i) => ({
      type: 'track',
      messageId: `${n}-${i}`,
      userId: `u-${i}`,
      event: 'X',
      properties: { n, text: 'x'.repeat(100) },
    })),
  });
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, n) => post('/v1/batch', batch(n), WRITE_KEY, small)),
  );
  const statuses = new Set(answers.map((answer) => answer.status));
  expect(statuses).toEqual(new Set([200, 429]));
  for (const answer of answers) if (answer.status === 429) expect(answer.retry).toBe('1');
  const { rows } = await db.query<{ n: number }>(
    `select count(*) as n from event where type = 'X'`,
  );
  expect(rows[0]!.n).toBe(100 * answers.filter((answer) => answer.status === 200).length);
  await small.close();
});
