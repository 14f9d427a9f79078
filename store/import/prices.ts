import type { Db } from '../postgres.ts';

/**
 * Gives products without a price the median of what was paid for a piece in orders before the shop clock: what is at or
 * after it has not happened yet. Returns how many got one.
 */
export async function priceBySales(db: Db): Promise<number> {
  const { rowCount } = await db.query(
    `update product set price = paid.price, updated_at = clock_timestamp()
     from (
       select line.value ->> 'sku' as sku,
         percentile_disc(0.5) within group (order by (line.value ->> 'price')::numeric) as price
       from event, jsonb_array_elements(event.properties -> 'products') as line
       where event.type = 'Order Completed' and event.at < shop_now()
         and (line.value ->> 'price')::numeric between 0.005 and 9999999999
       group by 1
     ) as paid
     where product.sku = paid.sku and product.price = 0`,
  );
  return rowCount ?? 0;
}
