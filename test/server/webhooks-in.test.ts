import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SourceKind, SourceOptions } from '../../domain/webhooks/inward.ts';
import { loadPeople } from '../../store/people.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { putWebhookSource, removeWebhookSource } from '../../store/webhook-sources.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { VAULT, WRITE_KEY, eventsOf, publicServer } from './shop.ts';
import {
  SHOPIFY_ORDER,
  SHOPIFY_PRODUCT,
  SHOPIFY_REFUND,
  STRIPE_REFUND,
  STRIPE_SESSION,
  WOO_ORDER,
} from './shop-webhooks.ts';

let database: TestDatabase;
let db: Db;
let server: Awaited<ReturnType<typeof publicServer>>;
const NOW = Date.UTC(2026, 5, 1, 12);
const SECRET = 'a-secret-of-the-shop';

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'webhook test');
  await source('shopify', { currency: 'EUR', shopUrl: 'https://shop.test' });
  await source('woocommerce');
  await source('stripe');
  server = await publicServer(db, NOW);
});
afterAll(async () => {
  await server.close();
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query('truncate person, consent, suppression, event, message_key, product cascade');
});

const source = (kind: SourceKind, options: SourceOptions = {}, id: string = kind) =>
  putWebhookSource(db, VAULT, { id, kind, secret: SECRET, options }, 'test');

const base64 = (body: string): string => createHmac('sha256', SECRET).update(body).digest('base64');

