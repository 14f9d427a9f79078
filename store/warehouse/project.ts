import { EVENT } from '../../domain/records.ts';
import {
  ERASED_KEEPS,
  type EventOfLog,
  eventToErasure,
  eventToMove,
  eventToPerson,
  eventToRows,
  type WarehousePerson,
  type WarehouseRow,
} from '../../domain/warehouse-rows.ts';
import type { RemovedEvents, Warehouse } from './client.ts';

/** Rows of one insert: a few megabytes, and one part of the table. */
const ROWS_PER_INSERT = 50_000;

/**
 * Writes a batch of the log into the warehouse, exactly once however often it is called with the same events and the
 * same token: a later version of a person replaces an earlier one, and the n-th insert of a token is remembered.
 */
export async function projectEvents(
  warehouse: Warehouse,
  events: readonly EventOfLog[],
  token: string,
): Promise<void> {
  // People's traits stand in their own table; who is who, and what a corrected import replaces, comes below.
  const people: WarehousePerson[] = [];
  const happenings: EventOfLog[] = [];
  for (const event of events) {
    const person = eventToPerson(event);
    if (person) people.push(person);
    else if (!isIdentity(event) && event.type !== EVENT.eventsSuperseded) happenings.push(event);
  }
  for (let from = 0; from < people.length; from += ROWS_PER_INSERT) {
    await warehouse.upsertPeople(people.slice(from, from + ROWS_PER_INSERT));
  }
  let rows: WarehouseRow[] = [];
  let inserts = 0;
  const flush = async (): Promise<void> => {
    if (rows.length === 0) return;
    inserts += 1;
    await warehouse.insertEvents(rows, `${token}/${inserts}`);
    rows = [];
  };
  for (const event of happenings) {
    rows.push(...eventToRows(event));
    if (rows.length >= ROWS_PER_INSERT) await flush();
  }
  await flush();
  await projectIdentities(warehouse, events);
  // Events that a corrected import replaces; gone twice is gone.
  for (const { type, properties } of events) {
    if (type !== EVENT.eventsSuperseded) continue;
    await warehouse.removeEvents(properties as unknown as RemovedEvents);
  }
}

const isIdentity = ({ type }: EventOfLog): boolean =>
  type === EVENT.eventsMoved || type === EVENT.personMerged || type === EVENT.personErased;

/**
 * Moves of events to another person, after the rows of their batch are in: each names the very events that it moves and
 * whose they were, so that done again it changes nothing.
 */
async function projectIdentities(
  warehouse: Warehouse,
  events: readonly EventOfLog[],
): Promise<void> {
  for (const event of events) {
    if (!isIdentity(event)) continue;
    const move = eventToMove(event);
    const erased = eventToErasure(event);
    if (erased) await warehouse.forgetPeople(erased, ERASED_KEEPS);
    else if (move) await warehouse.moveEvents(move);
    else await warehouse.dropPeople([event.properties.from as number], event.id);
  }
}
