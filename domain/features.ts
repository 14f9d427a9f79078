/**
 * The words for what is known of a person at a moment: the store computes these columns *as of* a time (only events
 * before it count), models learn from them, and explanations speak of them. Names end in their window: `30d`, `90d`,
 * `365d`, or `All`.
 */
export interface Feature {
  readonly name: string;
  /** How to compute it, from events before the moment only. */
  readonly meaning: string;
  /** Whether it may be missing (NaN), such as the days since an order that never was. */
  readonly missing: boolean;
}

const WINDOWS = ['30d', '90d', '365d', 'All'] as const;

function counted(name: string, meaning: string, windows: readonly string[] = WINDOWS): Feature[] {
  return windows.map((window) => ({
    name: `${name}${window}`,
    meaning: `${meaning}, ${window === 'All' ? 'ever' : `within ${window}`}`,
    missing: false,
  }));
}

/** What P(order in the next 30 days) is learnt from, in the order of the columns. */
export const ORDER_FEATURES: readonly Feature[] = [
  {
    name: 'recencyDays',
    meaning: 'days since the last Order Completed, with fractions; missing where there was none',
    missing: true,
  },
  {
    name: 'tenureDays',
    meaning: 'days since the first event of any type; missing where there was none',
    missing: true,
  },
  {
    name: 'gapDays',
    meaning: 'mean days between orders: (last − first) / (orders − 1); missing below two orders',
    missing: true,
  },
  ...counted('orders', 'Order Completed events'),
  ...counted('revenue', 'sum of total of Order Completed'),
  {
    name: 'basketAll',
    meaning: 'revenueAll / ordersAll; missing where there was no order',
    missing: true,
  },
  ...counted('views', 'Product Viewed events', ['30d', '90d']),
  ...counted('carts', 'Product Added events', ['30d', '90d']),
  ...counted('refunds', 'Order Refunded events', ['365d']),
  ...counted('opens', 'Email Opened events that are not a machine’s', ['90d']),
  ...counted('clicks', 'Email Link Clicked events that are not a machine’s', ['90d']),
];

/** What customers are clustered on; only people with at least one order. */
export const RFM_FEATURES: readonly Feature[] = [
  {
    name: 'recencyDays',
    meaning: 'days since the last Order Completed, with fractions',
    missing: false,
  },
  { name: 'orders', meaning: 'Order Completed events ever', missing: false },
  {
    name: 'revenue',
    meaning: 'sum of total of Order Completed ever, at least 0',
    missing: false,
  },
];

/** The horizon of the score `order-30d`, in days. */
export const ORDER_HORIZON_DAYS = 30;
