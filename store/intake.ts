import type { IdentifyCall, IntakeCall } from '../domain/intake.ts';
import { readAddress, tellPeople } from './people.ts';
import { type Db, type Tx, transaction } from './postgres.ts';

export interface IntakeReceipt {
  accepted: number;
  /** Known by their message id already, so not written again. */
  duplicates: number;
}

/** Intake ids have a room of their own: no outsider's id can stand in the way of one of ours. */
const idOf = (call: IntakeCall): string => `intake:${call.messageId}`;

/**
 * Writes a batch of calls in one transaction: people that are not known yet, events, and what identify calls say.
 * When it returns, all of it is committed.
 */
export async function writeIntake(db: Db, calls: readonly IntakeCall[]): Promise<IntakeReceipt> {
  if (calls.length === 0) return { accepted: 0, duplicates: 0 };
  return transaction(db, async (tx) => {
    const { ids, added } = await ensurePeople(tx, calls);
    const fresh = await appendCalls(tx, calls, ids);
    const accepted = fresh.size;
    const identified: number[] = [];
    for (const call of calls) {
      // Deleting as we go: of two calls with one id in the same batch only the first counts.
      if (!fresh.delete(idOf(call)) || call.kind !== 'identify') continue;
      const personId = ids.get(call.userId)!;
      await applyIdentify(tx, personId, call);
      identified.push(personId);
    }
    await tellPeople(tx, [...added, ...identified]);
    return { accepted, duplicates: calls.length - accepted };
  });
}

/** Our ids of everyone in the batch. Rows are taken in the order of the shop's ids, so that batches never deadlock. */
async function ensurePeople(
  tx: Tx,
  calls: readonly IntakeCall[],
): Promise<{ ids: Map<string, number>; added: number[] }> {
  const wanted = [...new Set(calls.map((call) => call.userId).filter((id) => id !== null))];
  if (wanted.length === 0) return { ids: new Map(), added: [] };
  const added = await tx.query<{ id: number }>(
    `insert into person (external_id, created_at)
     select x, shop_now() from unnest($1::text[]) as t (x)
     where not exists (select from person p where p.external_id = x) order by x collate "C"
     on conflict (external_id) do nothing returning id`,
    [wanted],
  );
  const lock = calls.some((call) => call.kind === 'identify') ? 'for no key update' : '';
  const { rows } = await tx.query<{ id: number; external_id: string }>(
    `select id, external_id from person where external_id = any ($1) order by external_id collate "C" ${lock}`,
    [wanted],
  );
  return {
    ids: new Map(rows.map((row) => [row.external_id, row.id])),
    added: added.rows.map((row) => row.id),
  };
}

/** One row of the log for each call; an identify leaves only its trace, its content goes to the person. */
async function appendCalls(
  tx: Tx,
  calls: readonly IntakeCall[],
  ids: ReadonlyMap<string, number>,
): Promise<Set<string>> {
  const { rows } = await tx.query<{ message_id: string }>(
    `insert into event (message_id, type, person_id, at, properties)
     select m, t, p, to_timestamp(a / 1000.0), j::jsonb
     from unnest($1::text[], $2::text[], $3::bigint[], $4::double precision[], $5::text[]) as x (m, t, p, a, j)
     on conflict (message_id) do nothing returning message_id`,
    [
      calls.map(idOf),
      calls.map((call) => (call.kind === 'track' ? call.type : 'Person Identified')),
      calls.map((call) => (call.userId === null ? null : ids.get(call.userId)!)),
      calls.map((call) => call.atMs),
      calls.map((call) => JSON.stringify(call.kind === 'track' ? call.properties : {})),
    ],
  );
  return new Set(rows.map((row) => row.message_id));
}

async function applyIdentify(tx: Tx, personId: number, call: IdentifyCall): Promise<void> {
  const { email, name, country, timeZone, locale, consent, traits } = call.person;
  const read = email === undefined ? null : readAddress(email);
  const address = read && !('problem' in read) ? read : null;
  await tx.query(
    `update person set
       address = case when $2 then $3 else address end, unit = case when $2 then $4 else unit end,
       lane = case when $2 and $5::smallint is not null then $5 else lane end,
       name = case when $6 then $7 else name end, country = case when $8 then $9 else country end,
       time_zone = case when $10 then $11 else time_zone end, locale = case when $12 then $13 else locale end,
       traits = traits || $14::jsonb, updated_at = clock_timestamp()
     where id = $1`,
    [
      personId,
      email !== undefined,
      address?.address ?? null,
      address?.unit ?? null,
      address?.lane ?? null,
      name !== undefined,
      name ?? null,
      country !== undefined,
      country ?? null,
      timeZone !== undefined,
      timeZone ?? null,
      locale !== undefined,
      locale ?? null,
      JSON.stringify(traits),
    ],
  );
  if (consent === undefined) return;
  await tx.query(
    `insert into consent (person_id, granted, at, source) values ($1, $2, to_timestamp($3 / 1000.0), 'intake')
     on conflict (person_id, channel) do update set granted = excluded.granted, at = excluded.at,
       source = excluded.source where consent.at < excluded.at`,
    [personId, consent, call.atMs],
  );
}
