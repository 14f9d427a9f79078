import { LOCKS } from './locks.ts';
import { KairosError } from '../domain/errors.ts';
import { writeAudit } from './audit.ts';
import { type Merge, mergePeople, splitPeople } from './identity-merge.ts';
import { moveEvents, tellOfMove } from './identity-events.ts';
import { type Db, type Queryable, type Tx, transaction } from './postgres.ts';

/** A visitor turned out to be a person, or one customer (`alias`) another. */
export interface IdentityClaim {
  kind: 'visitor' | 'alias';
  /** The anonymous id, or what an alias calls the previous id: a shop's id or an anonymous one. */
  from: string;
  intoId: number;
}

export interface IdentityLink {
  id: number;
  kind: 'visitor' | 'customer';
  from: string;
  intoId: number;
  actor: string;
  atMs: number;
  done: boolean;
  undone: boolean;
  /** Events of the past that were moved. */
  events: number;
}

/** What a claim moved, for putting it back. */
interface Detail {
  events: number[];
  merge?: Merge;
}

/** Writes claims down in the caller's transaction; {@link settleIdentities} carries them out. */
export async function claimIdentities(
  tx: Tx,
  claims: readonly IdentityClaim[],
  actor: string,
): Promise<void> {
  // Of two for one visitor the last one counts: it says who is there now.
  const byFrom = new Map(claims.map((claim) => [`${claim.kind}:${claim.from}`, claim]));
  const ordered = [...byFrom.values()].sort((a, b) => (a.from < b.from ? -1 : 1));
  const { rows } = await tx.query<{
    kind: 'visitor' | 'customer';
    from_id: string;
    into_id: number;
  }>(
    `insert into identity_claim (kind, from_id, into_id, actor)
     select case when k = 'alias' and exists (select from person where external_id = f) then 'customer' else 'visitor' end,
       f, i, $4
     from unnest($1::text[], $2::text[], $3::bigint[]) as x (k, f, i)
     returning kind, from_id, into_id`,
    [
      ordered.map((claim) => claim.kind),
      ordered.map((claim) => claim.from),
      ordered.map((claim) => claim.intoId),
      actor,
    ],
  );
  const visitors = rows.filter((row) => row.kind === 'visitor');
  if (visitors.length === 0) return;
  const put = await tx.query<{ moved: boolean }>(
    `insert into visitor (anonymous_id, person_id) select * from unnest($1::text[], $2::bigint[])
     on conflict (anonymous_id) do update set person_id = excluded.person_id, linked_at = clock_timestamp()
     returning (xmax <> 0) as moved`,
    [visitors.map((row) => row.from_id), visitors.map((row) => row.into_id)],
  );
  if (put.rows.some((row) => row.moved)) await nextGeneration(tx);
}

const nextGeneration = (tx: Queryable): Promise<unknown> =>
  tx.query('update identity_state set generation = generation + 1');

const AT_ONCE = 200;

/** Carries out what was claimed, oldest first; safe to run anywhere at any time. Returns how many. */
export async function settleIdentities(db: Db): Promise<number> {
  for (let total = 0; ;) {
    const settled = await transaction(db, async (tx) => {
      await lock(tx);
      const { rows } = await tx.query<ClaimRow>(
        `select c.id, c.kind, c.from_id, coalesce(p.merged_into, c.into_id) as into_id, c.actor
         from identity_claim c left join person p on p.id = c.into_id
         where c.done_at is null order by c.id limit $1 for update of c`,
        [AT_ONCE],
      );
      for (const claim of rows) await carryOut(tx, claim);
      return rows.length;
    });
    total += settled;
    if (settled < AT_ONCE) return total;
  }
}

async function lock(tx: Tx): Promise<void> {
  await tx.query('select pg_advisory_xact_lock($1)', [LOCKS.identity]);
}

interface ClaimRow {
  id: number;
  kind: 'visitor' | 'customer';
  from_id: string;
  into_id: number;
  actor: string;
}

async function carryOut(tx: Tx, claim: ClaimRow): Promise<void> {
  const detail = claim.kind === 'visitor' ? await linkVisitor(tx, claim) : await merge(tx, claim);
  await tx.query(
    'update identity_claim set done_at = clock_timestamp(), into_id = $2, detail = $3 where id = $1',
    [claim.id, claim.into_id, JSON.stringify(detail)],
  );
  await writeAudit(
    tx,
    { actor: claim.actor },
    {
      action: claim.kind === 'visitor' ? 'visitor linked' : 'people merged',
      subject: `person/${claim.into_id}`,
      detail: { claim: claim.id, events: detail.events.length, from: detail.merge?.fromId ?? null },
    },
  );
}

async function linkVisitor(tx: Tx, claim: ClaimRow): Promise<Detail> {
  const moved = await moveEvents(
    tx,
    `person_id is null and properties ->> 'anonymousId' = $2`,
    claim.into_id,
    [claim.from_id],
  );
  await tellOfMove(tx, null, claim.into_id, moved);
  return { events: moved.map((event) => event.id) };
}

