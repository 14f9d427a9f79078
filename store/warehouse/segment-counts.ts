import { didYouMean } from '../../domain/problem.ts';
import { EVENT } from '../../domain/records.ts';
import { segmentDependencies } from '../../domain/segment-live.ts';
import type { Segment } from '../../domain/segment.ts';
import { isBuiltInTrait } from '../../domain/segment-terms.ts';
import { LINE_TYPE } from '../../domain/warehouse-rows.ts';
import type { Warehouse } from './client.ts';
import { compileMasks, prepareSegment, type SegmentOptions } from './segment-sql.ts';

/** How many people are in the segment as of a time. */
export async function countSegment(
  warehouse: Warehouse,
  segment: Segment,
  options: SegmentOptions,
): Promise<number> {
  const query = await prepareSegment(warehouse, segment, options);
  const [row] = await warehouse.query<{ n: number }>(
    `SELECT count() AS n FROM (${query.sql})`,
    query.params,
  );
  return row!.n;
}

export interface Overlap {
  /** Indexes of the segments, ascending. */
  readonly segments: readonly number[];
  /** People who are in all of them, whatever else they are in. */
  readonly inAll: number;
  /** People who are in these and in none of the others. */
  readonly only: number;
}

/** More would be more intersections than anybody reads. */
export const OVERLAP_MAX = 8;

/** The size of every intersection of some segments, by one query. */
export async function overlapOf(
  warehouse: Warehouse,
  segments: readonly Segment[],
  options: SegmentOptions,
): Promise<Overlap[]> {
  const query = await compileMasks(warehouse, segments, options);
  const rows = await warehouse.query<{ mask: number; n: number }>(query.sql, query.params);
  const only = new Map(rows.map(({ mask, n }) => [mask, n]));
  const masks = Array.from({ length: 2 ** segments.length - 1 }, (_, index) => index + 1);
  return masks
    .map((mask) => ({
      segments: segments.flatMap((_, index) => ((mask >> index) & 1 ? [index] : [])),
      inAll: rows.reduce((sum, row) => ((row.mask & mask) === mask ? sum + row.n : sum), 0),
      only: only.get(mask) ?? 0,
    }))
    .sort((a, b) => a.segments.length - b.segments.length);
}

/**
 * Names that a segment asks for and that nobody has ever sent: events, traits, models. Not wrong, since the first one
 * may come tomorrow, but a misspelt one matches nobody, so each is a sentence with the nearest name that is known.
 */
export async function unknownNames(
  warehouse: Warehouse,
  segment: Segment,
  lists: readonly string[],
): Promise<string[]> {
  const asked = segmentDependencies(segment);
  const [events, traits, models] = await Promise.all([
    namesOf(warehouse, 'SELECT DISTINCT type AS name FROM event'),
    namesOf(
      warehouse,
      `SELECT DISTINCT arrayJoin(arrayConcat(mapKeys(text_traits), mapKeys(number_traits), mapKeys(flag_traits))) AS name
       FROM person`,
    ),
    namesOf(warehouse, 'SELECT DISTINCT model AS name FROM score'),
  ]);
  const own = [...asked.traits].filter((name) => !isBuiltInTrait(name) && name !== 'createdAt');
  const known = [...new Set([...events, ...Object.values(EVENT), ...Object.values(LINE_TYPE)])];
  const listEvents: ReadonlySet<string> = new Set([EVENT.listJoined, EVENT.listLeft]);
  const missing = (what: string, names: Iterable<string>, found: readonly string[]): string[] =>
    [...names]
      .filter((name) => !found.includes(name))
      .map((name) => {
        const near = didYouMean(name, found);
        return `No ${what} "${name}" is known yet${near ? `; did you mean "${near}"?` : '.'}`;
      });
  return [
    ...missing(
      'event',
      [...(asked.events ?? [])].filter((name) => !listEvents.has(name)),
      known,
    ),
    ...missing('trait', own, traits),
    ...missing('score', asked.scores, models),
    ...missing('list', asked.lists, lists),
  ];
}

async function namesOf(warehouse: Warehouse, sql: string): Promise<string[]> {
  return (await warehouse.query<{ name: string }>(sql)).map(({ name }) => name);
}
