import { KairosError } from '../domain/errors.ts';
import { EVENT } from '../domain/records.ts';
import { type Db, type Queryable, transaction } from './postgres.ts';

/** Static lists of people. A change is an event of the log, so that the warehouse knows the list as of any time. */
export interface ListReceipt {
  readonly added: number;
  readonly removed: number;
  /** People on it now. */
  readonly members: number;
  /** Of the ids that were given: how many nobody has. */
  readonly unknown: number;
}

/**
 * Puts people on a list by the shop's ids of them; with `replace`, takes everybody else off it. Safe to repeat.
 */
export async function putOnList(
  db: Db,
  list: string,
  externalIds: readonly string[],
  { replace = false } = {},
): Promise<ListReceipt> {
  return transaction(db, async (tx) => {
    const { rows } = await tx.query<{ id: number }>(
      'select id from person where external_id = any ($1)',
      [externalIds],
    );
    const receipt = await putIds(
      tx,
      list,
      rows.map(({ id }) => id),
      replace,
    );
    return { ...receipt, unknown: new Set(externalIds).size - rows.length };
  });
}

/** The same by our ids: a snapshot of a segment's members becomes a list. */
export async function putMembersOnList(
  db: Db,
  list: string,
  personIds: readonly number[],
): Promise<ListReceipt> {
  return transaction(db, async (tx) => ({
    ...(await putIds(tx, list, personIds, true)),
    unknown: 0,
  }));
}

const NAME_CHARS_MAX = 200;

async function putIds(
  tx: Queryable,
  list: string,
  ids: readonly number[],
  replace: boolean,
): Promise<Omit<ListReceipt, 'unknown'>> {
  if (list === '' || list.length > NAME_CHARS_MAX) {
    throw new KairosError(
      'SEGMENT_INVALID',
      `A list's name has ${list.length} characters; expected 1 to ${NAME_CHARS_MAX}.`,
    );
  }
  // The row is the lock: two changes of one list come one after the other.
  await tx.query(
    'insert into list (name) values ($1) on conflict (name) do update set name = excluded.name',
    [list],
  );
  const added = await tx.query<{ person_id: number }>(
    `insert into list_member (list, person_id)
     select $1, p.id from person p where p.id = any ($2::bigint[]) on conflict do nothing returning person_id`,
    [list, ids],
  );
  const removed = replace
    ? await tx.query<{ person_id: number }>(
        'delete from list_member where list = $1 and person_id <> all ($2::bigint[]) returning person_id',
        [list, ids],
      )
    : { rows: [] };
  await tell(tx, list, EVENT.listLeft, removed.rows);
  await tell(tx, list, EVENT.listJoined, added.rows);
  const members = await tx.query<{ n: number }>(
    'select count(*) as n from list_member where list = $1',
    [list],
  );
  return { added: added.rows.length, removed: removed.rows.length, members: members.rows[0]!.n };
}

async function tell(
  tx: Queryable,
  list: string,
  type: string,
  people: readonly { person_id: number }[],
): Promise<void> {
  if (people.length === 0) return;
  await tx.query(
    `insert into event (message_id, type, person_id, at, properties)
     select 'list:' || md5($1 || $2) || ':' || id || ':' || pg_current_xact_id(), $2, id, shop_now(),
       jsonb_build_object('list', $1::text)
     from unnest($3::bigint[]) id`,
    [list, type, people.map((row) => row.person_id)],
  );
}

/** The lists there are, with how many people are on each. */
export async function lists(db: Queryable): Promise<{ name: string; members: number }[]> {
  const { rows } = await db.query<{ name: string; members: number }>(
    `select name, (select count(*) from list_member m where m.list = l.name) as members from list l order by name`,
  );
  return rows;
}
