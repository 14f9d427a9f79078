import type { CampaignDefinition } from './campaign.ts';

/**
 * What a campaign may cost. A planned message costs `perMessage` and, where its variant has an offer, what that offer costs
 * the shop when it is taken: everybody may take it, so a budget that must never be overspent counts it for everybody.
 */
export interface BudgetDefinition {
  /** The most that all messages may cost, in the shop's currency. */
  readonly total?: number;
  /** What sending one message costs, in the shop's currency; 0 by default. Fractions of a cent down to 0.0001 count. */
  readonly perMessage?: number;
  /** The most messages that may be planned. */
  readonly sends?: number;
}

/** Amounts are added in whole ten-thousandths of the currency, since sums of fractions drift. */
export const BUDGET_UNITS = 10_000;

export interface BudgetLimits {
  /** In {@link BUDGET_UNITS}; null is no limit. */
  readonly units: number | null;
  readonly sends: number | null;
}

type Costing = Pick<CampaignDefinition, 'budget' | 'variants'>;

/** The limits of a campaign's budget; null where it has none. */
export function budgetLimits({ budget }: Costing): BudgetLimits | null {
  if (!budget) return null;
  return {
    units: budget.total === undefined ? null : Math.round(budget.total * BUDGET_UNITS),
    sends: budget.sends ?? null,
  };
}

/** What a message of this variant costs at most, in {@link BUDGET_UNITS}. */
export function messageCost(campaign: Costing, variant: number): number {
  const cost = (campaign.budget?.perMessage ?? 0) + (campaign.variants[variant]?.offer?.cost ?? 0);
  return Math.round(cost * BUDGET_UNITS);
}

export interface BudgetState {
  readonly sends: number;
  readonly units: number;
  /** A message did not fit before, so that nobody is planned any more. */
  readonly isSpent: boolean;
}

/** Takes the costs of messages, in their order, from the budget: up to the first that does not fit, and none after it. */
export function takeFromBudget(
  limits: BudgetLimits,
  before: BudgetState,
  costs: readonly number[],
): { taken: number; after: BudgetState } {
  let { sends, units, isSpent } = before;
  let taken = 0;
  for (const cost of costs) {
    const fits = sends < (limits.sends ?? Infinity) && units + cost <= (limits.units ?? Infinity);
    isSpent ||= !fits;
    if (isSpent) break;
    sends += 1;
    units += cost;
    taken += 1;
  }
  return { taken, after: { sends, units, isSpent } };
}

/** How a budget stands, in the shop's currency and in messages. `total` and `sends` are null where they are no limit. */
export interface BudgetReport {
  readonly total: number | null;
  readonly sends: number | null;
  /** Of messages that were handed over: sent, bounced, or nobody knows. */
  readonly spent: number;
  /** Of messages that are planned and wait. */
  readonly reserved: number;
  /** What is left of the total; null where there is none. */
  readonly left: number | null;
  /** Messages handed over, and those that wait. */
  readonly messages: number;
  /** People who were skipped because it was spent. */
  readonly skipped: number;
}

export interface BudgetCounts {
  /** By the variant's index. */
  readonly byVariant: readonly { variant: number; spent: number; reserved: number }[];
  readonly skipped: number;
}

/** Null where the campaign has no budget. */
export function budgetReport(campaign: Costing, counts: BudgetCounts): BudgetReport | null {
  const limits = budgetLimits(campaign);
  if (!limits) return null;
  let [spent, reserved, messages] = [0, 0, 0];
  for (const { variant, ...of } of counts.byVariant) {
    spent += of.spent * messageCost(campaign, variant);
    reserved += of.reserved * messageCost(campaign, variant);
    messages += of.spent + of.reserved;
  }
  const money = (units: number): number => units / BUDGET_UNITS;
  return {
    total: limits.units === null ? null : money(limits.units),
    sends: limits.sends,
    spent: money(spent),
    reserved: money(reserved),
    left: limits.units === null ? null : money(limits.units - spent - reserved),
    messages,
    skipped: counts.skipped,
  };
}

/** How many of `people` the budget reaches at most, by the mean cost of a message over the variants' weights. */
export function budgetReach(campaign: Costing, people: number): number | null {
  const limits = budgetLimits(campaign);
  if (!limits) return null;
  const weights = campaign.variants.map(({ weight }) => weight ?? 1);
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = weights.reduce(
    (sum, weight, at) => sum + (weight / all) * messageCost(campaign, at),
    0,
  );
  const affordable = limits.units === null || mean === 0 ? Infinity : limits.units / mean;
  return Math.floor(Math.min(people, affordable, limits.sends ?? Infinity));
}
