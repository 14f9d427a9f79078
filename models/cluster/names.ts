import type { Matrix } from '../matrix.ts';
import { columnIndex, columnOf } from '../matrix.ts';

/** The three columns that a clustering of customers is made on, and named by (RFM_FEATURES of the domain). */
export const RFM = ['recencyDays', 'orders', 'revenue'] as const;

/** What "recent", "often" and "much" mean in this shop. */
export interface Yardstick {
  /** Days since the last order: up to `recent` a customer is active, beyond `lapsed` gone, quiet between. */
  readonly recent: number;
  readonly lapsed: number;
  /** Orders that only a third of the customers exceeds. */
  readonly often: number;
  /** Revenue that two thirds, half and a third of the customers exceed. */
  readonly little: number;
  readonly median: number;
  readonly much: number;
}

/**
 * Measures the shop by its own customers, within what any shop would agree to: at a grocer nobody is "lapsed" after
 * ten days, and at a shop for gifts nobody is "active" who last came 200 days ago, however the others behave.
 */
export function yardstickOf(X: Matrix): Yardstick {
  const quantile = (name: string, share: number): number => {
    const sorted = columnOf(X, columnIndex(X.names, name)).sort();
    return sorted[Math.floor(share * (sorted.length - 1))]!;
  };
  return {
    recent: clamp(quantile('recencyDays', 1 / 3), 14, 60),
    lapsed: clamp(quantile('recencyDays', 0.6), 30, 120),
    often: Math.max(3, quantile('orders', 2 / 3)),
    little: quantile('revenue', 1 / 3),
    median: quantile('revenue', 1 / 2),
    much: quantile('revenue', 2 / 3),
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

interface Centre {
  readonly recencyDays: number;
  readonly orders: number;
  readonly revenue: number;
}

/**
 * A name for each cluster, in a marketer's words, by where its centre lies among the shop's customers: when they
 * ordered last, how often, for how much. All names differ: where several centres deserve the same words, the others
 * are told apart from the first by what sets them off most. Centres come with the largest cluster first.
 */
export function nameClusters(centres: Matrix, yardstick: Yardstick): string[] {
  const [recency, orders, revenue] = RFM.map((name) =>
    columnOf(centres, columnIndex(centres.names, name)),
  );
  const all = Array.from({ length: centres.rows }, (_, c) => ({
    recencyDays: recency![c]!,
    orders: orders![c]!,
    revenue: revenue![c]!,
  }));
  const plain = all.map((centre) => plainName(centre, yardstick));
  const names = [...plain];
  for (const shared of new Set(plain)) {
    const group = all.flatMap((_, c) => (plain[c] === shared ? [c] : []));
    if (group.length > 1) tellApart(group, all, names);
  }
  return names;
}

function plainName({ recencyDays, orders, revenue }: Centre, yardstick: Yardstick): string {
  const { recent, lapsed, often, little, median, much } = yardstick;
  // The centre of those who ordered once is a little above 1, since a few others are among them.
  if (orders < 1.5) {
    const who = revenue > much ? 'one-time high spenders' : 'one-time buyers';
    if (recencyDays <= recent) return `new ${who}`;
    return recencyDays <= lapsed ? `${who} going quiet` : `lapsed ${who}`;
  }
  if (recencyDays <= recent) {
    if (revenue > much) return orders > often ? 'loyal high spenders' : 'active high spenders';
    if (revenue <= little) return 'active small spenders';
    return orders > often ? 'loyal regulars' : 'active regulars';
  }
  if (recencyDays <= lapsed) {
    const who = revenue > much ? 'high spenders' : revenue > little ? 'regulars' : 'small spenders';
    return `${who} going quiet`;
  }
  // Who left had less time to spend, so more than the median is much.
  return revenue > median ? 'lapsed high spenders' : 'lapsed small spenders';
}

const COMPARED = [
  { key: 'revenue', most: 'spent most', least: 'spent least', about: 'spent about' },
  { key: 'orders', most: 'most orders', least: 'fewest orders', about: 'orders about' },
  { key: 'recencyDays', most: 'longest ago', least: 'most recent', about: 'days ago about' },
] as const;

/**
 * Tells clusters of one name apart by the column in which they differ by the largest factor. The first, which is the
 * largest, keeps the plain name: a campaign that asks for "lapsed high spenders" finds them in every clustering that
 * has any.
 */
function tellApart(group: readonly number[], all: readonly Centre[], names: string[]): void {
  const spread = (key: keyof Centre): number => {
    const values = group.map((c) => Math.log1p(Math.max(0, all[c]![key])));
    return Math.max(...values) - Math.min(...values);
  };
  const by = COMPARED.reduce((best, next) => (spread(next.key) > spread(best.key) ? next : best));
  const ranked = group.toSorted((a, b) => all[b]![by.key] - all[a]![by.key]);
  const used = new Set<string>();
  ranked.forEach((c, rank) => {
    if (c === group[0]) return;
    let sign: string = by.most;
    if (rank === ranked.length - 1) sign = by.least;
    else if (rank > 0) sign = `${by.about} ${Math.round(all[c]![by.key])}`;
    // Two centres may round to the same number.
    if (used.has(sign)) sign += `, no. ${rank + 1}`;
    used.add(sign);
    names[c] += ` (${sign})`;
  });
}
