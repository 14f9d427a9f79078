import { KairosError } from '../../domain/errors.ts';
import { EVENT } from '../../domain/records.ts';
import { transaction, type Tx } from '../postgres.ts';
import { prepareSegment, segmentMembers } from '../warehouse/segment-sql.ts';
import type { LiveSegment } from './definitions.ts';
import { assertNotRebuilt, type LiveContext, lookAt, type Pair, tell } from './members.ts';

/** Rows of one statement. */
const ROWS = 20_000;
/** People of one step of a sweep, so that events are not kept waiting. */
const SWEEP = 1_000;

/**
 * Fills a segment by its compiled query, all or nothing. What it means now is new to everybody, so nothing is told of
 * it; `told` says who came and who went where only facts changed (new scores). The people are swept after that.
 */
export async function fillSegment(
  context: LiveContext,
  live: LiveSegment,
  { told }: { told: boolean },
): Promise<number> {
  const { db, warehouse, shop } = context;
  await assertNotLost(context);
  const nowMs = context.nowMs();
  const query = await prepareSegment(warehouse, live.segment, { nowMs, timeZone: shop.timeZone });
  const ids: number[] = [];
  for await (const batch of segmentMembers(warehouse, query)) {
    for (const { personId } of batch) ids.push(personId);
  }
  await transaction(db, async (tx) => {
    await assertNotRebuilt(tx, context.seen);
    const { rowCount } = await tx.query('select from segment where name = $1 for key share', [
      live.name,
    ]);
    // It was forgotten meanwhile.
    if (rowCount === 0) return;
    await tx.query(
      `insert into segment_live (segment, meaning, filled_at, swept_to) values ($1, $2, to_timestamp($3 / 1000.0), 0)
       on conflict (segment) do update set meaning = excluded.meaning, filled_at = excluded.filled_at, swept_to = 0`,
      [live.name, live.meaning, nowMs],
    );
    await replaceMembers(tx, live.name, ids, { nowMs, told });
    if (!told) await tx.query('delete from segment_due where segment = $1', [live.name]);
  });
  return ids.length;
}

/** @throws KairosError WAREHOUSE_DOWN where its folder is gone: a segment without members would be a lie */
async function assertNotLost({ db, warehouse }: LiveContext): Promise<void> {
  const [known] = await warehouse.query('SELECT 1 AS n FROM person LIMIT 1');
  if (known) return;
  const { rows } = await db.query<{ n: number }>(
    `select projected as n from projector where name = 'warehouse' and projected > 0 and exists (select from person)`,
  );
  if (rows.length === 0) return;
  throw new KairosError(
    'WAREHOUSE_DOWN',
    'The warehouse knows nobody, although the log was copied into it: run "kairos recover" to fill it again.',
  );
}

async function replaceMembers(
  tx: Tx,
  segment: string,
  ids: readonly number[],
  { nowMs, told }: { nowMs: number; told: boolean },
): Promise<void> {
  await tx.query('create temp table filled (person_id bigint primary key) on commit drop');
  for (let from = 0; from < ids.length; from += ROWS) {
    await tx.query('insert into filled select unnest($1::bigint[]) on conflict do nothing', [
      ids.slice(from, from + ROWS),
    ]);
  }
  await tx.query('analyze filled');
  const left = await tx.query<Pair>(
    `delete from segment_member m where segment = $1 and not exists (select from filled f where f.person_id = m.person_id)
     ${told ? 'returning person_id, segment' : ''}`,
    [segment],
  );
  const entered = await tx.query<Pair>(
    `insert into segment_member (person_id, segment, since)
     select f.person_id, $1, to_timestamp($2 / 1000.0) from filled f join person p on p.id = f.person_id
     on conflict do nothing ${told ? 'returning person_id, segment' : ''}`,
    [segment, nowMs],
  );
  if (!told) return;
  await tell(tx, EVENT.segmentLeft, left.rows, nowMs);
  await tell(tx, EVENT.segmentEntered, entered.rows, nowMs);
}

/**
 * Looks at the next thousand people of a segment that was filled, for the moments at which time alone changes them.
 * Returns whether there was anything to do.
 */
export async function sweepStep(
  context: LiveContext,
  segments: readonly LiveSegment[],
): Promise<boolean> {
  const { rows } = await context.db.query<{ segment: string; swept_to: number }>(
    'select segment, swept_to from segment_live where swept_to is not null order by segment limit 1',
  );
  const open = rows[0];
  if (!open) return false;
  const live = segments.find(({ name }) => name === open.segment);
  if (!live) return false;
  const people = await context.db.query<{ id: number }>(
    'select id from person where id > $1 order by id limit $2',
    [open.swept_to, SWEEP],
  );
  const last = people.rows.length < SWEEP ? null : people.rows.at(-1)!.id;
  const touched = new Map(people.rows.map(({ id }) => [id, new Set([live])]));
  await lookAt(context, touched, { swept: { segment: live.name, to: last } });
  return true;
}
