import { EVENT } from '../domain/records.ts';
import type { Tx } from './postgres.ts';

/** An event whose person changed. */
interface MovedEvent {
  id: number;
  type: string;
  at_ms: number;
}

/** Events of one row of the log that tells of a move. */
const MOVED_PER_ROW = 500;

/** Gives events another person (null: none); `where` is our own text, with its values from $2 on. */
export async function moveEvents(
  tx: Tx,
  where: string,
  toId: number | null,
  values: readonly unknown[],
): Promise<MovedEvent[]> {
  const { rows } = await tx.query<MovedEvent>(
    `update event set person_id = $1 where ${where} and type <> '${EVENT.traitsChanged}'
     returning id, type, floor(extract(epoch from at) * 1000)::double precision as at_ms`,
    [toId, ...values],
  );
  return rows.sort((a, b) => a.id - b.id);
}

/**
 * Tells the warehouse, by the log: these events are another person's now. Types and times are there so that the
 * warehouse finds the rows by its order.
 */
export async function tellOfMove(
  tx: Tx,
  fromId: number | null,
  toId: number | null,
  moved: readonly MovedEvent[],
): Promise<void> {
  for (let start = 0; start < moved.length; start += MOVED_PER_ROW) {
    const part = moved.slice(start, start + MOVED_PER_ROW);
    const times = part.map((event) => event.at_ms);
    await tx.query(
      `insert into event (message_id, type, person_id, at, properties)
       values (format('moved:%s:%s:%s', pg_current_xact_id(), $1::bigint, $2::bigint), '${EVENT.eventsMoved}', null,
         shop_now(), $3)`,
      [
        part[0]!.id,
        toId,
        JSON.stringify({
          from: fromId ?? 0,
          to: toId ?? 0,
          ids: part.map((event) => event.id),
          types: [...new Set(part.map((event) => event.type))],
          fromMs: Math.min(...times),
          toMs: Math.max(...times),
        }),
      ],
    );
  }
}

/** Tells the warehouse that a person went into another one and is no member of anything any more. */
export async function tellOfMerge(tx: Tx, fromId: number, intoId: number): Promise<void> {
  await tx.query(
    `insert into event (message_id, type, person_id, at, properties)
     values (format('merged:%s:%s', pg_current_xact_id(), $1::bigint), '${EVENT.personMerged}', null, shop_now(),
       jsonb_build_object('from', $1::bigint, 'into', $2::bigint))`,
    [fromId, intoId],
  );
}
