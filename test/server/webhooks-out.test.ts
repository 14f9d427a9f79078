import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingHttpHeaders, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  checkedEndpointUrl,
  guardedPost,
  isPublicAddress,
} from '../../delivery/webhooks/guarded-post.ts';
import { WebhookSender, type WebhookSenderOptions } from '../../delivery/webhooks/sender.ts';
import { newWebhookSecret } from '../../delivery/webhooks/signing.ts';
import { EVENT } from '../../domain/records.ts';
import { OUTWARD_TYPES, type OutwardType } from '../../domain/webhooks/outward.ts';
import { appendEvents } from '../../store/events.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import {
  addEndpoint,
  deadLetters,
  enableEndpoint,
  fillOutbox,
  replayDead,
  webhookEndpoints,
} from '../../store/webhook-endpoints.ts';
import { limitedLog } from '../../server/limited-log.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { VAULT, people } from './shop.ts';

interface Received {
  headers: IncomingHttpHeaders;
  body: string;
}
type Behaviour = number | 'hang' | { location: string };

let database: TestDatabase;
let db: Db;
let sender: WebhookSender | undefined;
let ids: number[];
const received: Received[] = [];
let behaviour: (n: number) => Behaviour = () => 200;

const listener = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk: Buffer) => (body += chunk.toString()));
  request.on('end', () => {
    received.push({ headers: request.headers, body });
    const what = behaviour(received.length);
    if (what === 'hang') return;
    if (typeof what === 'object') response.writeHead(302, { location: what.location }).end();
    else response.writeHead(what).end('thank you');
  });
});

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'webhook test');
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
});
beforeEach(async () => {
  await db.query('truncate person, event, message_key, webhook_endpoint, webhook_delivery cascade');
  ids = await people(db, 3);
  received.length = 0;
  behaviour = () => 200;
});
afterEach(async () => {
  await sender?.stop();
  sender = undefined;
});
afterAll(async () => {
  listener.closeAllConnections();
  listener.close();
  await db.end();
  await database.drop();
});

const port = (): number => (listener.address() as AddressInfo).port;
const ALL = Object.keys(OUTWARD_TYPES) as OutwardType[];

async function endpoint(types: OutwardType[] = ALL): Promise<{ id: string; secret: string }> {
  const secret = newWebhookSecret();
  const url = `http://127.0.0.1:${port()}/hook`;
  return { id: await addEndpoint(db, VAULT, { url, types, secret }, 'test'), secret };
}

function start(options: WebhookSenderOptions = {}): WebhookSender {
  sender = new WebhookSender(
    { db, vault: VAULT, log: () => {} },
    { allowPrivate: true, timeoutMs: 400, retrySeconds: [0, 0.05, 0.05, 0.05], ...options },
  ).start();
  return sender;
}

async function happen(type: string, personId: number | null, properties: Record<string, unknown>) {
  const messageId = crypto.randomUUID();
  await appendEvents(db, [{ messageId, type, personId, atMs: Date.UTC(2026, 5, 1), properties }]);
  // The projector wakes the sender for what it has read: what no transaction of the cluster, another suite's neither, may
  // still come before.
  await until(async () => {
    const { rowCount } = await db.query(
      'select from event where message_id = $1 and xid < pg_snapshot_xmin(pg_current_snapshot())',
      [messageId],
    );
    return rowCount === 1;
  });
  sender?.wake();
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (let n = 0; n < 800; n += 1) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('it did not come to that in 20 s');
}

