import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CampaignReport } from '../../domain/report.ts';
import { type CampaignRow, campaignByNo, markLaunched } from '../../store/campaigns.ts';
import { type NewEvent, appendEvents } from '../../store/events.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { postgresSource, warehouseSource } from '../../store/report-source.ts';
import { buildReport } from '../../store/report.ts';
import { campaign, people } from '../server/shop.ts';
import { projectAll } from '../support/projection.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { type TestWarehouse, startWarehouse } from '../support/warehouse.ts';

const DAY = 86_400_000;
let database: TestDatabase;
let db: Db;
let warehouse: TestWarehouse;
let row: CampaignRow;
let ids: number[];

/** Six people who were mailed and four who were held out; what they bought is small enough to add up by hand. */
beforeAll(async () => {
  [database, warehouse] = await Promise.all([createDatabase(), startWarehouse()]);
  db = connectPostgres(database.url, 'refunds test');
  ids = await people(db, 10);
  const { no } = await campaign(db, { holdout: 0.4 });
  await db.query(
    `insert into audience_member (campaign_no, seq, person_id, unit, eligible, holdout)
     select $1, n, id, id::text, true, n > 6 from unnest($2::bigint[]) with ordinality as x (id, n)`,
    [no, ids],
  );
  await markLaunched(db, no, '7d');
  row = await campaignByNo(db, no);
  // In several loads, each projected before the next: an order may be told again much later.
  for (const load of told()) {
    await appendEvents(db, load);
    await projectAll(db, warehouse.warehouse);
  }
});
afterAll(async () => {
  await db?.end();
  await Promise.all([database?.drop(), warehouse?.stop()]);
});

let n = 0;
const event = (
  type: string,
  who: number,
  days: number,
  properties: object,
  messageId?: string,
): NewEvent => ({
  messageId: messageId ?? `intake:${(n += 1)}`,
  type,
  personId: ids[who]!,
  atMs: row.launchedAtMs! + days * DAY,
  properties: properties as Record<string, unknown>,
});
const order = (
  who: number,
  days: number,
  orderId: string,
  total: number,
  messageId?: string,
): NewEvent =>
  event(
    'Order Completed',
    who,
    days,
    { orderId, total, products: [{ sku: 's', quantity: 1, price: total }] },
    messageId,
  );
const refund = (who: number, days: number, orderId: string | null, total: number): NewEvent =>
  event('Order Refunded', who, days, { ...(orderId ? { orderId } : {}), total });

function told(): NewEvent[][] {
  return [
    [
      // 100 - 30 = 70.
      order(0, 1, 'o1', 100),
      refund(0, 3, 'o1', 30),
      // 50, of which no more than 50 can come back: 0.
      order(1, 2, 'o2', 50),
      refund(1, 5, 'o2', 50),
      refund(1, 5, 'o2', 20),
      // Refunded after the window: 80. A file told of it before the shop's server did.
      order(2, 2, 'o3', 80, 'order:o3'),
      refund(2, 15, 'o3', 80),
      // A refund of an order before the launch belongs to no campaign's window: nothing.
      order(3, -5, 'o4', 500),
      refund(3, 1, 'o4', 500),
      // A refund that names no order: 40 - 10 = 30.
      order(4, 3, 'o5', 40),
      refund(4, 4, null, 10),
      // Told twice by the shop's page and its server: 60.
      order(5, 1, 'o6', 60),
      order(5, 1.001, 'o6', 60),
      // The one order of the holdout: 20 - 5 = 15.
      order(6, 1, 'o7', 20),
      refund(6, 2, 'o7', 5),
    ],
    // The same orders from a file, and o3 from the shop's server after all.
    [order(5, 1, 'o6', 60, 'order:o6'), order(2, 2, 'o3', 80), order(0, 1, 'o1', 100, 'order:o1')],
  ];
}

const report = (source: string, days: number): Promise<CampaignReport> =>
  buildReport(
    db,
    source === 'the log' ? postgresSource(db) : warehouseSource(warehouse.warehouse),
    row,
    {
      nowMs: row.launchedAtMs! + days * DAY,
      reactions: 'real',
    },
  );

