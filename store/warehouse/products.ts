import type { Db } from '../postgres.ts';
import type { Warehouse } from './client.ts';

/** How many products a mail shows, and how many favourite categories of a person they come from. */
const SHOWN = 4;
const CATEGORIES = 2;
/** A purchase tells as much of a taste as this many views. */
const PURCHASE_WEIGHT = 5;
/** Tastes change: what was looked at this many days ago counts half. */
const HALF_LIFE_DAYS = 90;

/**
 * Products for each of these people, best first: the best sellers in stock of the categories that they bought and viewed
 * most, without what they have bought; of all categories where nothing is known of them. One warehouse query for the
 * batch. Real recommenders take this place later.
 */
export async function chooseProducts(
  { db, warehouse }: { db: Db; warehouse: Warehouse },
  personIds: readonly number[],
  nowMs: number,
): Promise<Map<number, string[]>> {
  if (personIds.length === 0) return new Map();
  const ids = [...personIds];
  const [tastes, bought, sellers] = await Promise.all([
    warehouse.query<{ personId: number; category: string }>(
      `SELECT person_id AS personId, category FROM event
       WHERE person_id IN {ids:Array(UInt64)} AND type IN ('Product Viewed', 'Product Purchased') AND category != ''
         AND at < fromUnixTimestamp64Milli({now:Int64})
       GROUP BY personId, category
       ORDER BY personId, sum(if(type = 'Product Purchased', ${PURCHASE_WEIGHT}, 1)
         * exp2(-dateDiff('day', at, fromUnixTimestamp64Milli({now:Int64})) / ${HALF_LIFE_DAYS})) DESC, category
       LIMIT ${CATEGORIES} BY personId`,
      { ids, now: Math.floor(nowMs) },
    ),
    warehouse.query<{ personId: number; sku: string }>(
      `SELECT DISTINCT person_id AS personId, sku FROM event
       WHERE person_id IN {ids:Array(UInt64)} AND type = 'Product Purchased'
         AND at < fromUnixTimestamp64Milli({now:Int64})`,
      { ids, now: Math.floor(nowMs) },
    ),
    bestSellers({ db, warehouse }, nowMs),
  ]);
  const tastesOf = groupBy(tastes, (row) => row.category);
  const boughtOf = groupBy(bought, (row) => row.sku);
  const chosen = new Map<number, string[]>();
  for (const id of ids) {
    const known = new Set(boughtOf.get(id));
    const wanted = (tastesOf.get(id) ?? []).flatMap((category) =>
      (sellers.byCategory.get(category) ?? []).filter((sku) => !known.has(sku)).slice(0, SHOWN),
    );
    const filled = new Set([
      ...interleave(wanted, SHOWN),
      ...sellers.all.filter((sku) => !known.has(sku)),
    ]);
    chosen.set(id, [...filled].slice(0, SHOWN));
  }
  return chosen;
}

/** Alternates between the favourite category and the second one, two by two. */
function interleave(skus: readonly string[], shown: number): string[] {
  return skus.slice(0, Math.ceil(shown / 2)).concat(skus.slice(shown, shown + shown / 2), skus);
}

function groupBy<T extends { personId: number }>(
  rows: readonly T[],
  value: (row: T) => string,
): Map<number, string[]> {
  const groups = new Map<number, string[]>();
  for (const row of rows) {
    const group = groups.get(Number(row.personId));
    if (group) group.push(value(row));
    else groups.set(Number(row.personId), [value(row)]);
  }
  return groups;
}

interface Sellers {
  all: string[];
  byCategory: ReadonlyMap<string, string[]>;
}

/** Enough for anyone who has bought some of them already. */
const SELLERS_MAX = 40;

/** What sold most in the last 90 days and is in stock, by category. */
async function bestSellers(
  { db, warehouse }: { db: Db; warehouse: Warehouse },
  nowMs: number,
): Promise<Sellers> {
  const sold = await warehouse.query<{ sku: string; category: string }>(
    `SELECT sku, any(category) AS category FROM event
     WHERE type = 'Product Purchased' AND sku != '' AND at < fromUnixTimestamp64Milli({now:Int64})
       AND at >= fromUnixTimestamp64Milli({now:Int64}) - INTERVAL 90 DAY
     GROUP BY sku ORDER BY sum(quantity) DESC, sku LIMIT ${SELLERS_MAX} BY category`,
    { now: Math.floor(nowMs) },
  );
  const { rows } = await db.query<{ sku: string }>(
    'select sku from product where sku = any ($1) and (stock is null or stock > 0)',
    [sold.map((row) => row.sku)],
  );
  const inStock = new Set(rows.map((row) => row.sku));
  const byCategory = new Map<string, string[]>();
  for (const { sku, category } of sold) {
    if (!inStock.has(sku)) continue;
    const list = byCategory.get(category);
    if (list) list.push(sku);
    else byCategory.set(category, [sku]);
  }
  return { all: sold.map((row) => row.sku).filter((sku) => inStock.has(sku)), byCategory };
}
