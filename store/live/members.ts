import { EVENT } from '../../domain/records.ts';
import { matchesSegment, type PersonFacts, type ShopContext } from '../../domain/segment-eval.ts';
import { nextLook } from '../../domain/segment-live.ts';
import type { LogPosition } from '../events.ts';
import { type Db, transaction, type Tx } from '../postgres.ts';
import { factsOf } from '../warehouse/facts.ts';
import type { Warehouse } from '../warehouse/client.ts';
import { type LiveSegment, wantedOf } from './definitions.ts';
import type { Touched } from './touched.ts';

/** The name of this reader of the log, in the table `projector`. */
export const LIVE = 'live segments';

/** People of one question to the warehouse and one transaction: some megabytes of facts. */
export const CHUNK = 1_000;

export interface LiveContext {
  readonly db: Db;
  readonly warehouse: Warehouse;
  readonly shop: ShopContext;
  /** Shop time. */
  readonly nowMs: () => number;
  /** How far the warehouse had the log when this round began; less than that means that it is being rebuilt. */
  readonly seen: LogPosition;
}

export interface Changes {
  entered: number;
  left: number;
}

/** What one person's facts say of one segment. */
interface Answer {
  readonly personId: number;
  readonly segment: string;
  readonly isMember: boolean;
  /** When time alone may change that; shop time in milliseconds. */
  readonly dueMs: number | null;
}

/** What was read is not worth anything: another process has gone on, or the warehouse is being rebuilt. */
class LostPosition extends Error {}

/** What is written together with the last chunk of answers. */
export interface WrittenWith {
  readonly position?: { readonly from: LogPosition; readonly to: LogPosition };
  /** People up to this id were looked at in this segment; null once all were. */
  readonly swept?: { readonly segment: string; readonly to: number | null };
}

/**
 * Looks at the touched people and writes what changed: members, the events that tell of it, the next moments to look,
 * and with the last of them what goes along. Done again after a crash it changes and tells nothing twice.
 */
export async function lookAt(
  context: LiveContext,
  touched: Touched,
  along: WrittenWith = {},
): Promise<Changes> {
  const people = [...touched].sort(([a], [b]) => a - b);
  const changes = { entered: 0, left: 0 };
  for (let from = 0; from === 0 || from < people.length; from += CHUNK) {
    const chunk = people.slice(from, from + CHUNK);
    const isLast = from + CHUNK >= people.length;
    const found = await answer(context, chunk);
    await transaction(context.db, async (tx) => {
      await assertNotRebuilt(tx, context.seen);
      const one = await writeAnswers(tx, found, context.nowMs());
      changes.entered += one.entered;
      changes.left += one.left;
      if (isLast) await writeAlong(tx, along);
    });
  }
  return changes;
}

interface Found {
  readonly segments: readonly LiveSegment[];
  readonly answers: readonly Answer[];
}

async function answer(
  { db, warehouse, shop, nowMs }: LiveContext,
  chunk: readonly [number, Set<LiveSegment>][],
): Promise<Found> {
  const segments = [...new Set(chunk.flatMap(([, of]) => [...of]))];
  if (segments.length === 0) return { segments, answers: [] };
  const ids = chunk.map(([personId]) => personId);
  const facts = await factsOf(warehouse, ids, wantedOf(segments, nowMs()));
  // After the facts: an event of this very moment has happened by then.
  const atMs = Math.ceil(nowMs());
  const unknown = ids.filter((id) => !facts.has(id));
  const merged = await mergedOf(db, unknown);
  const answers = chunk.flatMap(([personId, of]) => {
    const known = facts.get(personId);
    // Not there yet, or not there any more because the warehouse is lost: then nothing can be said.
    if (!known && !merged.has(personId)) return [];
    return [...of].map((segment) => ({
      personId,
      segment: segment.name,
      ...answerOne(segment, known, atMs, shop),
    }));
  });
  return { segments, answers };
}

async function mergedOf(db: Db, ids: readonly number[]): Promise<ReadonlySet<number>> {
  if (ids.length === 0) return new Set();
  const { rows } = await db.query<{ id: number }>(
    'select id from person where id = any ($1) and merged_into is not null',
    [ids],
  );
  return new Set(rows.map(({ id }) => id));
}

/** @throws where the projector was set back: the warehouse may have lost what the answers should be made of */
export async function assertNotRebuilt(tx: Tx, seen: LogPosition): Promise<void> {
  const { rows } = await tx.query(
    `select from projector where name = 'warehouse' and (xid, id) >= ($1::text::xid8, $2::bigint) for share`,
    [seen.xid, seen.id],
  );
  if (rows.length === 0) throw new LostPosition('the warehouse is being rebuilt');
}