describe.each(['the warehouse', 'the log'])('revenue from %s', (source) => {
  it('is less what was refunded in the window, each order once', async () => {
    const { orders, converted, revenue, refunded, incrementalRevenue } = await report(source, 20);
    expect(orders).toEqual({ treated: 5, holdout: 1 });
    expect(converted).toEqual({ treated: 5, holdout: 1 });
    expect(revenue).toEqual({ treated: 240, holdout: 15 });
    expect(refunded).toEqual({ treated: 90, holdout: 5 });
    // (240 / 6 - 15 / 4) * 6
    expect(incrementalRevenue!.estimate).toBe(217.5);
  });

  it('knows only the refunds there were by then', async () => {
    const { revenue, refunded } = await report(source, 2.5);
    expect(revenue).toEqual({ treated: 100 + 50 + 80 + 60, holdout: 15 });
    expect(refunded).toEqual({ treated: 0, holdout: 5 });
  });
});

describe('an order that is told again', () => {
  const orders = async () =>
    (
      await warehouse.warehouse.query<{ order: string; n: number }>(
        `SELECT order_id AS order, count() AS n FROM event WHERE type = 'Order Completed' GROUP BY order ORDER BY order`,
      )
    ).map((known) => [known.order, Number(known.n)]);

  it('stands in the warehouse once, so that segments and features count it once too', async () => {
    expect(await orders()).toEqual(['o1', 'o2', 'o3', 'o4', 'o5', 'o6', 'o7'].map((id) => [id, 1]));
    const lines = await warehouse.warehouse.query<{ n: number }>(
      `SELECT count() AS n FROM event WHERE type = 'Product Purchased'`,
    );
    expect(Number(lines[0]!.n)).toBe(7);
  });

  it('does so too when the warehouse is made again from the log', async () => {
    await warehouse.warehouse.reset();
    await db.query("update projector set xid = '0', id = 0, next_xid = null, next_id = null");
    await projectAll(db, warehouse.warehouse, 4);
    expect(await orders()).toEqual(['o1', 'o2', 'o3', 'o4', 'o5', 'o6', 'o7'].map((id) => [id, 1]));
  });

  it('goes on to count after a corrected import replaced it', async () => {
    const { rows } = await db.query<{ id: number }>(
      `insert into event_superseded (event_id) select id from event where message_id = 'order:o3' returning event_id as id`,
    );
    await appendEvents(db, [
      order(2, 2, 'o3', 90, 'order:o3~2'),
      {
        ...event('Events Superseded', 2, 2, {
          ids: [rows[0]!.id],
          types: ['Order Completed'],
          people: [],
        }),
        personId: null,
        properties: {
          ids: [rows[0]!.id],
          types: ['Order Completed'],
          people: [],
          fromMs: 0,
          toMs: 9e12,
        },
      },
    ]);
    await projectAll(db, warehouse.warehouse);
    for (const source of ['the warehouse', 'the log']) {
      expect((await report(source, 20)).revenue.treated).toBe(250);
    }
  });
});

it('what a rehearsal led to counts in its own report only', async () => {
  const rehearsal = { ...row, id: 'win-back~rehearsal-1' };
  await appendEvents(db, [
    event('Email Opened', 0, 1, { campaign: rehearsal.id, step: 0, machine: false }),
    event('Email Opened', 1, 1, { campaign: 'win-back', step: 0, machine: false }),
  ]);
  await projectAll(db, warehouse.warehouse);
  const opened = async (of: CampaignRow) => {
    const people = [];
    for await (const batch of warehouseSource(warehouse.warehouse).reactions(of.id)) {
      people.push(...batch.map(({ personId, kind }) => [personId, kind]));
    }
    return people;
  };
  expect(await opened(rehearsal)).toEqual([[ids[0], 'open']]);
  expect(await opened(row)).toEqual([[ids[1], 'open']]);
  const [counted] = await warehouse.warehouse.query<{ n: number }>(
    `SELECT count() AS n FROM event WHERE type = 'Email Opened'`,
  );
  expect(Number(counted!.n)).toBe(1);
});
