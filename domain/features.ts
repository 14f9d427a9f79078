import { MS_PER_DAY } from './clock.ts';
import { EVENT } from './records.ts';
import type { WarehouseRow } from './warehouse-rows.ts';

/**
 * The words for what is known of a person at a moment. Each feature is defined here once, with a formula from which the
 * warehouse's SQL (`store/warehouse/features.ts`) and the value of one person in memory (`featureOf`) are both made;
 * models learn from them, segments compare them, explanations speak of them. Only events *before* the moment count, so
 * a later event never changes an earlier value. Names end in their window: `30d`, `90d`, `365d`, or `All`.
 */
export interface Feature {
  readonly name: string;
  /** What it is, in words. */
  readonly meaning: string;
  /** Days before the moment that it looks back; null is all time. */
  readonly windowDays: number | null;
  /** Whether it may be missing (NaN), such as the days since an order that never was. A comparison with it is false. */
  readonly missing: boolean;
  readonly formula: Formula;
}

/** Over the events themselves, never over the lines of orders. */
export type Formula =
  /** How many; `human` leaves out a machine's. */
  | { readonly kind: 'count'; readonly event: string; readonly human?: boolean }
  /** The sum of their totals, at least `floor`. */
  | { readonly kind: 'sum'; readonly event: string; readonly floor?: number }
  /** Days from the first or the last one (of any type where `event` is null) to the moment, with fractions. */
  | { readonly kind: 'days'; readonly event: string | null; readonly from: 'first' | 'last' }
  /** Mean days between them: (last − first) / (count − 1). */
  | { readonly kind: 'gap'; readonly event: string }
  /** Mean total of one. */
  | { readonly kind: 'mean'; readonly event: string };

const ALL = [30, 90, 365, null] as const;

function windowed(
  name: string,
  meaning: string,
  formula: Formula,
  windows: readonly (number | null)[] = ALL,
): Feature[] {
  return windows.map((windowDays) => ({
    name: `${name}${windowDays === null ? 'All' : `${windowDays}d`}`,
    meaning: `${meaning}, ${windowDays === null ? 'ever' : `within ${windowDays}d`}`,
    windowDays,
    missing: false,
    formula,
  }));
}

function ever(name: string, meaning: string, formula: Formula, missing: boolean): Feature {
  return { name, meaning, windowDays: null, missing, formula };
}

function counted(name: string, event: string, windows: readonly number[]): Feature[] {
  return windowed(name, `${event} events`, { kind: 'count', event }, windows);
}

const { orderCompleted } = EVENT;

/** What P(order in the next 30 days) is learnt from, in the order of the columns. */
export const ORDER_FEATURES: readonly Feature[] = [
  ever(
    'recencyDays',
    'days since the last Order Completed, with fractions; missing where there was none',
    { kind: 'days', event: orderCompleted, from: 'last' },
    true,
  ),
  ever(
    'tenureDays',
    'days since the first event of any type; missing where there was none',
    { kind: 'days', event: null, from: 'first' },
    true,
  ),
  ever(
    'gapDays',
    'mean days between orders: (last − first) / (orders − 1); missing below two orders',
    { kind: 'gap', event: orderCompleted },
    true,
  ),
  ...windowed('orders', 'Order Completed events', { kind: 'count', event: orderCompleted }),
  ...windowed('revenue', 'sum of total of Order Completed', { kind: 'sum', event: orderCompleted }),
  ever(
    'basketAll',
    'revenueAll / ordersAll; missing where there was no order',
    { kind: 'mean', event: orderCompleted },
    true,
  ),
  ...windowed(
    'views',
    'Product Viewed events',
    { kind: 'count', event: EVENT.productViewed },
    [30, 90],
  ),
  ...windowed(
    'carts',
    'Product Added events',
    { kind: 'count', event: EVENT.productAdded },
    [30, 90],
  ),
  ...windowed(
    'refunds',
    'Order Refunded events',
    { kind: 'count', event: EVENT.orderRefunded },
    [365],
  ),
  ...windowed(
    'opens',
    'Email Opened events that are not a machine’s',
    { kind: 'count', event: EVENT.emailOpened, human: true },
    [90],
  ),
  ...windowed(
    'clicks',
    'Email Link Clicked events that are not a machine’s',
    { kind: 'count', event: EVENT.emailClicked, human: true },
    [90],
  ),
];

