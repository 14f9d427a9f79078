import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withinBudget } from '../../store/budget.ts';
import { type CampaignRow, registerCampaign } from '../../store/campaigns.ts';
import {
  type Reservation,
  ledgerCounts,
  reserveBatch,
  skippedByReason,
} from '../../store/ledger.ts';
import { type Db, connectPostgres, transaction } from '../../store/postgres.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { definition, people } from '../workflows/support.ts';

let database: TestDatabase;
let db: Db;
let ids: number[];

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'budget test', 20);
  await people(db, 2_000);
  const { rows } = await db.query<{ id: number }>('select id from person order by id');
  ids = rows.map(({ id }) => id);
});
afterAll(async () => {
  await db.end();
  await database.drop();
});

async function campaign(id: string): Promise<CampaignRow> {
  return registerCampaign(db, {
    campaign: {
      ...definition,
      id,
      budget: { total: 100, perMessage: 0.03, sends: 1_600 },
      variants: [
        { id: 'a', subject: 'A', template: 'newsletter' },
        {
          id: 'b',
          subject: 'B',
          template: 'newsletter',
          offer: { id: 'o', label: 'O', cost: 0.07 },
        },
      ],
    },
    links: {},
    templates: {},
    usesProducts: false,
    mode: 'live',
    salt: 'salt',
    expectedCount: null,
  });
}

const wanted = (personIds: readonly number[]): Reservation[] =>
  personIds.map((personId) => ({
    personId,
    skip: null,
    lane: 4,
    variant: personId % 2,
    variantP: 0.5,
    dueAtMs: 0,
    address: `p${personId}@example.test`,
    unit: `p${personId}@example.test`,
    decision: null,
  }));

const plan = (row: CampaignRow, personIds: readonly number[]) =>
  transaction(db, async (tx) =>
    reserveBatch(tx, row.no, 0, 'live', await withinBudget(tx, row, 0, wanted(personIds))),
  );

async function costOf(row: CampaignRow): Promise<{ cost: number; sends: number; units: number }> {
  const { rows } = await db.query<{ cost: number; sends: number; units: number }>(
    `select (select sum(case variant when 0 then 300 else 1000 end) from message
       where campaign_no = $1 and state = 1) as cost, sends, units from campaign_budget where campaign_no = $1`,
    [row.no],
  );
  return rows[0]!;
}

describe('a budget that many batches take from at once', () => {
  it('is never overspent, and each batch twice costs once', async () => {
    const row = await campaign('races');
    const batches = Array.from({ length: 40 }, (_, i) => ids.slice(i * 50, i * 50 + 50));
    // Every batch by two attempts at the same time, as after a time-out whose first attempt lived on.
    await Promise.all(batches.flatMap((batch) => [plan(row, batch), plan(row, batch)]));
    const { cost, sends, units } = await costOf(row);
    const { reserved } = await ledgerCounts(db, row.no);
    expect([cost, reserved]).toEqual([units, sends]);
    expect(units).toBeLessThanOrEqual(1_000_000);
    // The first message that did not fit costs 1,000 at most.
    expect(units).toBeGreaterThan(1_000_000 - 1_000);
    expect(await skippedByReason(db, row.no)).toEqual({ budget: 2_000 - reserved });
    // Everybody again: nobody changes, nothing is paid.
    for (const batch of batches) await plan(row, batch);
    expect(await costOf(row)).toEqual({ cost, sends, units });
  });

  it('gives back what a batch took that failed', async () => {
    const row = await campaign('fails');
    await expect(
      transaction(db, async (tx) => {
        await reserveBatch(
          tx,
          row.no,
          0,
          'live',
          await withinBudget(tx, row, 0, wanted(ids.slice(0, 9))),
        );
        throw new Error('the batch failed');
      }),
    ).rejects.toThrow('the batch failed');
    await plan(row, ids.slice(0, 10));
    expect((await costOf(row)).sends).toBe(10);
  });
});
