import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rmSync } from 'node:fs';
import { importReport } from '../../bin/import.ts';
import {
  COMPLETE_JOURNEY_CONSENT,
  importCompleteJourney,
} from '../../bin/shops/complete-journey.ts';
import { setShopClock } from '../../store/clock.ts';
import type { ImportReport } from '../../store/import/report.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';
import { DATA, hasData, newFolder } from './support.ts';

let database: TestDatabase;
let db: Db;
const folder = newFolder();

beforeEach(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'import facts', 4);
});
afterEach(async () => {
  await db.end();
  await database.drop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (kind: string, file: string, map: string): Promise<ImportReport> =>
  importReport(
    {
      kind,
      files: [join(DATA, file)],
      map: join(import.meta.dirname, 'maps', map),
      rejected: folder,
    },
    { db, err: { write: () => {} } },
  );

async function row(sql: string): Promise<Record<string, unknown>> {
  return (await db.query<Record<string, unknown>>(sql)).rows[0]!;
}

const ORDERS = `
  select count(*) filter (where type = 'Order Completed') as orders,
    count(*) filter (where type = 'Order Refunded') as refunds,
    sum((properties ->> 'total')::numeric * case type when 'Order Refunded' then -1 else 1 end) as money,
    sum(jsonb_array_length(properties -> 'products')) as lines,
    count(distinct person_id) as buyers
  from event where type like 'Order %'`;

// The facts are those of the README of the data.
describe.skipIf(!hasData)('real data, to the cent', () => {
  it(
    'Online Retail: cancellations are refunds, lines without a customer stay',
    { timeout: 300_000 },
    async () => {
      const customers = await load(
        'customers',
        'online-retail/online-retail.csv.gz',
        'online-retail-customers.yaml',
      );
      expect(customers).toMatchObject({
        read: 541_909,
        accepted: 4_372,
        rejected: { 'id: missing': 135_080 },
        added: 4_372,
      });
      const report = await load(
        'orders',
        'online-retail/online-retail.csv.gz',
        'online-retail.yaml',
      );
      expect(report).toMatchObject({
        read: 541_909,
        accepted: 541_909,
        rejected: {},
        records: 25_900,
        added: 25_900,
        customersAdded: 0,
        notes: { 'line that its order has twice, kept': 5_268 },
      });
      const facts = await row(ORDERS);
      expect({ ...facts, money: (facts['money'] as number).toFixed(2) }).toEqual({
        orders: 20_726,
        refunds: 5_174,
        money: '9747747.93',
        lines: 541_909,
        buyers: 4_372,
      });
      expect(
        await row(`
        select count(*) as returned, count(*) filter (where properties ->> 'orderId' like 'C%') as cancelled,
          (select count(distinct line ->> 'sku') from event, jsonb_array_elements(properties -> 'products') as line) as products
        from event, jsonb_array_elements(properties -> 'products') where type = 'Order Refunded'`),
      ).toEqual({ returned: 10_624 + 2, cancelled: 9_288, products: 4_070 });
    },
  );

  it('CDNOW: a day of a customer is an order', { timeout: 120_000 }, async () => {
    const report = await load('orders', 'cdnow/cdnow.csv.gz', 'cdnow.yaml');
    expect(report).toMatchObject({ read: 69_659, accepted: 69_659, customersAdded: 23_570 });
    const facts = await row(ORDERS);
    expect([facts['money'], facts['refunds'], facts['buyers']]).toEqual([2_500_315.63, 0, 23_570]);
    expect(
      await row(
        `select sum((properties ->> 'quantity')::int) as cds from event where type = 'Order Completed'`,
      ),
    ).toEqual({ cds: 167_881 });
  });

  it('Complete Journey: a year of a grocer', { timeout: 600_000 }, async () => {
    await setShopClock(db, Date.parse('2017-10-01T12:00:00Z'));
    const said: string[] = [];
    const reports = await importCompleteJourney({
      db,
      dataDir: folder,
      out: (text) => said.push(text),
    });
    expect(Object.values(reports).map(({ rejected }) => rejected)).toEqual([
      {},
      {},
      {},
      {},
      {},
      {},
    ]);
    expect(Object.entries(reports).map(([name, { read, added }]) => [name, read, added])).toEqual([
      ['products', 92_331, 92_331],
      ['households', 1_469_307, 2_469],
      ['demographics', 801, 0],
      ['orders', 1_469_307, 155_848],
      ['campaigns', 6_589, 6_589],
      ['redemptions', 2_102, 2_102],
    ]);
    expect(said.length).toBe(7);
    expect(await row(ORDERS)).toEqual({
      orders: 155_848,
      refunds: 0,
      money: 4_596_039.58,
      lines: 1_469_307,
      buyers: 2_469,
    });
    expect(
      await row(`
        select sum((properties ->> 'retailDiscount')::numeric) as retail,
          sum((properties ->> 'couponDiscount')::numeric) as coupon,
          to_char(min(at) at time zone 'UTC', 'YYYY-MM-DD') as first,
          to_char(max(at) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as last
        from event where type = 'Order Completed'`),
    ).toEqual({
      retail: 791_650.64,
      coupon: 26_359.9,
      first: '2017-01-01',
      last: '2018-01-01 04:01:20',
    });
    expect(
      await row(`
        select count(*) filter (where (line ->> 'quantity')::numeric = 0) as zero, count(distinct line ->> 'sku') as sold,
          sum(coalesce((line ->> 'amount')::numeric, round((line ->> 'price')::numeric, 2) * (line ->> 'quantity')::numeric)) as money
        from event, jsonb_array_elements(properties -> 'products') as line`),
    ).toEqual({ zero: 8_869, sold: 68_509, money: 4_596_039.58 });
    expect(
      await row(`
        select count(*) as households, count(*) filter (where traits <> '{}') as described, count(address) as addresses,
          (select count(*) from consent where granted and source = '${COMPLETE_JOURNEY_CONSENT}') as consents,
          (select count(*) from product where price > 0) > 50000 as priced
        from person`),
    ).toEqual({
      households: 2_469,
      described: 801,
      addresses: 2_469,
      consents: 2_469,
      priced: true,
    });
  });
});
