import {
  type BudgetReport,
  budgetLimits,
  budgetReport,
  messageCost,
  takeFromBudget,
} from '../domain/budget.ts';
import type { Campaign } from '../domain/campaign.ts';
import { MESSAGE_REASON } from '../domain/ledger.ts';
import type { Reservation } from './ledger.ts';
import type { Queryable, Tx } from './postgres.ts';

/**
 * The batch with everybody whom the budget does not reach skipped for that reason. In the transaction that reserves the
 * batch: the budget's row stays locked until its end, so that no two batches spend the same money. People who have a row
 * already were paid for when it was made.
 */
export async function withinBudget(
  tx: Tx,
  campaign: { no: number; definition: Campaign },
  step: number,
  batch: readonly Reservation[],
): Promise<Reservation[]> {
  const { no, definition } = campaign;
  const limits = budgetLimits(definition);
  if (!limits) return [...batch];
  await tx.query('insert into campaign_budget (campaign_no) values ($1) on conflict do nothing', [
    no,
  ]);
  const { rows } = await tx.query<{ sends: number; units: number; isSpent: boolean }>(
    `select sends, units, spent_at is not null as "isSpent" from campaign_budget
     where campaign_no = $1 for update`,
    [no],
  );
  // After the lock, so that an attempt of this batch that was committed meanwhile is seen.
  const planned = await tx.query<{ personId: number }>(
    `select person_id as "personId" from message
     where person_id = any ($3::bigint[]) and campaign_no = $1 and step = $2`,
    [no, step, batch.map(({ personId }) => personId)],
  );
  const known = new Set(planned.rows.map(({ personId }) => personId));
  const fresh = batch.filter(({ skip, personId }) => skip === null && !known.has(personId));
  const costs = fresh.map(({ variant }) => messageCost(definition, variant));
  const { taken, after } = takeFromBudget(limits, rows[0]!, costs);
  await tx.query(
    `update campaign_budget set sends = $2, units = $3,
       spent_at = case when $4 then coalesce(spent_at, shop_now()) end where campaign_no = $1`,
    [no, after.sends, after.units, after.isSpent],
  );
  const over = new Set(fresh.slice(taken));
  return batch.map((row) => (over.has(row) ? { ...row, skip: 'budget', variantP: 0 } : row));
}

/** How the budget stands by the ledger; null where the campaign has none. */
export async function budgetOf(
  db: Queryable,
  campaign: { no: number; definition: Campaign },
): Promise<BudgetReport | null> {
  if (!campaign.definition.budget) return null;
  const { rows } = await db.query<{
    variant: number;
    spent: number;
    reserved: number;
    skipped: number;
  }>(
    `select variant, count(*) filter (where state in (3, 10, 12, 14)) as spent,
       count(*) filter (where state = 1 or reason = ${MESSAGE_REASON.simulated}) as reserved,
       count(*) filter (where state = 11 and reason = ${MESSAGE_REASON.budget}) as skipped
     from message where campaign_no = $1 group by variant`,
    [campaign.no],
  );
  return budgetReport(campaign.definition, {
    byVariant: rows,
    skipped: rows.reduce((sum, row) => sum + row.skipped, 0),
  });
}
