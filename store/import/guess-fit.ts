import type { ColumnProfile } from './guess-columns.ts';
import { nameScore } from './guess-names.ts';
import { FIELDS, type ImportKind } from './mapping.ts';
import { readNumber } from './values.ts';

/** Below this a column is not taken for a field. */
const SCORE_MIN = 0.35;

export interface Pick {
  readonly profile: ColumnProfile;
  readonly sure: number;
}

/** Fields besides those of the mapping that help to make it. */
const HELPERS: Partial<Record<ImportKind, readonly string[]>> = {
  customers: ['first', 'last'],
  orders: ['time', 'title', 'status'],
};

/** The surest pairs of a field and a column first; each column and field once. */
export function pickFields(
  kind: ImportKind,
  profiles: readonly ColumnProfile[],
): Map<string, Pick> {
  const names = [...Object.keys(FIELDS[kind]), ...(HELPERS[kind] ?? [])];
  const pairs = names.flatMap((field) =>
    profiles.map((profile) => ({ field, profile, sure: fitOf(kind, field, profile) })),
  );
  const picked = new Map<string, Pick>();
  const used = new Set<ColumnProfile>();
  for (const { field, profile, sure } of pairs.sort((a, b) => b.sure - a.sure)) {
    if (sure < SCORE_MIN || picked.has(field) || used.has(profile)) continue;
    // A price list has a price; the total of an order needs lines of its own beside it.
    picked.set(field, { profile, sure });
    used.add(profile);
  }
  if (kind === 'orders') weighMoney(picked, profiles);
  return picked;
}

export const IS_NUMBER = new Set(['quantity', 'price', 'amount', 'total', 'stock', 'rating']);
export const IS_DATE = new Set(['at', 'createdAt', 'consentAt']);

/** How well heading and values fit a field together; neither alone is enough. */
function fitOf(kind: ImportKind, field: string, profile: ColumnProfile): number {
  const name = nameScore(kind, field, profile.name);
  if (profile.values.length === 0) return name * 0.5;
  if (IS_DATE.has(field)) {
    const share = profile.dates?.share ?? 0;
    // Numbers are dates only where the heading says so.
    if (share < 0.5 || (profile.numbers > 0.9 && name < 0.5)) return 0;
    return 0.45 * share + 0.55 * name;
  }
  if (IS_NUMBER.has(field)) return profile.numbers > 0.8 ? name * (0.6 + 0.4 * profile.numbers) : 0;
  const isMoney = profile.numbers > 0.9 && profile.values.some((text) => /[.,]\d{1,2}$/.test(text));
  switch (field) {
    case 'email':
      return profile.emails > 0.3 ? 0.6 * profile.emails + 0.4 * Math.max(name, 0.5) : 0;
    case 'currency':
      return profile.currencies > 0.9 ? 0.6 + 0.4 * name : 0;
    case 'time':
      return profile.times > 0.9 ? 0.5 + 0.5 * name : 0;
    case 'country':
      return profile.countries > 0.5 ? 0.3 * profile.countries + 0.7 * name : 0;
    case 'granted':
      return profile.booleans > 0.9 ? 0.3 + 0.7 * name : 0;
    case 'customer':
      // Where there is no id, the address is one.
      return Math.max(isMoney ? 0 : name * 0.95, profile.emails > 0.8 ? 0.5 : 0);
    case 'sku':
    case 'order':
    case 'id':
      return isMoney ? 0 : name * 0.95;
    default:
      return name * 0.9;
  }
}

/** Quantity times price is the amount: where numbers say which column is which, they know better than headings. */
function weighMoney(picked: Map<string, Pick>, profiles: readonly ColumnProfile[]): void {
  const quantity = picked.get('quantity')?.profile;
  if (!quantity) return;
  const taken = new Set(
    [...picked].filter(([field]) => !IS_NUMBER.has(field)).map(([, { profile }]) => profile),
  );
  const money = profiles.filter(
    (profile) =>
      profile !== quantity &&
      !taken.has(profile) &&
      profile.numbers > 0.9 &&
      profile.distinct < 1.01,
  );
  for (const price of money) {
    for (const amount of money) {
      if (price === amount || !isProduct(quantity, price, amount)) continue;
      for (const field of ['price', 'amount', 'total']) picked.delete(field);
      picked.set('price', { profile: price, sure: 0.99 });
      picked.set('amount', { profile: amount, sure: 0.99 });
      return;
    }
  }
}

function isProduct(quantity: ColumnProfile, price: ColumnProfile, amount: ColumnProfile): boolean {
  let [hits, all] = [0, 0];
  for (const [row, text] of quantity.cells.entries()) {
    const [n, one, sum] = [text, price.cells[row]!, amount.cells[row]!].map(looseNumber);
    if (!Number.isFinite(n) || !Number.isFinite(one) || !Number.isFinite(sum)) continue;
    // A quantity of one tells nothing.
    if (Math.abs(n!) === 1 || n === 0) continue;
    all += 1;
    if (Math.abs(Math.abs(n! * one!) - Math.abs(sum!)) <= 0.011 + Math.abs(sum!) * 0.001) hits += 1;
  }
  return all >= 3 && hits / all > 0.9;
}

function looseNumber(text: string): number {
  const point = readNumber(text, '.');
  return Number.isNaN(point) || /,\d{1,2}\D*$/.test(text) ? readNumber(text, ',') : point;
}
