import { KairosError } from '../domain/errors.ts';
import { didYouMean } from '../domain/problem.ts';
import type { Segment } from '../domain/segment.ts';
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
    resolvedSegment(segment, saved, name);
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