async function merge(tx: Tx, claim: ClaimRow): Promise<Detail> {
  const { rows } = await tx.query<{ id: number }>(
    'select id from person where external_id = $1 and merged_into is null and id <> $2',
    [claim.from_id, claim.into_id],
  );
  const from = rows[0];
  // Merged already, or with itself: said again, it changes nothing.
  if (!from) return { events: [] };
  const moved = await moveEvents(tx, 'person_id = $2', claim.into_id, [from.id]);
  const detail = await mergePeople(tx, from.id, claim.into_id);
  await tellOfMove(tx, from.id, claim.into_id, moved);
  await nextGeneration(tx);
  return { events: moved.map((event) => event.id), merge: detail };
}

/** Makes one person of two: the history, consent and traits of `from` go to `into`. Returns the claim's number. */
export async function mergeCustomers(
  db: Db,
  fromExternalId: string,
  intoExternalId: string,
  actor: string,
): Promise<number> {
  const id = await transaction(db, async (tx) => {
    const { rows } = await tx.query<{ external_id: string; id: number; merged: boolean }>(
      `select external_id, coalesce(merged_into, id) as id, merged_into is not null as merged
       from person where external_id = any ($1)`,
      [[fromExternalId, intoExternalId]],
    );
    const from = rows.find((row) => row.external_id === fromExternalId);
    const into = rows.find((row) => row.external_id === intoExternalId);
    if (!from || !into) {
      throw new KairosError(
        'PERSON_UNKNOWN',
        `No person has the shop's id given as the ${from ? 'second' : 'first'} argument; expected the ids of two customers.`,
      );
    }
    if (from.merged || from.id === into.id) {
      throw new KairosError(
        'STATE_CONFLICT',
        'The first person went into another one already; see `kairos identity show`, and split that first.',
      );
    }
    await claimIdentities(tx, [{ kind: 'alias', from: fromExternalId, intoId: into.id }], actor);
    const claim = await tx.query<{ id: number }>(
      'select max(id) as id from identity_claim where from_id = $1 and into_id = $2',
      [fromExternalId, into.id],
    );
    return claim.rows[0]!.id;
  });
  await settleIdentities(db);
  return id;
}

/** Undoes a link or a merge: exactly what it moved goes back; what came since stays where it came. */
export async function splitIdentity(db: Db, claimId: number, actor: string): Promise<void> {
  await transaction(db, async (tx) => {
    await lock(tx);
    const { rows } = await tx.query<ClaimRow & { detail: Detail }>(
      `select c.id, c.kind, c.from_id, coalesce(p.merged_into, c.into_id) as into_id, c.actor, c.detail
       from identity_claim c left join person p on p.id = c.into_id
       where c.id = $1 and c.done_at is not null and c.undone_at is null for update of c`,
      [claimId],
    );
    const claim = rows[0];
    if (!claim) {
      throw new KairosError(
        'STATE_CONFLICT',
        `There is no link ${claimId} that is in force; \`kairos identity show PERSON\` lists them.`,
      );
    }
    const { events, merge: merged } = claim.detail;
    const back = await moveEvents(
      tx,
      'person_id = $2 and id = any ($3::bigint[])',
      merged?.fromId ?? null,
      [claim.into_id, events],
    );
    if (merged) await splitPeople(tx, merged, claim.into_id);
    else if (claim.kind === 'visitor') {
      await tx.query('delete from visitor where anonymous_id = $1 and person_id = $2', [
        claim.from_id,
        claim.into_id,
      ]);
    }
    await tellOfMove(tx, claim.into_id, merged?.fromId ?? null, back);
    await tx.query('update identity_claim set undone_at = clock_timestamp() where id = $1', [
      claimId,
    ]);
    await nextGeneration(tx);
    await writeAudit(
      tx,
      { actor },
      {
        action: claim.kind === 'visitor' ? 'visitor unlinked' : 'people split',
        subject: `person/${claim.into_id}`,
        detail: { claim: claimId, events: back.length, from: merged?.fromId ?? null },
      },
    );
  });
}

/** Links and merges into a person, newest first. */
export async function identityLinks(db: Queryable, externalId: string): Promise<IdentityLink[]> {
  const { rows } = await db.query<IdentityLink>(
    `select c.id, c.kind, c.from_id as "from", c.into_id as "intoId", c.actor,
       (extract(epoch from c.at) * 1000)::double precision as "atMs", c.done_at is not null as done,
       c.undone_at is not null as undone, coalesce(jsonb_array_length(c.detail -> 'events'), 0) as events
     from identity_claim c where c.into_id in (
       select unnest(array[id, merged_into]) from person where external_id = $1) order by c.id desc`,
    [externalId],
  );
  return rows;
}
