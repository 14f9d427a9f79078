import { hash } from 'node:crypto';
import { MS_PER_DAY } from '../domain/clock.ts';
import { copyLine, copyText } from './copy.ts';
import { type Db, type Queryable, type Tx, transaction } from './postgres.ts';

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

/** An event as a line of COPY, with the key of its message id. */
export interface LogLine {
  /** {@link messageKey} of the event's message id. */
  key: string;
  /** {@link LOG_COLUMNS} in COPY's text format. */
  line: string;
}

const LOG_COLUMNS = 'event (message_id, type, person_id, at, properties)';

/**
 * What stands for a message id where repeats are recognised: the first 128 bits of its SHA-256, as a uuid's hexadecimal
 * digits; the same as `message_key_of` in SQL.
 */
export function messageKey(messageId: string): string {
  return hash('sha256', messageId, 'hex').slice(0, 32);
}

let dayNumber = Number.NaN;
let dayText = '';

/** As `toISOString`, five times as fast where instants of one day follow each other. */
export function isoOf(atMs: number): string {
  const whole = Math.floor(atMs);
  const day = Math.floor(whole / MS_PER_DAY);
  if (day !== dayNumber) {
    dayNumber = day;
    dayText = new Date(whole).toISOString().slice(0, 11);
  }
  const ms = whole - day * MS_PER_DAY;
  const two = (value: number): string => (value < 10 ? `0${value}` : `${value}`);
  const seconds = Math.floor(ms / 1_000);
  const rest = `${1_000 + (ms - seconds * 1_000)}`.slice(1);
  return `${dayText}${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${rest}Z`;
}

/** {@link LOG_COLUMNS} of one event. */
export function logLine(event: NewEvent): string {
  const { messageId, type, personId, atMs, properties } = event;
  return copyLine([messageId, type, personId, isoOf(atMs), JSON.stringify(properties)]);
}

/**
 * Writes lines into the log in the caller's transaction, each message id once; returns the keys that were new. `days` is
 * how long a repeated id is known (null: for ever). The keys are copied straight into their table, since almost always
 * all of them are new (10 µs a row by INSERT … ON CONFLICT, 5 µs by COPY, measured); where one is not, that copy is
 * undone and done again by INSERT … ON CONFLICT.
 */
export async function writeLog(
  tx: Tx,
  lines: readonly LogLine[],
  days: number | null,
): Promise<Set<string>> {
  if (lines.length === 0) return new Set();
  // Of two with one id the first counts. Sorted, so that two writers wait for each other in one order only.
  const fresh = await claimKeys(tx, [...new Set(lines.map(({ key }) => key))].sort(), days);
  let text: string;
  if (fresh.size === lines.length) {
    text = lines.map(({ line }) => line).join('');
  } else {
    const left = new Set(fresh);
    text = lines.map(({ key, line }) => (left.delete(key) ? line : '')).join('');
  }
  if (text !== '') await copyText(tx, LOG_COLUMNS, text);
  return fresh;
}

const UNIQUE_VIOLATION = '23505';

async function claimKeys(
  tx: Tx,
  keys: readonly string[],
  days: number | null,
): Promise<Set<string>> {
  const expires = days === null ? null : dayAfter(days);
  await tx.query('savepoint keys');
  try {
    const end = `\t${expires ?? '\\N'}\n`;
    await copyText(tx, 'message_key (key, expires)', keys.join(end) + end);
    await tx.query('release savepoint keys');
    return new Set(keys);
  } catch (error) {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
  }
  await tx.query('rollback to savepoint keys');
  const { rows } = await tx.query<{ key: string }>(
    `insert into message_key (key, expires) select k, $2::date from unnest($1::uuid[]) as x (k)
     on conflict do nothing returning replace(key::text, '-', '') as key`,
    [keys, expires],
  );
  return new Set(rows.map((row) => row.key));
}

/** The last day of a window, by this machine's clock: a window is days long, clocks differ by seconds. */
function dayAfter(days: number): string {
  return new Date(Date.now() + days * MS_PER_DAY).toISOString().slice(0, 10);
}

/** Appends events; acknowledged on commit. An id that is known already is not written again. Returns what was new. */
export async function appendEvents(db: Queryable, events: readonly NewEvent[]): Promise<number> {
  if (events.length === 0) return 0;
  const { rowCount } = await db.query(
    `with given as materialized (
       select distinct on (k) k::uuid as key, m, t, p, a, j, n
       from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::double precision[], $6::text[])
         with ordinality as x (k, m, t, p, a, j, n) order by k, n),
     fresh as (insert into message_key (key) select key from given on conflict do nothing returning key)
     insert into event (message_id, type, person_id, at, properties)
     select m, t, p, to_timestamp(a / 1000.0), j::jsonb from given join fresh using (key) order by n`,
    [
      events.map((event) => messageKey(event.messageId)),
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
  let chunk: LogLine[] = [];
  let writing: Promise<void> = Promise.resolve();
  // One chunk is written while the next is read; a failure is thrown at the next turn.
  const flush = async (): Promise<void> => {
    await writing;
    if (chunk.length === 0) return;
    const full = chunk;
    chunk = [];
    writing = transaction(db, (tx) => writeLog(tx, full, null)).then((fresh) => {
      total.added += fresh.size;
      total.read += full.length;
      onProgress(total.read);
    });
    writing.catch(() => {});
  };
  for await (const batch of batches) {
    for (const event of batch) {
      chunk.push({ key: messageKey(event.messageId), line: logLine(event) });
    }
    if (chunk.length >= LOAD_CHUNK) await flush();
  }
  await flush();
  await writing;
  return total;
}

/** Forgets the ids whose window has ended, and makes the log's partitions of the coming months. For a daily run. */
export async function keepLog(db: Queryable): Promise<{ forgotten: number; months: number }> {
  const gone = await db.query('delete from message_key where expires < current_date');
  const { rows } = await db.query<{ months: number }>('select make_event_months() as months');
  return { forgotten: gone.rowCount ?? 0, months: rows[0]!.months };
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
