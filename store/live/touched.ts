import { EVENT } from '../../domain/records.ts';
import { warehouseType } from '../../domain/warehouse-rows.ts';
import type { LogPosition } from '../events.ts';
import type { Queryable } from '../postgres.ts';
import type { LiveSegment } from './definitions.ts';

/** The people to look at, each with the segments that may have changed for them. */
export type Touched = Map<number, Set<LiveSegment>>;

export interface TouchedRange {
  readonly touched: Touched;
  /** Segments that all people have to be asked of again: their scores are new. */
  readonly refresh: ReadonlySet<LiveSegment>;
  /** Where the log was read to; null where there was nothing new. */
  readonly to: LogPosition | null;
  /** Rows that concern any segment. */
  readonly rows: number;
  /** There is more to read. */
  readonly isFull: boolean;
}

interface Row {
  id: number;
  xid: string;
  type: string;
  person_id: number | null;
  campaign: string | null;
  properties: Record<string, unknown> | null;
}

const SETTLED = 'Messages Settled';
/** Rows that tell of more people than their own, or of all. */
const SPECIAL: readonly string[] = [
  SETTLED,
  EVENT.traitsChanged,
  EVENT.eventsMoved,
  EVENT.personMerged,
  EVENT.eventsSuperseded,
  EVENT.peopleScored,
];

/**
 * Whom the next rows of the log touch, up to where the warehouse has them. Rows of types that no segment looks at are
 * passed over by PostgreSQL.
 */
export async function readTouched(
  db: Queryable,
  segments: readonly LiveSegment[],
  range: { after: LogPosition; upTo: LogPosition; limit: number },
): Promise<TouchedRange> {
  const { after, upTo, limit } = range;
  const byType = segmentsByType(segments);
  const types = byType ? [...new Set([...byType.keys(), ...SPECIAL])] : null;
  const { rows } = await db.query<Row>(
    `select id, xid::text as xid, type, person_id, properties ->> 'campaign' as campaign,
       case when type = any ($7) then properties end as properties
     from event
     where (xid, id) > ($1::text::xid8, $2::bigint) and (xid, id) <= ($3::text::xid8, $4::bigint)
       and ($5::text[] is null or type = any ($5))
     order by event.xid, event.id limit $6`,
    [
      after.xid,
      after.id,
      upTo.xid,
      upTo.id,
      types,
      limit,
      SPECIAL.filter((type) => type !== EVENT.traitsChanged),
    ],
  );
  const touched: Touched = new Map();
  const refresh = new Set<LiveSegment>();
  for (const row of rows) touch(row, { segments, byType, touched, refresh });
  const isFull = rows.length === limit;
  const isPast = upTo.xid === after.xid && upTo.id === after.id;
  return {
    touched,
    refresh,
    rows: rows.length,
    isFull,
    to: isPast ? null : isFull ? rows.at(-1)! : upTo,
  };
}

/** Null where some segment looks at events of every type. */
function segmentsByType(segments: readonly LiveSegment[]): Map<string, LiveSegment[]> | null {
  if (segments.some(({ needs }) => needs.events === null)) return null;
  const byType = new Map<string, LiveSegment[]>();
  for (const segment of segments) {
    for (const type of segment.needs.events!) {
      byType.set(type, [...(byType.get(type) ?? []), segment]);
    }
  }
  return byType;
}

interface Into {
  segments: readonly LiveSegment[];
  byType: Map<string, LiveSegment[]> | null;
  touched: Touched;
  refresh: Set<LiveSegment>;
}

function touch(row: Row, { segments, byType, touched, refresh }: Into): void {
  const add = (personId: unknown, of: readonly LiveSegment[]): void => {
    if (typeof personId !== 'number' || personId === 0 || of.length === 0) return;
    const known = touched.get(personId);
    if (known) for (const segment of of) known.add(segment);
    else touched.set(personId, new Set(of));
  };
  const asking = (type: string): readonly LiveSegment[] =>
    byType
      ? (byType.get(type) ?? [])
      : segments.filter(({ needs }) => needs.events === null || needs.events.has(type));
  const { type, properties } = row;
  const all = (name: string): unknown[] => (properties?.[name] as unknown[] | undefined) ?? [];
  switch (type) {
    // The person may be new, or in another time zone: every segment may have changed.
    case EVENT.traitsChanged:
      return add(row.person_id, segments);
    case EVENT.eventsMoved:
      add(properties!['from'], segments);
      return add(properties!['to'], segments);
    case EVENT.personMerged:
      add(properties!['from'], segments);
      return add(properties!['into'], segments);
    case EVENT.eventsSuperseded:
      for (const personId of all('people')) add(personId, segments);
      return;
    case SETTLED: {
      const campaign = row.campaign ?? '';
      const delivered = asking(warehouseType(EVENT.emailDelivered, campaign));
      const bounced = asking(warehouseType(EVENT.emailBounced, campaign));
      if (delivered.length > 0) for (const personId of all('sent')) add(personId, delivered);
      if (bounced.length > 0) for (const personId of all('bounced')) add(personId, bounced);
      return;
    }
    case EVENT.peopleScored: {
      const model = String(properties!['model']);
      for (const segment of segments) {
        if (segment.needs.clusters || segment.needs.scores.has(model)) refresh.add(segment);
      }
      return;
    }
    default:
      add(row.person_id, asking(warehouseType(type, row.campaign ?? '')));
  }
}
