import { EVENT } from '../../domain/records.ts';
import { eventToPerson, eventToRows } from '../../domain/warehouse-rows.ts';
import { type LoggedEvent, type LogPosition, readLog } from '../events.ts';
import { eachOrderOnce } from '../order-key.ts';
import type { Db } from '../postgres.ts';
import { expandSettled, projectorPosition } from '../projector.ts';
import type { Warehouse } from './client.ts';

/** What one day holds: events, the rows that stand for them, and the cents of all rows. */
export interface DayCount {
  readonly events: number;
  readonly rows: number;
  readonly cents: number;
}

/** A day on which the warehouse does not hold what the log says. */
export interface DayDifference {
  readonly day: string;
  readonly log: DayCount;
  readonly warehouse: DayCount;
}

const STEP = 20_000;
const NONE: DayCount = { events: 0, rows: 0, cents: 0 };

/**
 * Compares the warehouse with the log, day by day (UTC, of the event's own time): the log is read again as the projector
 * reads it, and counted instead of copied. Meant for a moment at which no events come in.
 */
export async function compareDays(
  db: Db,
  warehouse: Warehouse,
  onProgress: (events: number) => void = () => {},
): Promise<{ days: number; events: number; differences: DayDifference[] }> {
  const log = await expectedDays(db, await projectorPosition(db), onProgress);
  const held = await heldDays(warehouse);
  const days = [...new Set([...log.keys(), ...held.keys()])].sort();
  const differences = days.flatMap((day): DayDifference[] => {
    const [expected, found] = [log.get(day) ?? NONE, held.get(day) ?? NONE];
    const isSame =
      expected.events === found.events &&
      expected.rows === found.rows &&
      expected.cents === found.cents;
    return isSame ? [] : [{ day, log: expected, warehouse: found }];
  });
  const events = [...log.values()].reduce((sum, day) => sum + day.events, 0);
  return { days: days.length, events, differences };
}

async function heldDays(warehouse: Warehouse): Promise<Map<string, DayCount>> {
  const rows = await warehouse.query<DayCount & { day: string }>(
    `SELECT toString(toDate(at)) AS day, countIf(line = 0) AS events, count() AS rows, toInt64(sum(amount) * 100) AS cents
     FROM event GROUP BY day`,
  );
  return new Map(rows.map(({ day, ...count }) => [day, count]));
}

async function expectedDays(
  db: Db,
  upTo: LogPosition,
  onProgress: (events: number) => void,
): Promise<Map<string, DayCount>> {
  const days = new Map<string, DayCount>();
  const gone = new Set<number>();
  const count = (event: LoggedEvent, sign: 1 | -1): void => {
    if (eventToPerson(event) || NOT_COPIED.has(event.type)) return;
    for (const row of eventToRows(event)) {
      const day = new Date(row.atMs).toISOString().slice(0, 10);
      const { events, rows, cents } = days.get(day) ?? NONE;
      days.set(day, {
        events: events + (row.line === 0 ? sign : 0),
        rows: rows + sign,
        cents: cents + sign * row.amount,
      });
    }
  };
  let read = 0;
  for (let at: LogPosition = { xid: '0', id: 0 }; ;) {
    const events = await readLog(db, at, STEP, upTo);
    if (events.length === 0) return days;
    const told = await eachOrderOnce(db, events);
    const kept = new Set(told.map(({ id }) => id));
    for (const { id } of events) if (!kept.has(id)) gone.add(id);
    for (const event of told.flatMap(expandSettled)) count(event, 1);
    const replaced = told
      .filter(({ type }) => type === EVENT.eventsSuperseded)
      .flatMap(({ properties }) => properties['ids'] as number[]);
    const ids = [...new Set(replaced)].filter((id) => !gone.has(id));
    for (const id of ids) gone.add(id);
    for (const event of await eventsById(db, ids)) count(event, -1);
    at = events.at(-1)!;
    read += events.length;
    onProgress(read);
  }
}

/** Rows of the log that say what happens to others. */
const NOT_COPIED: ReadonlySet<string> = new Set([
  EVENT.eventsMoved,
  EVENT.personMerged,
  EVENT.eventsSuperseded,
]);

async function eventsById(db: Db, ids: readonly number[]): Promise<LoggedEvent[]> {
  if (ids.length === 0) return [];
  const { rows } = await db.query<LoggedEvent>(
    `select id, xid::text as xid, message_id as "messageId", type, person_id as "personId",
       (extract(epoch from at) * 1000)::double precision as "atMs", properties from event where id = any ($1)`,
    [ids],
  );
  return rows;
}