/** As the Standard Webhooks spec says, written down a second time. */
function isRightlySigned({ headers, body }: Received, secret: string): boolean {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const text = `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.${body}`;
  const late = Math.abs(Date.now() / 1_000 - Number(headers['webhook-timestamp']));
  const signature = `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
  return headers['webhook-signature'] === signature && late < 300;
}

describe('webhooks to other systems', () => {
  it('tell of each message by the shop’s id, signed, and of nothing that reached nobody or is another’s', async () => {
    const { secret } = await endpoint();
    start();
    const campaign = 'win-back';
    await happen('Messages Settled', null, {
      campaign,
      step: 0,
      sent: ids.slice(0, 2),
      bounced: [ids[2]],
    });
    await happen(EVENT.emailClicked, ids[0]!, {
      campaign,
      step: 0,
      variant: 'plain',
      link: '1',
      machine: false,
      ip: 'x',
    });
    await happen(EVENT.emailOpened, ids[0]!, { campaign: 'win-back~rehearsal-1', step: 0 });
    await happen(EVENT.emailOpened, ids[0]!, { campaign: 'external:7' });
    await happen(EVENT.productViewed, ids[0]!, { sku: 'cup-1' });
    await happen(EVENT.campaignClosed, null, {
      campaign,
      mode: 1,
      audience: 3,
      sent: 2,
      bounced: 1,
      reserved: 0,
    });
    await until(() => received.length >= 5);
    const told = received.map(
      ({ body }) => JSON.parse(body) as { type: string; data: Record<string, unknown> },
    );
    expect(
      told
        .map(({ type, data }) => `${type} ${(data['person'] as string | undefined) ?? ''}`)
        .sort(),
    ).toEqual([
      'campaign.closed ',
      'email.bounced c2',
      'email.clicked c0',
      'email.sent c0',
      'email.sent c1',
    ]);
    expect(told.find(({ type }) => type === 'email.clicked')).toEqual({
      type: 'email.clicked',
      timestamp: '2026-06-01T00:00:00.000Z',
      data: { person: 'c0', campaign, step: 0, variant: 'plain', link: '1', machine: false },
    });
    expect(received.every((one) => isRightlySigned(one, secret))).toBe(true);
    expect(received.some(({ body }) => body.includes('@'))).toBe(false);
    await until(async () => (await webhookEndpoints(db))[0]!.delivered === 5);
    expect((await db.query('select from webhook_delivery')).rowCount).toBe(0);
  });

  it('are tried again under the same id until they are taken; hanging and redirects are failures', async () => {
    await endpoint(['email.unsubscribed']);
    behaviour = (n) =>
      n === 1
        ? 'hang'
        : n === 2
          ? { location: `http://127.0.0.1:${port()}/other` }
          : n === 3
            ? 500
            : 204;
    start();
    await happen(EVENT.unsubscribed, ids[0]!, { campaign: 'win-back', step: 0 });
    await until(async () => (await webhookEndpoints(db))[0]!.delivered === 1);
    expect(received).toHaveLength(4);
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(received.map(({ body }) => body)).size).toBe(1);
    expect((await webhookEndpoints(db))[0]).toMatchObject({
      failingSinceMs: null,
      waiting: 0,
      dead: 0,
    });
  });

  it('become dead letters, which can be replayed', async () => {
    const { id } = await endpoint(['email.clicked']);
    behaviour = () => 500;
    start();
    await happen(EVENT.emailClicked, ids[0]!, { campaign: 'win-back', step: 0 });
    await until(async () => (await deadLetters(db)).length === 1);
    expect((await deadLetters(db))[0]).toMatchObject({
      endpointId: id,
      attempts: 4,
      lastStatus: 500,
      lastError: 'refused',
    });
    behaviour = () => 200;
    expect(await replayDead(db, id, 'msg_other', 'test')).toBe(0);
    expect(await replayDead(db, id, null, 'test')).toBe(1);
    sender!.wake();
    await until(async () => (await webhookEndpoints(db))[0]!.delivered === 1);
    expect(await deadLetters(db)).toEqual([]);
  });

  it('end for an endpoint that fails for days or says that it is gone, with the reason, until it is enabled', async () => {
    const { id } = await endpoint(['email.clicked']);
    behaviour = () => 410;
    start();
    await happen(EVENT.emailClicked, ids[0]!, { campaign: 'win-back', step: 0 });
    await until(async () => (await webhookEndpoints(db))[0]!.disabledReason !== null);
    expect((await webhookEndpoints(db))[0]!.disabledReason).toBe('it answered 410: it is gone');
    behaviour = () => 500;
    await enableEndpoint(db, id, 'test');
    await db.query(
      `update webhook_endpoint set failing_since = clock_timestamp() - interval '6 days'`,
    );
    sender!.wake();
    await until(async () => (await webhookEndpoints(db))[0]!.disabledReason !== null);
    expect((await webhookEndpoints(db))[0]!.disabledReason).toBe(
      'every attempt of 5 days failed; the last one: refused (500)',
    );
    const attempts = received.length;
    await happen(EVENT.emailClicked, ids[1]!, { campaign: 'win-back', step: 0 });
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(received).toHaveLength(attempts);
    // What happened meanwhile still stands in the log.
    behaviour = () => 200;
    await enableEndpoint(db, id, 'test');
    sender!.wake();
    await until(async () => (await webhookEndpoints(db))[0]!.delivered === 2);
  });

  it('of two processes and after a crash each is written into the outbox once', async () => {
    const { id } = await endpoint(['email.clicked']);
    await happen(EVENT.emailClicked, ids[0]!, { campaign: 'win-back', step: 0 });
    await Promise.all([fillOutbox(db, id), fillOutbox(db, id), fillOutbox(db, id)]);
    await db.query(`update webhook_endpoint set xid = '0', position = 0`);
    await fillOutbox(db, id);
    expect((await db.query('select from webhook_delivery')).rowCount).toBe(1);
  });

  it('ask the database for nothing more while nothing happens', async () => {
    await endpoint();
    start();
    await happen(EVENT.emailClicked, ids[0]!, { campaign: 'win-back', step: 0 });
    await until(() => received.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 900));
    const query = db.query.bind(db);
    let asked = 0;
    db.query = ((...given: Parameters<typeof query>) => {
      asked += 1;
      return query(...given);
    }) as typeof db.query;
    await new Promise((resolve) => setTimeout(resolve, 800));
    db.query = query as typeof db.query;
    expect(asked).toBe(0);
  });
});

