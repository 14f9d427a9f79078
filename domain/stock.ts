import { KairosError } from './errors.ts';

/** Demand over some time as quantiles: what a forecast with intervals says. */
export interface DemandQuantiles {
  /** Rising, each between 0 and 1. */
  readonly probabilities: readonly number[];
  /** As many, not falling, in units of the product. */
  readonly values: readonly number[];
}

/** How a product is bought and what it costs to have too much or too little of it. */
export interface StockTerms {
  /** The supplier sells multiples of it; 1 where absent. */
  readonly packSize?: number;
  /** The least that may be ordered; 0 where absent. */
  readonly minimumOrder?: number;
}

export interface StockPosition {
  readonly onHand: number;
  /** Ordered and not yet here. */
  readonly onOrder: number;
  /** Promised to customers: orders not yet sent, and products reserved by campaigns. */
  readonly reserved: number;
}

export interface Proposal {
  /** Units to order, a multiple of the pack; 0 for none. */
  readonly order: number;
  readonly position: number;
  readonly reorderPoint: number;
  readonly orderUpTo: number;
  /** Probability that the demand until a new delivery exceeds what there is without an order. */
  readonly risk: number;
  /** Why, in one sentence for the person who approves. */
  readonly reason: string;
}

/** The quantile `p` of the demand, by line between those known, the outermost beyond them. */
export function demandAt({ probabilities, values }: DemandQuantiles, p: number): number {
  checkQuantiles({ probabilities, values });
  checkProbability('service level', p);
  const above = probabilities.findIndex((probability) => probability >= p);
  if (above < 0) return values.at(-1)!;
  if (above === 0) return values[0]!;
  const [from, to] = [probabilities[above - 1]!, probabilities[above]!];
  const share = (p - from) / (to - from);
  return values[above - 1]! + share * (values[above]! - values[above - 1]!);
}

/** P(demand > stock): the risk of a stock-out with so much. Below the lowest quantile 1, above the highest its 1 − p. */
export function stockOutRisk({ probabilities, values }: DemandQuantiles, stock: number): number {
  checkQuantiles({ probabilities, values });
  const above = values.findIndex((value) => value > stock);
  if (above < 0) return 1 - probabilities.at(-1)!;
  if (above === 0) return 1;
  const share = (stock - values[above - 1]!) / (values[above]! - values[above - 1]!);
  const [from, to] = [probabilities[above - 1]!, probabilities[above]!];
  return 1 - (from + share * (to - from));
}

/**
 * The service level at which one more unit costs as much as it earns (newsvendor): under / (under + over), with the
 * cost of a unit short and of a unit left over.
 */
export function criticalRatio(costShort: number, costOver: number): number {
  if (!(costShort > 0 && costOver > 0) || !Number.isFinite(costShort + costOver)) {
    throw new KairosError(
      'MODEL_INVALID',
      `A unit short costs ${costShort} and a unit over ${costOver}; expected both above 0.`,
    );
  }
  return costShort / (costShort + costOver);
}

/** How much to have for one season that cannot be reordered for. */
export function newsvendor(
  demand: DemandQuantiles,
  costShort: number,
  costOver: number,
  terms: StockTerms = {},
): number {
  return inPacks(demandAt(demand, criticalRatio(costShort, costOver)), terms);
}

/**
 * What to order now under periodic review: nothing while the position (on hand + on order − reserved) is above the
 * reorder point, the service level's quantile of demand over the lead time; else up to the same quantile of demand
 * over lead time and review period together.
 */
export function propose(
  position: StockPosition,
  leadTime: DemandQuantiles,
  leadTimeAndReview: DemandQuantiles,
  serviceLevel: number,
  terms: StockTerms = {},
): Proposal {
  const have = position.onHand + position.onOrder - position.reserved;
  const reorderPoint = Math.ceil(demandAt(leadTime, serviceLevel));
  const orderUpTo = Math.max(reorderPoint, Math.ceil(demandAt(leadTimeAndReview, serviceLevel)));
  const risk = stockOutRisk(leadTime, have);
  const order = have > reorderPoint ? 0 : inPacks(orderUpTo - have, terms);
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  const reason =
    order > 0
      ? `Order ${order}: ${have} available is not above the reorder point ${reorderPoint} (demand until delivery at a service level of ${percent(serviceLevel)}); without it the risk to run out before delivery is ${percent(risk)}.`
      : `No order: ${have} available covers the reorder point ${reorderPoint}; the risk to run out before delivery is ${percent(risk)}.`;
  return { order, position: have, reorderPoint, orderUpTo, risk, reason };
}

/** Units beyond what the demand over the horizon will take at this service level: what a campaign could sell. */
export function overstock(have: number, horizon: DemandQuantiles, serviceLevel: number): number {
  return Math.max(0, Math.floor(have - demandAt(horizon, serviceLevel)));
}

/** Rounded up to whole packs and to the least order; 0 stays 0. */
export function inPacks(units: number, { packSize = 1, minimumOrder = 0 }: StockTerms): number {
  if (!(packSize > 0) || !(minimumOrder >= 0)) {
    throw new KairosError(
      'MODEL_INVALID',
      `The pack size is ${packSize} and the least order ${minimumOrder}; expected above 0, and 0 or more.`,
    );
  }
  if (!(units > 0)) return 0;
  // A sum such as 0.1 + 0.2 must not cost a pack.
  return Math.ceil(Math.max(units, minimumOrder) / packSize - 1e-9) * packSize;
}

function checkProbability(name: string, p: number): void {
  if (p > 0 && p < 1) return;
  throw new KairosError('MODEL_INVALID', `The ${name} is ${p}; expected between 0 and 1.`);
}

function checkQuantiles({ probabilities, values }: DemandQuantiles): void {
  const wrong = probabilities.findIndex(
    (p, i) =>
      !(p > (probabilities[i - 1] ?? 0) && p < 1) ||
      !Number.isFinite(values[i]) ||
      values[i]! < (values[i - 1] ?? -Infinity),
  );
  if (probabilities.length > 0 && probabilities.length === values.length && wrong < 0) return;
  throw new KairosError(
    'MODEL_INVALID',
    `Quantile ${Math.max(wrong, 0)} of the demand is out of order; expected rising probabilities between 0 and 1, each with a value not below the one before.`,
    { quantile: Math.max(wrong, 0) },
  );
}
