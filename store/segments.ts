import { KairosError } from '../domain/errors.ts';
import { EVENT } from '../domain/records.ts';
import { didYouMean } from '../domain/problem.ts';
import type { Segment } from '../domain/segment.ts';
import { segmentDependencies } from '../domain/segment-live.ts';
import { referencesOf, resolvedSegment } from '../domain/segment-references.ts';
import type { Db, Queryable } from './postgres.ts';
import { transaction } from './postgres.ts';
import { readSetting } from './settings.ts';

/** Segments that were saved under a name, as written. */
export async function savedSegments(db: Queryable): Promise<Map<string, Segment>> {
  const { rows } = await db.query<{ name: string; definition: Segment }>(
    'select name, definition from segment order by name',
  );
  return new Map(rows.map(({ name, definition }) => [name, definition]));
}

/**
 * A saved segment with its references resolved.
 * @throws KairosError SEGMENT_UNKNOWN with the nearest name
 */
export async function segmentByName(db: Queryable, name: string): Promise<Segment> {
  const saved = await savedSegments(db);
  const segment = saved.get(name);
  if (segment) return resolvedSegment(segment, saved, name);
  const near = didYouMean(name, [...saved.keys()]);
  const hint = near
    ? `did you mean "${near}"?`
    : 'expected a saved name ("kairos segment list" shows them) or a file that ends in .yaml or .ts.';
  throw new KairosError('SEGMENT_UNKNOWN', `There is no segment "${name}"; ${hint}`);
}

/**
 * Saves a segment, which others may speak of from then on. A changed one begins its history anew.
 * @throws KairosError SEGMENT_INVALID where it speaks of one that is not there, or in a circle of itself
 */
export async function saveSegment(
  db: Db,
  name: string,
  segment: Segment,
): Promise<'saved' | 'changed' | 'same'> {
  return transaction(db, async (tx) => {
    // One at a time: two that are saved at once could speak of each other.
    await tx.query('lock table segment in share row exclusive mode');
    const saved = await savedSegments(tx);
    const before = saved.get(name);
    saved.set(name, segment);
    refuseOwnEvents(resolvedSegment(segment, saved, name));
    // Others may speak of it.
    for (const [other, definition] of saved) {
      if (referencesOf(definition).length > 0) resolvedSegment(definition, saved, other);
    }
    const { rowCount } = await tx.query(
      `insert into segment (name, definition) values ($1, $2)
       on conflict (name) do update set definition = excluded.definition, saved_at = clock_timestamp()
       where segment.definition <> excluded.definition`,
      [name, JSON.stringify(segment)],
    );
    if ((rowCount ?? 0) === 0) return 'same';
    if (!before) return 'saved';
    await tx.query('delete from segment_size where segment = $1', [name]);
    return 'changed';
  });
}

/** Saved segments make these events, so one that looked at them could go round in a circle for ever. */
function refuseOwnEvents(segment: Segment): void {
  const { events } = segmentDependencies(segment);
  for (const type of [EVENT.segmentEntered, EVENT.segmentLeft]) {
    if (!events?.has(type)) continue;
    throw new KairosError(
      'SEGMENT_INVALID',
      `A saved segment looks at the event "${type}", which saved segments make; expected a clause {segment: …} instead.`,
    );
  }
}

export interface SegmentSize {
  /** A day of the shop, such as `2026-11-24`. */
  readonly day: string;
  readonly members: number;
  readonly asOfMs: number;
}

/** The sizes that were counted, by day. */
export async function segmentSizes(db: Queryable, name: string): Promise<Map<string, SegmentSize>> {
  const { rows } = await db.query<{ day: string; members: number; asOfMs: number }>(
    `select day::text, members, floor(extract(epoch from as_of) * 1000)::bigint as "asOfMs"
     from segment_size where segment = $1 order by day`,
    [name],
  );
  return new Map(rows.map((row) => [row.day, row]));
}

/** Keeps the size of a day; the latest count of a day stays. */
export async function keepSize(db: Queryable, name: string, size: SegmentSize): Promise<void> {
  await db.query(
    `insert into segment_size (segment, day, members, as_of) values ($1, $2, $3, $4)
     on conflict (segment, day) do update set members = excluded.members, as_of = excluded.as_of,
       counted_at = clock_timestamp() where segment_size.as_of < excluded.as_of`,
    [name, size.day, size.members, new Date(size.asOfMs)],
  );
}

/** The shop's own time zone; UTC where it has said none. */
export async function shopTimeZone(db: Queryable): Promise<string> {
  const shop = await readSetting<{ timeZone?: string }>(db as Db, 'shop');
  return shop?.timeZone ?? 'UTC';
}

/** A saved segment as it is kept up with the log. */
export interface LiveSize {
  readonly members: number;
  /** `new` until it was filled; `sweeping` while people are asked when time alone changes them. */
  readonly state: 'new' | 'sweeping' | 'live';
}

/** The saved segments with their present sizes, and how far they are behind the log, in seconds. */
export async function liveSizes(
  db: Queryable,
): Promise<{ sizes: Map<string, LiveSize>; lagSeconds: number }> {
  const { rows } = await db.query<LiveSize & { name: string }>(
    `select name, coalesce(m.n, 0) as members,
       case when l.segment is null then 'new' when l.swept_to is null then 'live' else 'sweeping' end as state
     from segment left join segment_live l on l.segment = name
       left join (select segment, count(*) as n from segment_member group by 1) m on m.segment = name
     order by name`,
  );
  const lag = await db.query<{ seconds: number | null }>(
    `select extract(epoch from clock_timestamp() - e.received_at)::double precision as seconds
     from projector p cross join lateral (select received_at from event
       where (event.xid, event.id) > (p.xid, p.id) order by event.xid, event.id limit 1) e
     where p.name = 'live segments'`,
  );
  const sizes = new Map(rows.map(({ name, members, state }) => [name, { members, state }]));
  return { sizes, lagSeconds: Math.max(0, lag.rows[0]?.seconds ?? 0) };
}