/** What customers are clustered on; only people with at least one order. */
export const RFM_FEATURES: readonly Feature[] = [
  ORDER_FEATURES[0]!,
  ever('orders', 'Order Completed events ever', { kind: 'count', event: orderCompleted }, false),
  ever(
    'revenue',
    'sum of total of Order Completed ever, at least 0',
    { kind: 'sum', event: orderCompleted, floor: 0 },
    false,
  ),
];

/** What a visit shows before an order; segments compare these, models do not learn from them yet. */
export const COMMERCE_FEATURES: readonly Feature[] = [
  ever(
    'cartDays',
    'days since the last Product Added; below recencyDays (or with no order) the cart was left',
    { kind: 'days', event: EVENT.productAdded, from: 'last' },
    true,
  ),
  ever(
    'checkoutDays',
    'days since the last Checkout Started; below recencyDays (or with no order) it was left',
    { kind: 'days', event: 'Checkout Started', from: 'last' },
    true,
  ),
  ...counted('checkouts', 'Checkout Started', [7, 30]),
  ...counted('cartRemovals', 'Product Removed', [30]),
  ...counted('searches', 'Products Searched', [30]),
  ...counted('lists', 'Product List Viewed', [30]),
  ...counted('wishes', 'Product Added to Wishlist', [90]),
  ...counted('promotionClicks', 'Promotion Clicked', [90]),
  ...counted('coupons', 'Coupon Applied', [365]),
  ...counted('couponDenials', 'Coupon Denied', [30]),
  ...counted('reviews', EVENT.productReviewed, [365]),
];

/** Every feature by its name. */
export const FEATURES: ReadonlyMap<string, Feature> = new Map(
  [...ORDER_FEATURES, ...RFM_FEATURES, ...COMMERCE_FEATURES].map((feature) => [
    feature.name,
    feature,
  ]),
);

/** The horizon of the score `order-30d`, in days. */
export const ORDER_HORIZON_DAYS = 30;

/** The rows that a feature is computed from, as of a moment. */
export function featureRows(
  { formula, windowDays }: Feature,
  rows: readonly WarehouseRow[],
  asOfMs: number,
): WarehouseRow[] {
  const since = windowDays === null ? -Infinity : asOfMs - windowDays * MS_PER_DAY;
  const human = formula.kind === 'count' && formula.human === true;
  return rows.filter(
    (row) =>
      row.line === 0 &&
      (formula.event === null || row.type === formula.event) &&
      row.atMs < asOfMs &&
      row.atMs >= since &&
      !(human && row.machine),
  );
}

/** A person's feature as of a moment; NaN where it is missing. */
export function featureOf(feature: Feature, rows: readonly WarehouseRow[], asOfMs: number): number {
  const { formula } = feature;
  const found = featureRows(feature, rows, asOfMs);
  const cents = found.reduce((sum, row) => sum + row.amount, 0);
  const times = found.map((row) => row.atMs);
  switch (formula.kind) {
    case 'count':
      return found.length;
    case 'sum':
      return Math.max(cents / 100, formula.floor ?? -Infinity);
    case 'days': {
      if (found.length === 0) return Number.NaN;
      const from = formula.from === 'first' ? Math.min(...times) : Math.max(...times);
      return (asOfMs - from) / MS_PER_DAY;
    }
    case 'gap':
      if (found.length < 2) return Number.NaN;
      return (Math.max(...times) - Math.min(...times)) / MS_PER_DAY / (found.length - 1);
    case 'mean':
      return found.length === 0 ? Number.NaN : cents / 100 / found.length;
    default:
      return formula satisfies never;
  }
}
