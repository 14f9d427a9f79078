import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitingByReason } from '../../domain/waiting.ts';
import { campaignByNo, setPaused, setStage } from '../../store/campaigns.ts';
import { ledgerCounts, reserveBatch } from '../../store/ledger.ts';
import { applyLanes } from '../../store/lanes.ts';
import { DEFAULT_LANES, LANES } from '../../domain/lane.ts';
import { type Db, connectPostgres, transaction } from '../../store/postgres.ts';
import { waitingOf } from '../../store/waiting.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { people, registered } from '../workflows/support.ts';

let database: TestDatabase;
let db: Db;
let no: number;

/** 100 people are frozen; of the 60 that are planned 10 of gmail and 20 of others are due, 30 later. */
beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'waiting test');
  await people(db, 100);
  no = (await registered(db, { id: 'waits', holdout: 0, quietHours: { from: 21, to: 8 } })).no;
  await db.query(
    `insert into audience_member (campaign_no, seq, person_id, unit, eligible)
     select $1, row_number() over (order by id), id, unit, true from person`,
    [no],
  );
  const { rows } = await db.query<{ id: number }>('select id from person order by id limit 60');
  await transaction(db, (tx) =>
    reserveBatch(
      tx,
      no,
      0,
      'live',
      rows.map(({ id }, at) => ({
        personId: id,
        skip: null,
        lane: LANES.indexOf(at < 10 ? 'gmail' : 'other'),
        variant: 0,
        variantP: 1,
        dueAtMs: Date.now() + (at < 30 ? -60_000 : 3_600_000),
        address: `p${id}@example.test`,
        unit: `p${id}@example.test`,
        decision: null,
      })),
    ),
  );
});
afterAll(async () => {
  await db.end();
  await database.drop();
});

async function waiting() {
  return waitingOf(db, await campaignByNo(db, no), await ledgerCounts(db, no));
}

describe('why messages wait', () => {
  it('tells each reason with its count, and all of what is open', async () => {
    await setStage(db, no, 'draining', 'campaign rate');
    const told = await waiting();
    expect(told).toEqual({ planning: 40, 'quiet hours': 30, 'campaign rate': 30 });
    const { planned, reserved, leased, handed } = await ledgerCounts(db, no);
    const open = planned + reserved + leased + handed;
    expect(Object.values(told).reduce((sum, n) => sum + n, 0)).toBe(open);
  });

  it('knows the lane whose day is spent', async () => {
    const warmUp = { start: 1, factor: 1, ceiling: 1 };
    await applyLanes(db, { ...DEFAULT_LANES, gmail: { ...DEFAULT_LANES.gmail, warmUp } });
    await db.query("update bucket set taken_today = daily_limit where key = 'lane:gmail'");
    expect(await waiting()).toMatchObject({ 'warm-up': 10, 'campaign rate': 20 });
    await applyLanes(db, DEFAULT_LANES);
  });

  it('knows a pause, an approval, a relay that is down, a moment to come and who is under way', async () => {
    await setPaused(db, no, true);
    expect(await waiting()).toEqual({ paused: 100 });
    await setPaused(db, no, false);
    await setStage(db, no, 'draining', 'relay');
    expect(await waiting()).toMatchObject({ relay: 30 });
    await setStage(db, no, 'approval', 'approval');
    expect(await waiting()).toMatchObject({ approval: 40 });
    const lot = { warmUpSpent: false, messages: 3, tried: 0 };
    expect(
      waitingByReason({
        stage: 'draining',
        told: 'warm-up',
        paused: false,
        definition: { schedule: { kind: 'local', date: '2026-12-01', time: '09:00' } },
        planned: 0,
        handed: 2,
        lots: [
          { ...lot, leased: true, later: false },
          { ...lot, leased: false, later: true, tried: 1 },
          { ...lot, leased: false, later: false },
        ],
      }),
    ).toEqual({ 'under way': 5, rate: 3, time: 2, retry: 1 });
  });
});