async function post(path: string, body: string, headers: Record<string, string>) {
  const answer = await server.request(`/v1/webhooks/${path}`, { method: 'POST', headers, body });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

function shopify(topic: string, payload: unknown, change: Record<string, string> = {}) {
  const body = JSON.stringify(payload);
  return post('shopify', body, {
    'x-shopify-topic': topic,
    'x-shopify-hmac-sha256': base64(body),
    'x-shopify-webhook-id': crypto.randomUUID(),
    ...change,
  });
}

function woo(topic: string, payload: unknown) {
  const body = JSON.stringify(payload);
  return post('woocommerce', body, {
    'x-wc-webhook-topic': topic,
    'x-wc-webhook-signature': base64(body),
  });
}

function stripe(payload: unknown, { atMs = Date.now(), secret = SECRET, more = '' } = {}) {
  const body = JSON.stringify(payload);
  const t = Math.floor(atMs / 1_000);
  const v1 = createHmac('sha256', secret).update(`${t}.${body}`).digest('hex');
  return post('stripe', body, { 'stripe-signature': `t=${t},${more}v1=${v1},v0=abc` });
}

async function person(externalId: string) {
  const { rows } = await db.query(
    `select address, name, country, locale, granted, floor(extract(epoch from at) * 1000) as at
     from person left join consent on person_id = id where external_id = $1`,
    [externalId],
  );
  return rows[0] as Record<string, unknown> | undefined;
}

describe('webhooks of Shopify', () => {
  it('makes an order and its customer of orders/create, once, with the consent as of its own time', async () => {
    expect(await shopify('orders/create', SHOPIFY_ORDER)).toMatchObject({
      status: 200,
      body: { success: true, accepted: 3, duplicates: 0 },
    });
    // Under another delivery id: what counts is what is signed.
    expect((await shopify('orders/create', SHOPIFY_ORDER)).body).toMatchObject({ accepted: 0 });
    // Told by another topic it is still one order.
    await shopify('orders/updated', { ...SHOPIFY_ORDER, updated_at: '2026-05-30T14:00:00Z' });
    expect(await eventsOf(db, 'Order Completed')).toEqual([
      {
        personId: expect.any(Number) as number,
        atMs: Date.parse('2026-05-30T12:15:00Z'),
        properties: expect.objectContaining({
          orderId: '5100000001',
          total: 44.9,
          currency: 'EUR',
          coupon: 'SPRING',
          shipping: 4.9,
          products: [{ sku: 'cup-1', quantity: 2, price: 22.5, name: 'Cup', amount: 40 }],
        }) as unknown,
      },
    ]);
    expect(await eventsOf(db, 'Order Updated')).toHaveLength(1);
    expect(await person('7001')).toEqual({
      address: 'Ada@mail.test',
      name: 'Ada L',
      country: 'DE',
      locale: null,
      granted: true,
      at: Date.parse('2026-05-01T10:00:00Z'),
    });
  });

  it('takes no consent from a checkbox of the order, from a pending one, or over a newer no', async () => {
    const { customer, ...order } = SHOPIFY_ORDER;
    await shopify('orders/create', {
      ...order,
      customer: { ...customer, email_marketing_consent: null },
    });
    expect((await person('7001'))!['granted']).toBeNull();
    const pending = { state: 'pending', consent_updated_at: '2026-05-02T00:00:00Z' };
    await shopify('customers/update', { ...customer, email_marketing_consent: pending });
    expect((await person('7001'))!['granted']).toBe(false);
    await shopify('customers/update', {
      ...customer,
      email_marketing_consent: undefined,
      accepts_marketing: true,
      accepts_marketing_updated_at: '2026-05-01T00:00:00Z',
    });
    expect((await person('7001'))!['granted']).toBe(false);
    await shopify('customers/update', {
      ...customer,
      email_marketing_consent: undefined,
      accepts_marketing: true,
      accepts_marketing_updated_at: '2026-05-03T00:00:00Z',
    });
    expect((await person('7001'))!['granted']).toBe(true);
  });

  it('gives a refund, which names the order only, to who bought it', async () => {
    await shopify('orders/create', SHOPIFY_ORDER);
    await shopify('refunds/create', SHOPIFY_REFUND);
    await shopify('refunds/create', SHOPIFY_REFUND);
    const [order] = await eventsOf(db, 'Order Completed');
    expect(await eventsOf(db, 'Order Refunded')).toEqual([
      {
        personId: order!.personId,
        atMs: Date.parse('2026-05-31T10:00:00Z'),
        properties: expect.objectContaining({ orderId: '5100000001', total: 20 }) as unknown,
      },
    ]);
  });

  it('puts products into the catalogue, with the address of the shop as it was set', async () => {
    expect((await shopify('products/update', SHOPIFY_PRODUCT)).body).toMatchObject({ products: 2 });
    const { rows } = await db.query(
      'select sku, title, category, price, stock, description, url from product order by sku',
    );
    const both = {
      category: 'Kitchen',
      description: 'A good cup.',
      url: 'https://shop.test/products/cup',
    };
    expect(rows).toEqual([
      { sku: '902', title: 'Cup', price: 9, stock: null, ...both },
      { sku: 'cup-1', title: 'Cup, Blue', price: 22.5, stock: 4, ...both },
    ]);
  });

  it('refuses a wrong signature, another’s body, and an unknown source; says why something is not used', async () => {
    const wrong = await shopify('orders/create', SHOPIFY_ORDER, {
      'x-shopify-hmac-sha256': base64('x'),
    });
    expect(wrong).toEqual({
      status: 401,
      body: {
        error: {
          code: 'WEBHOOK_INVALID',
          message:
            'The signature is missing, old or wrong; expected one by the secret of the webhook source shopify.',
        },
      },
    });
    expect((await post('shopify', '{}', { 'x-shopify-topic': 'orders/create' })).status).toBe(401);
    expect((await post('nobody', '{}', {})).status).toBe(404);
    expect((await server.request('/v1/webhooks/shopify')).status).toBe(405);
    expect((await shopify('orders/create', { ...SHOPIFY_ORDER, test: true })).body).toEqual({
      success: true,
      accepted: 0,
      duplicates: 0,
      ignored: 'Not used: it is a test order.',
    });
    expect((await shopify('themes/update', {})).body).toMatchObject({
      ignored: 'Not used: it has the topic themes/update.',
    });
    expect(await eventsOf(db, 'Order Completed')).toEqual([]);
    const body = 'no json';
    const noJson = await post('shopify', body, {
      'x-shopify-topic': 'a/b',
      'x-shopify-hmac-sha256': base64(body),
    });
    expect(noJson.status).toBe(400);
    // The bytes are signed as they came, with a byte order mark and all.
    const marked = `\uFEFF${JSON.stringify(SHOPIFY_ORDER)}`;
    const headers = { 'x-shopify-topic': 'orders/create', 'x-shopify-hmac-sha256': base64(marked) };
    expect((await post('shopify', marked, headers)).status).toBe(200);
  });

  it('erases whom the shop was asked to forget', async () => {
    await shopify('orders/create', SHOPIFY_ORDER);
    const redact = { shop_id: 1, customer: { id: 7_001 }, orders_to_redact: [5_100_000_001] };
    expect((await shopify('customers/redact', redact)).status).toBe(200);
    expect(await person('7001')).toBeUndefined();
    expect((await shopify('customers/redact', redact)).status).toBe(200);
  });

  it('keeps nobody out by an id that another key to the intake has taken', async () => {
    const taken = {
      type: 'track',
      userId: 'x',
      event: 'X',
      messageId: 'webhook:shopify:order:5100000001',
    };
    const authorization = `Basic ${Buffer.from(`${WRITE_KEY}:`).toString('base64')}`;
    await server.request('/v1/track', {
      method: 'POST',
      headers: { authorization },
      body: JSON.stringify(taken),
    });
    await shopify('orders/create', SHOPIFY_ORDER);
    expect(await eventsOf(db, 'Order Completed')).toHaveLength(1);
  });
});

describe('webhooks of WooCommerce', () => {
  it('answers the unsigned ping that it saves a webhook by, and does nothing', async () => {
    expect(await post('woocommerce', 'webhook_id=5', {})).toEqual({
      status: 200,
      body: { success: true },
    });
    expect((await post('woocommerce', 'webhook_id=5&x=1', {})).status).toBe(401);
    expect((await post('shopify', 'webhook_id=5', {})).status).toBe(401);
  });

  it('counts an order once it is paid, of a guest too, under an id that says nothing of the address', async () => {
    await woo('order.created', { ...WOO_ORDER, status: 'pending', date_paid_gmt: null });
    expect(await eventsOf(db, 'Order Completed')).toEqual([]);
    await woo('order.updated', WOO_ORDER);
    await woo('order.updated', {
      ...WOO_ORDER,
      status: 'completed',
      date_modified_gmt: '2026-05-31T08:00:00',
    });
    const orders = await eventsOf(db, 'Order Completed');
    expect(orders).toHaveLength(1);
    expect(orders[0]).toMatchObject({
      atMs: Date.parse('2026-05-30T16:28:08Z'),
      properties: { orderId: '727', total: 29.35, products: [{ sku: 'tea-1', amount: 18 }] },
    });
    const { rows } = await db.query<{ id: string }>('select external_id as id from person');
    expect(rows).toHaveLength(1);
    expect(rows[0]!.id).toMatch(/^guest-[0-9a-f]{24}$/);
    expect(await person(rows[0]!.id)).toMatchObject({
      address: 'bob@mail.test',
      name: 'Bob M',
      country: 'AT',
      granted: null,
    });
    // The same guest, written otherwise, is the same person.
    await woo('order.updated', {
      ...WOO_ORDER,
      id: 728,
      billing: { ...WOO_ORDER.billing, email: 'BOB@mail.test' },
    });
    expect((await db.query('select from person')).rowCount).toBe(1);
    await woo('order.updated', {
      ...WOO_ORDER,
      status: 'refunded',
      refunds: [{ id: 9, reason: '', total: '-29.35' }],
    });
    await woo('order.updated', {
      ...WOO_ORDER,
      status: 'refunded',
      refunds: [{ id: 9, reason: 'x', total: '-29.35' }],
    });
    expect(await eventsOf(db, 'Order Refunded')).toMatchObject([
      { properties: { orderId: '727', total: 29.35 } },
    ]);
  });
});

describe('webhooks of Stripe', () => {
  it('makes an order of a paid checkout, with no consent, and a refund of what is new in one', async () => {
    expect(await stripe(STRIPE_SESSION)).toMatchObject({ status: 200, body: { accepted: 2 } });
    expect((await stripe(STRIPE_SESSION)).body).toMatchObject({ accepted: 0, duplicates: 2 });
    expect(await eventsOf(db, 'Order Completed')).toMatchObject([
      { properties: { orderId: 'pi_1', total: 21.98, currency: 'EUR', shipping: 5 } },
    ]);
    expect(await person('customer-9')).toMatchObject({
      address: 'cy@mail.test',
      country: 'FR',
      granted: null,
    });
    await stripe(STRIPE_REFUND);
    await stripe(STRIPE_REFUND);
    expect(await eventsOf(db, 'Order Refunded')).toMatchObject([
      { properties: { orderId: 'pi_1', total: 10 } },
    ]);
  });

  it('refuses an old time, another secret and no signature; takes one of several', async () => {
    expect((await stripe(STRIPE_SESSION, { atMs: Date.now() - 6 * 60_000 })).status).toBe(401);
    expect((await stripe(STRIPE_SESSION, { atMs: Date.now() + 6 * 60_000 })).status).toBe(401);
    expect((await stripe(STRIPE_SESSION, { secret: 'another-secret' })).status).toBe(401);
    expect((await post('stripe', JSON.stringify(STRIPE_SESSION), {})).status).toBe(401);
    expect(await eventsOf(db, 'Order Completed')).toEqual([]);
    const several = await stripe(STRIPE_SESSION, { more: `v1=${'0'.repeat(64)},` });
    expect(several.status).toBe(200);
  });

  it('leaves out the test mode and what is not paid; counts yen in whole', async () => {
    expect((await stripe({ ...STRIPE_SESSION, livemode: false })).body).toMatchObject({
      ignored: expect.stringContaining('test mode') as string,
    });
    const { object } = STRIPE_SESSION.data;
    const unpaid = {
      ...STRIPE_SESSION,
      id: 'evt_3',
      data: { object: { ...object, payment_status: 'unpaid' } },
    };
    expect((await stripe(unpaid)).body).toMatchObject({
      ignored: expect.stringContaining('not paid') as string,
    });
    const yen = {
      ...STRIPE_SESSION,
      id: 'evt_4',
      data: { object: { ...object, currency: 'jpy', amount_total: 500 } },
    };
    await stripe(yen);
    expect(await eventsOf(db, 'Order Completed')).toMatchObject([
      { properties: { total: 500, currency: 'JPY' } },
    ]);
  });
});

describe('sources', () => {
  it('keep their secrets sealed, and take nothing once removed', async () => {
    await source('shopify', {}, 'second');
    const { rows } = await db.query<{ sealed: Buffer }>(
      `select sealed from webhook_source where id = 'second'`,
    );
    expect(rows[0]!.sealed.toString('latin1')).not.toContain(SECRET);
    const headers = { 'x-shopify-topic': 'a/b', 'x-shopify-hmac-sha256': base64('{}') };
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await post('second', '{}', headers)).status).toBe(200);
    await removeWebhookSource(db, 'second', 'test');
    await expect(removeWebhookSource(db, 'second', 'test')).rejects.toThrow(
      /no webhook source second/,
    );
    await expect(source('shopify', {}, 'Not a name')).rejects.toThrow(/1 to 40 small letters/);
    await expect(source('stripe', {}, 'shopify')).rejects.toThrow(/is of shopify/);
  });

  it('an order that is imported too counts once', async () => {
    // Said where orders are projected: the import's message id `order:…` replaces what came in by the order's id.
    await loadPeople(db, []);
    await shopify('orders/create', SHOPIFY_ORDER);
    const { rows } = await db.query(
      `select replaced from repeated_orders(array[(select max(id) + 1 from event)], array['9223372036854775807'],
         array['Order Completed'], array['5100000001'], array[true])`,
    );
    expect(rows).toHaveLength(1);
  });
});