/** As the compiled query answers: nobody is a member before the shop knows them. */
function answerOne(
  { segment }: LiveSegment,
  facts: PersonFacts | undefined,
  atMs: number,
  shop: ShopContext,
): Pick<Answer, 'isMember' | 'dueMs'> {
  if (!facts) return { isMember: false, dueMs: null };
  const { createdAtMs } = facts.person;
  if (createdAtMs >= atMs) return { isMember: false, dueMs: createdAtMs + 1 };
  return {
    isMember: matchesSegment(segment, facts, atMs, shop),
    dueMs: nextLook(segment, facts, atMs, shop),
  };
}

async function writeAnswers(tx: Tx, found: Found, nowMs: number): Promise<Changes> {
  if (found.answers.length === 0) return { entered: 0, left: 0 };
  const valid = await stillMeant(tx, found.segments);
  const answers = found.answers.filter(({ segment }) => valid.has(segment));
  const of = (wanted: readonly Answer[]): [number[], string[]] => [
    wanted.map(({ personId }) => personId),
    wanted.map(({ segment }) => segment),
  ];
  const entered = await tx.query<Pair>(
    `insert into segment_member (person_id, segment, since)
     select p.id, x.segment, to_timestamp($3 / 1000.0)
     from unnest($1::bigint[], $2::text[]) as x (person_id, segment) join person p on p.id = x.person_id
     order by 1, 2 on conflict do nothing returning person_id, segment`,
    [...of(answers.filter(({ isMember }) => isMember)), nowMs],
  );
  const left = await tx.query<Pair>(
    `delete from segment_member m using unnest($1::bigint[], $2::text[]) as x (person_id, segment)
     where m.person_id = x.person_id and m.segment = x.segment returning m.person_id, m.segment`,
    of(answers.filter(({ isMember }) => !isMember)),
  );
  await tell(tx, EVENT.segmentEntered, entered.rows, nowMs);
  await tell(tx, EVENT.segmentLeft, left.rows, nowMs);
  const due = answers.filter(({ dueMs }) => dueMs !== null);
  await tx.query(
    `delete from segment_due d using unnest($1::bigint[], $2::text[]) as x (person_id, segment)
     where d.person_id = x.person_id and d.segment = x.segment`,
    of(answers.filter(({ dueMs }) => dueMs === null)),
  );
  await tx.query(
    `insert into segment_due (person_id, segment, due_ms)
     select p.id, x.segment, x.due
     from unnest($1::bigint[], $2::text[], $3::bigint[]) as x (person_id, segment, due)
       join person p on p.id = x.person_id
     order by 1, 2 on conflict (person_id, segment) do update set due_ms = excluded.due_ms
     where segment_due.due_ms <> excluded.due_ms`,
    [...of(due), due.map(({ dueMs }) => dueMs)],
  );
  return { entered: entered.rows.length, left: left.rows.length };
}

export interface Pair {
  person_id: number;
  segment: string;
}

/** Those that have not been changed or forgotten meanwhile; their rows stay as they are until the end. */
async function stillMeant(tx: Tx, segments: readonly LiveSegment[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ segment: string }>(
    `select segment from segment_live join unnest($1::text[], $2::text[]) as x (name, meant)
       on segment = name and meaning = meant order by segment for share of segment_live`,
    [segments.map(({ name }) => name), segments.map(({ meaning }) => meaning)],
  );
  return new Set(rows.map(({ segment }) => segment));
}

/** What the log is told; in the transaction that changes the members, thus once. */
export async function tell(
  tx: Tx,
  type: string,
  pairs: readonly Pair[],
  nowMs: number,
): Promise<void> {
  if (pairs.length === 0) return;
  await tx.query(
    `insert into event (message_id, type, person_id, at, properties)
     select 'segment:' || md5(segment || $3) || ':' || person_id || ':' || pg_current_xact_id(), $3, person_id,
       to_timestamp($4 / 1000.0), jsonb_build_object('segment', segment)
     from unnest($1::bigint[], $2::text[]) as x (person_id, segment)`,
    [
      pairs.map((pair) => pair.person_id),
      pairs.map(({ segment }) => segment),
      type,
      Math.floor(nowMs),
    ],
  );
}

async function writeAlong(tx: Tx, { position, swept }: WrittenWith): Promise<void> {
  if (position) await movePosition(tx, position);
  if (swept) {
    await tx.query('update segment_live set swept_to = $2 where segment = $1', [
      swept.segment,
      swept.to,
    ]);
  }
}

/** Goes on from where this process began to read. @throws where another one has gone on meanwhile */
export async function movePosition(
  tx: Tx,
  { from, to }: { from: LogPosition; to: LogPosition },
): Promise<void> {
  const { rowCount } = await tx.query(
    `update projector set xid = $2::text::xid8, id = $3, updated_at = clock_timestamp()
     where name = $1 and xid = $4::text::xid8 and id = $5`,
    [LIVE, to.xid, to.id, from.xid, from.id],
  );
  if (rowCount === 0) throw new LostPosition('another process keeps the segments');
}