describe('the guard of outgoing requests', () => {
  it('knows what is no public host', () => {
    const inside = [
      '127.0.0.1',
      '10.1.2.3',
      '169.254.169.254',
      '192.168.0.1',
      '172.31.0.1',
      '100.64.0.1',
      '0.0.0.0',
      '::1',
      '::',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      'fe80::1',
      'fd00::1',
      '64:ff9b::a00:1',
      '2002:7f00:1::',
      '2001:0:1::',
      'ff02::1',
      'fe80::1%eth0',
      'x',
    ];
    expect(inside.filter((address) => isPublicAddress(address))).toEqual([]);
    const outside = ['1.1.1.1', '8.8.8.8', '172.32.0.1', '2606:4700::1111', '2a00:1450::1'];
    expect(outside.filter((address) => !isPublicAddress(address))).toEqual([]);
  });

  it('reaches nothing inside by address, by a name, or by a number in disguise', async () => {
    const options = { allowPrivate: false, timeoutMs: 2_000 };
    const post = (url: string) => guardedPost(url, { headers: {}, body: '{}' }, options);
    for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]']) {
      expect(await post(`https://${host}:${port()}/`)).toMatchObject({ error: 'address refused' });
    }
    expect(await post(`http://localhost:${port()}/`)).toMatchObject({ error: 'address refused' });
    expect(await post(`https://localhost:${port()}/`)).toMatchObject({
      error: 'leads into this network',
    });
    expect(received).toEqual([]);
    for (const url of ['ftp://a.test/', 'https://user:x@a.test/', 'https://a.test/#x', 'nothing']) {
      expect(() => checkedEndpointUrl(url, true)).toThrow(/must start with https/);
    }
  });
});

describe('a limited log', () => {
  it('writes one line of a kind in a span, and then how many there were', () => {
    let now = 0;
    const lines: unknown[] = [];
    const log = limitedLog(
      (event, detail) => lines.push({ event, ...detail }),
      10_000,
      () => now,
    );
    for (let n = 0; n < 1_000; n += 1) log('intake failed', { error: 'ECONNREFUSED', n });
    log('intake failed', { error: 'OTHER' });
    now = 10_000;
    log('intake failed', { error: 'ECONNREFUSED', n: 7 });
    expect(lines).toEqual([
      { event: 'intake failed', error: 'ECONNREFUSED', n: 0 },
      { event: 'intake failed', error: 'OTHER' },
      { event: 'intake failed', error: 'ECONNREFUSED', n: 7, leftOut: 999 },
    ]);
  });
});
