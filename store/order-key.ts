import { EVENT } from '../domain/records.ts';
import type { LoggedEvent } from './events.ts';
import type { Queryable } from './postgres.ts';

interface Repeated {
  id: number;
  /** The event that an imported one replaces; null where the event itself is the repeat. */
  replaced: number | null;
  replacedMs: number;
  replacedType: string;
}

/**
 * Each order once, by its id: without the events that repeat an order which the log had before, and with the removal of
 * what an imported file tells better. The log keeps all of them. An import is the shop's book, so it counts whatever came
 * in; of several that came in the first counts. Refunds that came in are kept, since an order may have several.
 */
export async function eachOrderOnce(
  db: Queryable,
  events: readonly LoggedEvent[],
): Promise<LoggedEvent[]> {
  const orders = events.filter(
    ({ type, properties }) =>
      (type === EVENT.orderCompleted || type === EVENT.orderRefunded) &&
      typeof properties['orderId'] === 'string' &&
      properties['orderId'] !== '',
  );
  if (orders.length === 0) return [...events];
  const { rows } = await db.query<Repeated>(
    `select id, replaced, (extract(epoch from replaced_at) * 1000)::double precision as "replacedMs",
       replaced_type as "replacedType"
     from repeated_orders($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[])`,
    [
      orders.map(({ id }) => id),
      orders.map(({ xid }) => xid),
      orders.map(({ type }) => type),
      orders.map(({ properties }) => properties['orderId']),
      orders.map(({ messageId }) => /^(?:order|refund):/.test(messageId)),
    ],
  );
  if (rows.length === 0) return [...events];
  const repeats = new Set(rows.filter(({ replaced }) => replaced === null).map(({ id }) => id));
  const kept = events.filter(({ id }) => !repeats.has(id));
  const replaced = rows.filter((row) => row.replaced !== null);
  if (replaced.length === 0) return kept;
  const times = replaced.map(({ replacedMs }) => replacedMs);
  const last = events.at(-1)!;
  return [
    ...kept,
    {
      ...last,
      type: EVENT.eventsSuperseded,
      personId: null,
      properties: {
        ids: [...new Set(replaced.map((row) => row.replaced!))],
        people: [],
        types: [...new Set(replaced.map(({ replacedType }) => replacedType))],
        fromMs: Math.floor(Math.min(...times)),
        toMs: Math.ceil(Math.max(...times)),
      },
    },
  ];
}
