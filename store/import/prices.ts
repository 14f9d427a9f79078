import type { Db } from '../postgres.ts';

/**
 * Gives products without a price the median of what was paid for a piece in orders before the shop clock: what is at or
 * after it has not happened yet. Returns how many got one.
 */
export async function priceBySales(db: Db): Promise<number> {
  const { rowCount } = await db.query(
    `update product set price = paid.price, updated_at = clock_timestamp()
     from (
       select line.sku, percentile_disc(0.5) within group (order by line.price) as price
       from event,
         jsonb_to_recordset(case jsonb_typeof(properties -> 'products') when 'array'
           then properties -> 'products' else '[]' end) as line (sku text collate "C", price double precision)
       where event.type = 'Order Completed' and event.at < shop_now() and line.price between 0.005 and 9999999999
         and not exists (select from event_superseded s where s.event_id = event.id)
       group by 1
     ) as paid
     where product.sku = paid.sku collate "C" and product.price = 0`,
  );
  return rowCount ?? 0;
}
