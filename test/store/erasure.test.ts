import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { featureOf, FEATURES } from '../../domain/features.ts';
import { parseIntake } from '../../domain/intake.ts';
import { eventToRows } from '../../domain/warehouse-rows.ts';
import { newWebhookSecret } from '../../delivery/webhooks/signing.ts';
import { erasePerson, erasureOf } from '../../store/erasure.ts';
import { IntakeWriter } from '../../store/intake.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { addEndpoint, fillOutbox } from '../../store/webhook-endpoints.ts';
import { VAULT, campaign, sentMail } from '../server/shop.ts';
import { projectAll } from '../support/projection.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

let database: TestDatabase;
let db: Db;
let warehouse: TestWarehouse;
let writer: IntakeWriter;
const NOW = Date.UTC(2026, 5, 1);

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'erasure test');
  warehouse = await startWarehouse();
  await warehouse.warehouse.setUp();
  writer = new IntakeWriter(db);
});
afterAll(async () => {
  await warehouse.stop();
  await db.end();
  await database.drop();
});

async function say(...calls: Record<string, unknown>[]): Promise<void> {
  await writer.write(
    calls.map((call) => {
      const result = parseIntake(call, {
        kind: null,
        nowMs: NOW,
        newId: () => crypto.randomUUID(),
      });
      if ('problem' in result) throw new Error(result.problem.message);
      return result.call;
    }),
  );
  await writer.idle();
}

const project = async (): Promise<void> => {
  await projectAll(db, warehouse.warehouse);
};

const SECRETS = ['Erika', 'erika', 'visitor-1', 'Hauptstr', 'a review text'];

/** Every row of every table as text: what is personal must stand nowhere. */
async function wholeDatabase(): Promise<string> {
  const { rows } = await db.query<{ name: string }>(
    `select format('%I', relname) as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  );
  let text = '';
  for (const { name } of rows) {
    const found = await db.query<{ t: string }>(
      `select coalesce(string_agg(x::text, ' '), '') as t from ${name} x`,
    );
    text += found.rows[0]!.t;
  }
  return text;
}

describe('erasing a person', () => {
  it('leaves nothing personal in any table or in the warehouse, keeps the counts, and no mail ever again', async () => {
    const products = [{ product_id: 'cup-1', quantity: 2, price: 5, engraving: 'Erika' }];
    await say(
      { type: 'page', anonymousId: 'visitor-1', properties: { path: '/erika' } },
      {
        type: 'identify',
        userId: 'erika-1',
        anonymousId: 'visitor-1',
        traits: {
          email: 'erika@mail.test',
          name: 'Erika',
          street: 'Hauptstr 1',
          marketingConsent: true,
        },
      },
      { type: 'identify', userId: 'erika-2', traits: { email: 'erika@mail.test' } },
      {
        type: 'track',
        userId: 'erika-1',
        event: 'Order Completed',
        properties: { order_id: 'o-1', total: 10, products, giftNote: 'Erika' },
      },
      {
        type: 'track',
        userId: 'erika-1',
        event: 'Product Reviewed',
        properties: { sku: 'cup-1', rating: 5, text: 'a review text' },
      },
      { type: 'identify', userId: 'other', traits: { email: 'other@mail.test' } },
    );
    await say({ type: 'alias', userId: 'erika-1', previousId: 'erika-2' });
    const row = await campaign(db);
    const { rows } = await db.query<{ id: number }>(
      `select id from person where external_id = 'erika-1'`,
    );
    const personId = rows[0]!.id;
    await sentMail(db, row.no, personId, { state: 10 });
    await db.query(
      `update message set reply = '250 for erika@mail.test', decision = '{"name": "Erika"}'`,
    );
    const types = ['email.clicked' as const];
    const id = await addEndpoint(
      db,
      VAULT,
      { url: 'https://crm.test/', types, secret: newWebhookSecret() },
      'test',
    );
    await say({ type: 'track', userId: 'other', event: 'X' });
    await db.query(
      `insert into event (message_id, type, person_id, at, properties) values ('c', 'Email Link Clicked', $1, now(), '{}')`,
      [personId],
    );
    await fillOutbox(db, id);
    expect(await wholeDatabase()).toContain('erika-1');
    await project();

    await expect(erasureOf(db, 'nobody')).rejects.toThrow(/No person has/);
    const foreseen = await erasureOf(db, 'erika-2');
    expect(foreseen).toMatchObject({ people: 2, messages: 1, mailboxes: 1 });
    expect(await erasePerson(db, 'erika-2', { actor: 'test' })).toEqual(foreseen);
    await project();

    const text = await wholeDatabase();
    expect(SECRETS.filter((secret) => text.includes(secret))).toEqual([]);
    expect(text).toContain('other@mail.test');
    const told = await db.query(`select properties from event where type = 'Order Completed'`);
    expect(told.rows).toEqual([
      {
        properties: {
          orderId: 'o-1',
          total: 10,
          products: [{ sku: 'cup-1', quantity: 2, price: 5 }],
        },
      },
    ]);
    const people = await warehouse.warehouse.query<{ n: number }>(
      `SELECT count() AS n FROM person WHERE external_id LIKE 'erika%'`,
    );
    expect(Number(people[0]!.n)).toBe(0);
    const left = await warehouse.warehouse.query<{ amount: number; text: unknown }>(
      `SELECT toFloat64(sum(amount)) AS amount, arrayDistinct(arrayFlatten(groupArray(mapKeys(text_properties)))) AS text
       FROM event WHERE person_id = ${personId} AND line = 0`,
    );
    expect(left).toEqual([{ amount: 10, text: [] }]);
    const audit = await db.query(`select subject from audit where action = 'person erased'`);
    expect(audit.rows).toEqual([{ subject: `person/${personId}` }]);

    // The shop sends the same mailbox again, under another id and in another way.
    await say({
      type: 'identify',
      userId: 'new-1',
      traits: { email: 'ERIKA@mail.test', marketingConsent: true },
    });
    const suppressed = await db.query(`select unit, reason from suppression`);
    expect(suppressed.rows).toEqual([{ unit: 'erika@mail.test', reason: 'erasure' }]);
  });
});

describe('features of visits', () => {
  it('count what came within their windows', () => {
    const at = (days: number): number => NOW - days * 86_400_000;
    const rows = [
      ['Checkout Started', 3],
      ['Checkout Started', 10],
      ['Products Searched', 29],
      ['Products Searched', 31],
      ['Product Added', 4],
      ['Coupon Applied', 100],
    ].flatMap(([type, days], id) =>
      eventToRows({
        id,
        type: type as string,
        personId: 1,
        atMs: at(days as number),
        properties: {},
      }),
    );
    const value = (name: string): number => featureOf(FEATURES.get(name)!, rows, NOW);
    expect(
      [
        'checkouts7d',
        'checkouts30d',
        'searches30d',
        'coupons365d',
        'cartDays',
        'checkoutDays',
        'wishes90d',
      ].map(value),
    ).toEqual([1, 2, 1, 1, 4, 3, 0]);
  });
});
