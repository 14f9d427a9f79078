import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CampaignReport } from '../../domain/report.ts';
import { reportPage } from '../../server/report/page.ts';
import { snapshotAudience } from '../../store/audience.ts';
import { type CampaignRow, campaignByNo, markLaunched } from '../../store/campaigns.ts';
import { type NewEvent, appendEvents } from '../../store/events.ts';
import { closeCampaign } from '../../store/ledger.ts';
import { suppress } from '../../store/people.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { postgresSource, warehouseSource } from '../../store/report-source.ts';
import { armResults, buildReport } from '../../store/report.ts';
import { projectAll } from '../support/projection.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { type TestWarehouse, startWarehouse } from '../support/warehouse.ts';
import { campaign, people, products } from './shop.ts';

let database: TestDatabase;
let db: Db;
let warehouse: TestWarehouse;
let row: CampaignRow;
let treated: number[];
let holdout: number[];
const DAY = 86_400_000;

/** A campaign to 400 people, of whom one is suppressed; those who got it buy more than those who did not. */
beforeAll(async () => {
  [database, warehouse] = await Promise.all([createDatabase(), startWarehouse()]);
  db = connectPostgres(database.url, 'report test');
  await products(db);
  const ids = await people(db, 400);
  const strangers = await people(db, 5, 's');
  await suppress(db, 'c7@mail.test', 'manual', 'test');
  const { no } = await campaign(db, { holdout: 0.25 });
  async function* members() {
    yield ids.map((personId) => ({ personId, score: null }));
  }
  await snapshotAudience(db, no, members(), { holdout: 0.25, pilot: 0 });
  await markLaunched(db, no, '7d');
  await db.query(
    `insert into message (campaign_no, person_id, state, reason, mode, lane, variant, variant_p, settled_at, handed_at,
       address, unit)
     select $1, a.person_id, case when a.eligible then 10 else 11 end, case when a.eligible then 0 else 1 end, 1, 4,
       a.person_id % 2, case when a.eligible then 0.5 else 0 end, shop_now(), shop_now(), p.address, a.unit
     from audience_member a join person p on p.id = a.person_id where a.campaign_no = $1 and not a.holdout`,
    [no],
  );
  await db.query(
    `update message set state = case when n = 1 then 12 else 14 end,
       reply = case when n = 1 then '550 5.1.1 <someone@mail.test> <script>no such user' end
     from (select person_id as id, row_number() over (order by person_id) as n from message where state = 10 limit 2) x
     where person_id = id`,
  );
  await closeCampaign(db, no);
  row = await campaignByNo(db, no);
  const arms = await db.query<{ id: number; holdout: boolean }>(
    'select person_id as id, holdout from audience_member where eligible order by person_id',
  );
  treated = arms.rows.filter((each) => !each.holdout).map((each) => each.id);
  holdout = arms.rows.filter((each) => each.holdout).map((each) => each.id);
  await appendEvents(db, behaviour(row.launchedAtMs!, strangers));
  await projectAll(db, warehouse.warehouse);
});
afterAll(async () => {
  await Promise.all([db.end(), warehouse.stop()]);
  await database.drop();
});

function behaviour(launchedMs: number, strangers: number[]): NewEvent[] {
  let n = 0;
  const event = (
    type: string,
    personId: number,
    afterMs: number,
    properties: Record<string, unknown>,
  ): NewEvent => {
    n += 1;
    return { messageId: `e${n}`, type, personId, atMs: launchedMs + afterMs, properties };
  };
  const order = (personId: number, afterMs: number, total: number): NewEvent =>
    event('Order Completed', personId, afterMs, {
      orderId: `o${n}`,
      total,
      products: [{ sku: 'cup-1', quantity: 2, price: total / 2 }],
    });
  const about = { campaign: 'win-back', step: 0 };
  return [
    ...treated.slice(0, 60).map((id, index) => order(id, (index % 14) * DAY + 3_600_000, 50)),
    order(treated[0]!, 2 * DAY, 12.34),
    ...holdout.slice(0, 8).map((id, index) => order(id, index * DAY, 50)),
    // Before the launch, after the window, and by people who are not of the audience: they count nowhere.
    order(treated[70]!, -1, 1_000),
    order(treated[71]!, 14 * DAY, 1_000),
    ...strangers.map((id) => order(id, DAY, 1_000)),
    ...treated
      .slice(0, 100)
      .map((id) => event('Email Opened', id, 5_000, { ...about, machine: false })),
    ...treated
      .slice(90, 120)
      .map((id) => event('Email Opened', id, 900, { ...about, machine: true })),
    ...treated
      .slice(0, 30)
      .map((id) => event('Email Link Clicked', id, 9_000, { ...about, link: '0', machine: false })),
    event('Email Link Clicked', treated[40]!, 9_000, { campaign: 'another', step: 0 }),
    event('Unsubscribed', treated[3]!, 9_000, about),
    event('Email Marked as Spam', treated[4]!, 9_000, about),
  ];
}

const at = (days: number): number => row.launchedAtMs! + days * DAY;

