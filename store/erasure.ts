import { LOCKS } from './locks.ts';
import { KairosError } from '../domain/errors.ts';
import { EVENT } from '../domain/records.ts';
import { ERASED_KEEPS, ERASED_LINE_KEEPS } from '../domain/warehouse-rows.ts';
import { type AuditContext, writeAudit } from './audit.ts';
import { appendEvents } from './events.ts';
import { settleIdentities } from './identity.ts';
import { type Db, type Queryable, type Tx, transaction } from './postgres.ts';

/** What an erasure reaches, or has reached. */
export interface ErasureReceipt {
  /** Customers of the shop: the person and everyone who went into it. */
  people: number;
  /** Rows of the log that lost what is personal in them. */
  events: number;
  messages: number;
  /** Mailboxes that are suppressed from now on, by their hashes. */
  mailboxes: number;
}

interface Subject {
  ids: number[];
  externalIds: string[];
  units: string[];
}

/** What {@link erasePerson} would do. @throws KairosError PERSON_UNKNOWN */
export async function erasureOf(db: Queryable, externalId: string): Promise<ErasureReceipt> {
  const subject = await subjectOf(db, externalId);
  if (!subject) throw unknown();
  const { rows } = await db.query<{ events: number; messages: number }>(
    `select (select count(*) from event where person_id = any ($1)) as events,
       (select count(*) from message where person_id = any ($1)) as messages`,
    [subject.ids],
  );
  return { people: subject.ids.length, mailboxes: subject.units.length, ...rows[0]! };
}

/**
 * Forgets a person, with everyone who was merged into it, in one transaction: the row with address, name, traits, consent
 * and lists goes; messages lose address and reply; events lose whatever is not needed to count them, and stay under a
 * number that leads to nobody; the mailbox stays suppressed by a salted hash, so that it gets no mail when a shop sends it
 * again. The warehouse follows by an event of the log. What is reserved for sending is skipped as `erased`.
 * @throws KairosError PERSON_UNKNOWN, unless `missingOk`
 */
export async function erasePerson(
  db: Db,
  externalId: string,
  by: AuditContext,
  missingOk = false,
): Promise<ErasureReceipt | null> {
  // Visitors that were linked but not yet moved are the person's too.
  await settleIdentities(db);
  return transaction(db, async (tx) => {
    await tx.query('select pg_advisory_xact_lock($1)', [LOCKS.identity]);
    const subject = await subjectOf(tx, externalId);
    if (!subject) {
      if (missingOk) return null;
      throw unknown();
    }
    const { ids } = subject;
    await keepSuppressed(tx, subject);
    const events = await stripEvents(tx, ids);
    const messages = await tx.query(
      'update message set address = null, unit = null, reply = null, decision = null where person_id = any ($1)',
      [ids],
    );
    await tx.query('update audience_member set unit = null where person_id = any ($1)', [ids]);
    await forgetIdentity(tx, subject);
    await tx.query('delete from score where person_id = any ($1)', [ids]);
    await tx.query('delete from webhook_delivery where person_id = any ($1)', [ids]);
    await tx.query('delete from person where merged_into = any ($1)', [ids]);
    await tx.query('delete from person where id = any ($1)', [ids]);
    await appendEvents(tx, [await erasedEvent(tx, ids)]);
    const receipt = {
      people: ids.length,
      events,
      messages: messages.rowCount ?? 0,
      mailboxes: subject.units.length,
    };
    await writeAudit(tx, by, {
      action: 'person erased',
      subject: `person/${ids[0]}`,
      detail: { ...receipt },
    });
    return receipt;
  });
}

function unknown(): KairosError {
  return new KairosError(
    'PERSON_UNKNOWN',
    "No person has the shop's id that was given; expected the id of a customer, as the shop knows it.",
  );
}

/** The person, first the one that stays after merges; null where there is none. */
async function subjectOf(db: Queryable, externalId: string): Promise<Subject | null> {
  const { rows } = await db.query<{ id: number; externalId: string }>(
    `with root as (select coalesce(merged_into, id) as id from person where external_id = $1)
     select p.id, p.external_id as "externalId" from person p, root
     where p.id = root.id or p.merged_into = root.id order by p.merged_into nulls first, p.id`,
    [externalId],
  );
  if (rows.length === 0) return null;
  const ids = rows.map((row) => row.id);
  const units = await db.query<{ unit: string }>(
    `select unit from person where id = any ($1) and unit is not null
     union select unit from message where person_id = any ($1) and unit is not null
     union select unit from audience_member where person_id = any ($1) and unit is not null order by 1`,
    [ids],
  );
  return {
    ids,
    externalIds: rows.map((row) => row.externalId),
    units: units.rows.map((row) => row.unit),
  };
}

/** By a hash from now on, and in the clear only while another customer has the same mailbox. */
async function keepSuppressed(tx: Tx, { ids, units }: Subject): Promise<void> {
  await tx.query(
    'insert into erased_unit (hash) select unit_hash(u) from unnest($1::text[]) as t (u) on conflict do nothing',
    [units],
  );
  const { rows } = await tx.query<{ unit: string }>(
    'select distinct unit from person where unit = any ($1) and not (id = any ($2))',
    [units, ids],
  );
  const shared = rows.map((row) => row.unit);
  await tx.query(
    `insert into suppression (unit, reason, at, source)
     select u, 'erasure', shop_now(), 'erasure' from unnest($1::text[]) as t (u) on conflict do nothing`,
    [shared],
  );
  await tx.query('delete from suppression where unit = any ($1) and not (unit = any ($2))', [
    units,
    shared,
  ]);
}

async function stripEvents(tx: Tx, ids: readonly number[]): Promise<number> {
  const { rowCount } = await tx.query(
    `update event e set properties = (
       select coalesce(jsonb_object_agg(f.key, case when f.key = 'products' then stripped_lines(f.value, $3) else f.value end), '{}')
       from jsonb_each(e.properties) f where f.key = any ($2) and e.type <> $4)
     where person_id = any ($1)`,
    [ids, ERASED_KEEPS, ERASED_LINE_KEEPS, EVENT.traitsChanged],
  );
  return rowCount ?? 0;
}

async function forgetIdentity(tx: Tx, { ids, externalIds }: Subject): Promise<void> {
  await tx.query('delete from visitor where person_id = any ($1)', [ids]);
  await tx.query(
    `delete from identity_claim where into_id = any ($1) or (kind = 'customer' and from_id = any ($2))`,
    [ids, externalIds],
  );
}

async function erasedEvent(tx: Tx, ids: readonly number[]) {
  const { rows } = await tx.query<{ ms: number }>(
    'select floor(extract(epoch from shop_now()) * 1000)::bigint as ms',
  );
  return {
    messageId: `erased:${ids[0]}`,
    type: EVENT.personErased,
    personId: null,
    atMs: rows[0]!.ms,
    properties: { people: ids },
  };
}
