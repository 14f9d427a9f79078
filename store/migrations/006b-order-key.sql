-- One order may be told twice, by the shop's pages or server and by an imported file. Its id is its natural key.
create index event_order on event ((properties ->> 'orderId')) where type in ('Order Completed', 'Order Refunded');

-- Of these events of orders (the log's ids, positions and order ids), those that tell of one that is known: an order that
-- came in while it was in the log already. An imported one (message ids `order:…` and `refund:…`) always counts; what came
-- in before it about the same order is given back in `replaced`, with its time. Only rows before each event are looked at, so
-- that the answer is the same whenever it is asked. Always by the index: the planner cannot know how few rows an order has.
create function repeated_orders(p_ids bigint[], p_xids text[], p_types text[], p_orders text[], p_imported boolean[])
returns table (id bigint, replaced bigint, replaced_at timestamptz, replaced_type text)
language sql stable set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  select g.id, case when g.imported then o.id end, o.at, o.type
  from unnest(p_ids, p_xids, p_types, p_orders, p_imported) as g (id, xid, type, order_id, imported)
  join event o on o.properties ->> 'orderId' = g.order_id and o.type = g.type
    and o.type in ('Order Completed', 'Order Refunded') and (o.xid, o.id) < (g.xid::xid8, g.id)
  where case when g.imported then o.message_id not like 'order:%' and o.message_id not like 'refund:%'
    else g.type = 'Order Completed' end
$$;