describe.each(['the warehouse', 'the log'])('a report from %s', (name) => {
  const build = (nowMs: number, reactions: 'real' | 'none' = 'real'): Promise<CampaignReport> =>
    buildReport(
      db,
      name === 'the log' ? postgresSource(db) : warehouseSource(warehouse.warehouse),
      row,
      { nowMs, reactions },
    );

  it('adds up who was sent what, who bought, and what that means', async () => {
    const report = await build(at(20));
    expect(report).toMatchObject({
      campaign: 'win-back',
      currency: 'EUR',
      isFinal: true,
      isBalanced: true,
      audience: 400,
      holdout: holdout.length,
      sent: treated.length - 2,
      bounced: 1,
      unknown: 1,
      skipped: { total: 1, byReason: { suppressed: 1 } },
      duplicates: 0,
      persons: { treated: treated.length, holdout: holdout.length },
      converted: { treated: 60, holdout: 8 },
      orders: { treated: 61, holdout: 8 },
      revenue: { treated: 3_012.34, holdout: 400 },
      opens: { human: 100, machine: 20 },
      clicks: { human: 30, machine: 0 },
      unsubscribed: 1,
      complaints: 1,
    });
    expect(report.audience).toBe(
      report.holdout +
        report.sent +
        report.skipped.total +
        report.bounced +
        report.expired +
        report.unknown,
    );
    const perHead = 3_012.34 / treated.length - 400 / holdout.length;
    expect(report.incrementalRevenue!.estimate).toBeCloseTo(perHead * treated.length, 1);
    expect(report.daily).toHaveLength(15);
    expect(report.daily.at(-1)!.treatedPerHead).toBeCloseTo(3_012.34 / treated.length, 3);
    const [plain, offer] = report.variants;
    expect(plain!.persons + offer!.persons).toBe(treated.length);
    expect(plain!.revenue + offer!.revenue).toBeCloseTo(3_012.34, 2);
    expect(plain!.opens + offer!.opens).toBe(100);
  });

  it('as of an earlier day knows only what had happened', async () => {
    const report = await build(at(1));
    expect(report.isFinal).toBe(false);
    // The first day's orders of each arm.
    expect(report.orders).toEqual({ treated: 5, holdout: 1 });
    expect(report.daily.map((point) => point.day)).toEqual([0, 1]);
  });

  it('of a shop of the past has no effect, but a reason', async () => {
    const report = await build(at(20), 'none');
    expect([report.incrementalRevenue, report.orders.treated]).toEqual([null, 61]);
    expect(report.reason).toContain('record of the past');
  });

  it('tells a pilot how its arms did, by people', async () => {
    const source = name === 'the log' ? postgresSource(db) : warehouseSource(warehouse.warehouse);
    const clicks = await armResults(db, source, row, at(20));
    expect(clicks.map((arm) => arm.variant)).toEqual([0, 1]);
    expect(clicks[0]!.successes + clicks[1]!.successes).toBe(30);
    const byOrders = {
      ...row,
      definition: {
        ...row.definition,
        pilot: { share: 0.1, wait: '1d', choose: 'orders' as const },
      },
    };
    const orders = await armResults(db, source, byOrders, at(20));
    // The window is the pilot's own: what was bought later counts as well.
    expect(orders[0]!.successes + orders[1]!.successes).toBe(61);
  });
});

describe('the report page', () => {
  it('shows bounces by code, never the reply, and survives hostile names', async () => {
    const report = await buildReport(db, postgresSource(db), row, {
      nowMs: at(20),
      reactions: 'real',
    });
    expect(report.bounces).toEqual([{ code: '5.1.1', count: 1 }]);
    expect(report.unknownMessages).toHaveLength(1);
    const hostile = '"><img src=x onerror=alert(1)>\u202e';
    const page = reportPage(
      {
        ...report,
        name: hostile,
        campaign: hostile,
        goal: { event: hostile, window: hostile },
        currency: hostile,
        reason: hostile,
        incrementalRevenue: null,
        caveats: [hostile],
        skipped: { total: 1, byReason: { [hostile]: 1 } },
        bounces: [{ code: hostile, count: 1 }],
        variants: [{ ...report.variants[0]!, id: hostile }],
      },
      [{ label: hostile, href: hostile }],
    );
    expect(page).not.toContain('<img');
    expect(page).not.toContain('\u202e');
    expect(page).not.toContain('mail.test');
    expect(page.match(/&lt;img/g)!.length).toBeGreaterThan(8);
  });
});

it('counts mailboxes that got it twice, whoever is behind them', async () => {
  const { rows } = await db.query<{ id: number }>(
    `insert into message (campaign_no, person_id, state, mode, lane, unit)
     select $1, (select id from person where external_id = 's0'), 10, 1, 4, unit from message
     where state = 10 and campaign_no = $1 limit 1 returning person_id as id`,
    [row.no],
  );
  const report = await buildReport(db, postgresSource(db), row, {
    nowMs: at(20),
    reactions: 'real',
  });
  expect([report.duplicates, report.isBalanced]).toEqual([1, false]);
  await db.query('delete from message where person_id = $1', [rows[0]!.id]);
});

it('says on the page what waits and how the budget stands, and has no effect for a run that reached nobody', async () => {
  const build = (over: Partial<CampaignRow>) =>
    buildReport(db, postgresSource(db), { ...row, ...over }, { nowMs: at(20), reactions: 'real' });
  const report = await build({
    mode: 'rehearsal',
    definition: { ...row.definition, budget: { total: 100, perMessage: 0.1 } },
  });
  expect([report.incrementalRevenue, report.isPositive]).toEqual([null, false]);
  expect(report.reason).toContain('Nobody got a mail');
  // Whoever was handed over costs a tenth, also who bounced and the one of whom nobody knows.
  expect(report.budget!.spent).toBeCloseTo(0.1 * treated.length, 6);
  expect(report.budget!.left).toBeCloseTo(100 - report.budget!.spent, 6);
  const page = reportPage({ ...report, waiting: { 'quiet hours': 12, '<b>': 1 } });
  expect(page).toContain('the end of their quiet hours');
  expect(page).toContain('&lt;b&gt;');
  expect(page).toContain('people whom it did not reach');
  expect(reportPage(report)).not.toContain('Waiting for');
});
