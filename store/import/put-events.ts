import { hash as digest } from 'node:crypto';
import { EVENT } from '../../domain/records.ts';
import { copyLine, copyText } from '../copy.ts';
import { messageKey } from '../events.ts';
import { type Db, type Tx, transaction } from '../postgres.ts';

/** An event of a file, ready for the log. */
export interface LoadEvent {
  /** By the record's natural key: the same from every file that tells of it. */
  readonly messageId: string;
  readonly type: string;
  readonly externalId: string | null;
  readonly atMs: number;
  /** The properties, as JSON. */
  readonly json: string;
  /** What must differ for the record to be changed; null where the message id says it all. */
  readonly content: string | null;
  /** Message id of the other half of an order, which the file does not have: it is taken back where it was there. */
  readonly sibling?: string | undefined;
  /** The file has both halves of the order. */
  readonly paired?: boolean | undefined;
  /** An earlier row of the same import seems to have this id; then that one counts. */
  readonly repeated?: boolean | undefined;
}

export interface PutRecords {
  added: number;
  changed: number;
  unchanged: number;
  /** Taken back, since the corrected file has only the other half of the order. */
  withdrawn: number;
  /** Repeats within the import that say something else than the first. */
  contradictions: number;
}

interface Known {
  key: string;
  hash: string | null;
  revision: number;
  paired: boolean;
  xid: string;
}

interface Part {
  readonly event: LoadEvent;
  readonly key: string;
  readonly hash: string;
}

interface Changed extends Part {
  readonly was: Known;
}

/**
 * Writes records into the log in one transaction. One that is known is not written again; one that says something else
 * than before is logged as a further revision, and the event before it is marked as superseded and told to the
 * warehouse.
 */
export async function putRecords(
  db: Db,
  events: readonly LoadEvent[],
  personOf: (event: LoadEvent) => number | null,
): Promise<PutRecords> {
  for (let left = ATTEMPTS; ; left -= 1) {
    try {
      return await putOnce(db, events, personOf);
    } catch (error) {
      if (left === 1 || !isLostRace(error)) throw error;
    }
  }
}

/** Two imports, or two parts of one, may write the same record at once: whoever is later looks again. */
const ATTEMPTS = 5;
class LostRace extends Error {}

function isLostRace(error: unknown): boolean {
  const { code, table } = error as { code?: string; table?: string };
  return (
    error instanceof LostRace || code === '40P01' || (code === '23505' && table === 'import_record')
  );
}

