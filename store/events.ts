import type { Db, Queryable } from './postgres.ts';
import { transaction } from './postgres.ts';
import { type CopyValue, copyInto } from './copy.ts';

/** An event on its way into the log; the person is our own id. Times are shop time. */
export interface NewEvent {
  messageId: string;
  type: string;
  personId: number | null;
  atMs: number;
  properties: Record<string, unknown>;
}

export interface LoggedEvent extends NewEvent {
  id: number;
  xid: string;
}

/** Appends events; acknowledged on commit. An id that is known already is not written again. Returns what was new. */
export async function appendEvents(db: Queryable, events: readonly NewEvent[]): Promise<number> {
  if (events.length === 0) return 0;
  const { rowCount } = await db.query(
    `insert into event (message_id, type, person_id, at, properties)
     select m, t, p, to_timestamp(a / 1000.0), j::jsonb
     from unnest($1::text[], $2::text[], $3::bigint[], $4::double precision[], $5::text[]) as x (m, t, p, a, j)
     on conflict (message_id) do nothing`,
    [
      events.map((event) => event.messageId),
      events.map((event) => event.type),
      events.map((event) => event.personId),
      events.map((event) => event.atMs),
      events.map((event) => JSON.stringify(event.properties)),
    ],
  );
  return rowCount ?? 0;
}

/** Events of one transaction of a load: large enough for COPY, small enough that the projector follows meanwhile. */
const LOAD_CHUNK = 40_000;

/**
 * Loads many events by COPY, a transaction for every 40,000 of them; known ids are skipped, so an interrupted load is
 * simply done again. `onProgress` hears how many were read.
 */
export async function loadEvents(
  db: Db,
  batches: Iterable<NewEvent[]> | AsyncIterable<NewEvent[]>,
  onProgress: (count: number) => void = () => {},
): Promise<{ read: number; added: number }> {
  const total = { read: 0, added: 0 };
  let chunk: NewEvent[] = [];
  let writing: Promise<void> = Promise.resolve();
  // One chunk is written while the next is read; a failure is thrown at the next turn.
  const flush = async (): Promise<void> => {
    await writing;
    if (chunk.length === 0) return;
    const full = chunk;
    chunk = [];
    writing = loadChunk(db, full).then((added) => {
      total.added += added;
      total.read += full.length;
      onProgress(total.read);
    });
    writing.catch(() => {});
  };
  for await (const batch of batches) {
    chunk.push(...batch);
    if (chunk.length >= LOAD_CHUNK) await flush();
  }
  await flush();
  await writing;
  return total;
}

function loadChunk(db: Db, events: readonly NewEvent[]): Promise<number> {
  return transaction(db, async (tx) => {
    await tx.query(`create temporary table staging (
      message_id text, type text, person_id bigint, at timestamptz, properties jsonb) on commit drop`);
    await copyInto(tx, 'staging (message_id, type, person_id, at, properties)', eventRows(events));
    const { rowCount } = await tx.query(
      `insert into event (message_id, type, person_id, at, properties)
       select message_id, type, person_id, at, properties from staging on conflict (message_id) do nothing`,
    );
    return rowCount ?? 0;
  });
}

function* eventRows(events: readonly NewEvent[]): Generator<readonly CopyValue[]> {
  for (const { messageId, type, personId, atMs, properties } of events) {
    yield [messageId, type, personId, new Date(atMs).toISOString(), JSON.stringify(properties)];
  }
}

/** Where a reader of the log stands: all rows up to and including (xid, id) have been read. */
export interface LogPosition {
  xid: string;
  id: number;
}

/**
 * The next rows of the log in commit-safe order. Only rows of transactions that ended before every transaction that is
 * still running are visible here, so none can appear behind the position later.
 */
export async function readLog(
  db: Queryable,
  after: LogPosition,
  limit: number,
  upTo?: LogPosition,
): Promise<LoggedEvent[]> {
  const { rows } = await db.query<{
    id: number;
    xid: string;
    message_id: string;
    type: string;
    person_id: number | null;
    at_ms: number;
    properties: Record<string, unknown>;
  }>(
    `select id, xid::text as xid, message_id, type, person_id,
       (extract(epoch from at) * 1000)::double precision as at_ms, properties
     from event
     where (xid, id) > ($1::text::xid8, $2::bigint)
       and ($4::text is null or (xid, id) <= ($4::text::xid8, $5::bigint))
       and xid < pg_snapshot_xmin(pg_current_snapshot())
     order by event.xid, event.id limit $3`,
    [after.xid, after.id, limit, upTo?.xid ?? null, upTo?.id ?? null],
  );
  return rows.map((row) => ({
    id: row.id,
    xid: row.xid,
    messageId: row.message_id,
    type: row.type,
    personId: row.person_id,
    atMs: row.at_ms,
    properties: row.properties,
  }));
}

/** How many rows a reader at `after` has still to read, as of now; counted at most to `limit`. */
export async function logBacklog(
  db: Queryable,
  after: LogPosition,
  limit = 10_000,
): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    `select count(*) as n from (select 1 from event
       where (xid, id) > ($1::text::xid8, $2::bigint) limit $3) x`,
    [after.xid, after.id, limit],
  );
  return rows[0]!.n;
}