async function putOnce(
  db: Db,
  events: readonly LoadEvent[],
  personOf: (event: LoadEvent) => number | null,
): Promise<PutRecords> {
  const result = { added: 0, changed: 0, unchanged: 0, withdrawn: 0, contradictions: 0 };
  if (events.length === 0) return result;
  return transaction(db, async (tx) => {
    await loadFast(tx);
    const keys = events.map((event) => keyOf(event.messageId));
    const siblings = events.flatMap(({ sibling }) => (sibling ? [keyOf(sibling)] : []));
    const known = await readKnown(tx, [...keys, ...siblings]);
    const fresh = new Map<string, Part>();
    const changed = new Map<string, Changed>();
    for (const [index, event] of events.entries()) {
      const key = keys[index]!;
      const hash = hashOf(event, key);
      const earlier = fresh.get(key) ?? changed.get(key);
      const was = known.get(key);
      if (earlier) {
        if (earlier.hash !== hash) result.contradictions += 1;
      } else if (!was) fresh.set(key, { event, key, hash });
      else if (was.hash === hash) result.unchanged += event.repeated ? 0 : 1;
      else if (event.repeated) result.contradictions += 1;
      else changed.set(key, { event, key, hash, was });
    }
    const withdrawn = withdrawals(events, known);
    // By key, so that two writers wait for each other in one order only.
    const sorted = [...fresh.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    await writeRecords(tx, sorted);
    await writeLog(tx, [...fresh.values()], [...changed.values()], personOf);
    if (changed.size > 0 || withdrawn.length > 0) {
      await supersede(tx, [...changed.values()], withdrawn);
    }
    result.added = fresh.size;
    result.changed = changed.size;
    result.withdrawn = withdrawn.length;
    return result;
  });
}

/**
 * Orders of many lines are packed; lz4 takes a third of the time of pglz, where this PostgreSQL has it. No part waits for
 * the disk: an import is told to be done only behind {@link awaitDisk}.
 */
async function loadFast(tx: Tx): Promise<void> {
  await tx.query(
    `select set_config('default_toast_compression', 'lz4', true) from pg_settings
     where name = 'default_toast_compression' and 'lz4' = any (enumvals)`,
  );
  await tx.query('set local synchronous_commit = off');
}

/** Waits until everything that was committed so far lies on the disk: this row's commit comes behind all of them. */
export async function awaitDisk(db: Db, kind: string): Promise<void> {
  await transaction(db, async (tx) => {
    await tx.query('set local synchronous_commit = on');
    await tx.query(
      `insert into setting (key, value) values ('last import', $1)
       on conflict (key) do update set value = excluded.value, updated_at = clock_timestamp()`,
      [JSON.stringify({ kind })],
    );
  });
}

const keyOf = (messageId: string): string => messageKey(messageId);

function hashOf(event: LoadEvent, key: string): string {
  if (event.content === null) return key;
  return digest('sha256', event.content, 'hex').slice(0, 32);
}

async function readKnown(tx: Tx, keys: readonly string[]): Promise<Map<string, Known>> {
  const { rows } = await tx.query<Known>(
    `select replace(key::text, '-', '') as key, replace(hash::text, '-', '') as hash, revision, paired, xid::text as xid
     from import_record where key = any ($1::uuid[])`,
    [keys],
  );
  return new Map(rows.map((row) => [row.key, row]));
}

function withdrawals(
  events: readonly LoadEvent[],
  known: ReadonlyMap<string, Known>,
): (Known & { messageId: string })[] {
  return events.flatMap(({ sibling }) => {
    const was = sibling === undefined ? undefined : known.get(keyOf(sibling));
    if (!was || !was.paired || was.hash === null) return [];
    return [{ ...was, messageId: sibling! }];
  });
}

/** The first revision keeps the plain id. */
const revised = (messageId: string, revision: number): string =>
  revision === 1 ? messageId : `${messageId}~${revision}`;

async function writeRecords(tx: Tx, fresh: readonly Part[]): Promise<void> {
  let records = '';
  for (const { key, hash, event } of fresh) {
    records += `${key}\t${hash}\t${event.paired ? 't' : 'f'}\n`;
  }
  if (records !== '') await copyText(tx, 'import_record (key, hash, paired)', records);
}

async function writeLog(
  tx: Tx,
  fresh: readonly Part[],
  changed: readonly Changed[],
  personOf: (event: LoadEvent) => number | null,
): Promise<void> {
  let log = '';
  const add = ({ event }: Part, revision: number): void => {
    const id = revised(event.messageId, revision);
    const at = new Date(event.atMs).toISOString();
    log += copyLine([id, event.type, personOf(event), at, event.json]);
  };
  for (const part of fresh) add(part, 1);
  for (const part of changed) add(part, part.was.revision + 1);
  if (log !== '') await copyText(tx, 'event (message_id, type, person_id, at, properties)', log);
}

/** Events that a row of the log names at most. */
const IDS_PER_ROW = 2_000;

interface OldEvent {
  id: number;
  type: string;
  person_id: number | null;
  at_ms: number;
}

async function supersede(
  tx: Tx,
  changed: readonly Changed[],
  withdrawn: readonly (Known & { messageId: string })[],
): Promise<void> {
  const old = [
    ...changed
      // What was taken back before has no event that still counts.
      .filter(({ was }) => was.hash !== null)
      .map(({ event, was }) => [revised(event.messageId, was.revision), was.xid] as const),
    ...withdrawn.map((was) => [revised(was.messageId, was.revision), was.xid] as const),
  ];
  const { rows } = await tx.query<OldEvent>(
    `with old as (
       select id, type, person_id, at from event
       where xid = any ($1::text[]::xid8[]) and message_id = any ($2::text[])),
     marked as (insert into event_superseded (event_id) select id from old on conflict do nothing)
     select id, type, person_id, floor(extract(epoch from at) * 1000)::double precision as at_ms from old order by id`,
    [[...new Set(old.map(([, xid]) => xid))], old.map(([id]) => id)],
  );
  await tellOfSuperseded(tx, rows);
  const { rowCount } = await tx.query(
    `update import_record r set hash = n.hash::uuid, revision = r.revision + n.step, paired = n.paired,
       xid = pg_current_xact_id()
     from unnest($1::text[], $2::text[], $3::boolean[], $4::smallint[], $5::smallint[]) as n (key, hash, paired, step, was)
     where r.key = n.key::uuid and r.revision = n.was and (n.step = 1 or r.hash is not null)`,
    [
      [...changed.map(({ key }) => key), ...withdrawn.map(({ key }) => key)],
      [...changed.map(({ hash }) => hash), ...withdrawn.map(() => null)],
      [...changed.map(({ event }) => event.paired ?? false), ...withdrawn.map(() => true)],
      [...changed.map(() => 1), ...withdrawn.map(() => 0)],
      [...changed.map(({ was }) => was.revision), ...withdrawn.map(({ revision }) => revision)],
    ],
  );
  if (rowCount !== changed.length + withdrawn.length) throw new LostRace();
}

/** Types and times are there so that the warehouse finds the rows by its order; people, so that segments look again. */
async function tellOfSuperseded(tx: Tx, old: readonly OldEvent[]): Promise<void> {
  for (let from = 0; from < old.length; from += IDS_PER_ROW) {
    const part = old.slice(from, from + IDS_PER_ROW);
    const times = part.map((event) => event.at_ms);
    await tx.query(
      `insert into event (message_id, type, person_id, at, properties)
       values (format('superseded:%s', $1::bigint), $2, null, shop_now(), $3)`,
      [
        part[0]!.id,
        EVENT.eventsSuperseded,
        JSON.stringify({
          ids: part.map((event) => event.id),
          people: [...new Set(part.map((event) => event.person_id ?? 0))],
          types: [...new Set(part.map((event) => event.type))],
          fromMs: Math.min(...times),
          toMs: Math.max(...times),
        }),
      ],
    );
  }
}
