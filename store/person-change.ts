import type { PersonPatch } from '../domain/intake.ts';
import { readAddress } from './people.ts';
import type { Tx } from './postgres.ts';

/** What one identify call says of a person. */
export interface PersonChange {
  personId: number;
  /** When it was said, in shop time; decides which consent is the newer one. */
  atMs: number;
  patch: PersonPatch;
}

/**
 * Applies changes in their order, one statement for all of them; fields that a change does not name stay as they are.
 * Returns the people who were changed.
 */
export async function changePeople(
  tx: Tx,
  changes: readonly PersonChange[],
): Promise<readonly number[]> {
  if (changes.length === 0) return [];
  const byPerson = new Map<number, PersonPatch>();
  for (const { personId, patch } of changes) {
    const before = byPerson.get(personId);
    byPerson.set(
      personId,
      before ? { ...before, ...patch, traits: { ...before.traits, ...patch.traits } } : patch,
    );
  }
  const ids = [...byPerson.keys()].sort((a, b) => a - b);
  await tx.query('select from person where id = any ($1) order by id for no key update', [ids]);
  await tx.query(
    `update person p set
       address = case when f ? 'address' then f ->> 'address' else address end,
       unit = case when f ? 'address' then f ->> 'unit' else unit end,
       lane = coalesce((f ->> 'lane')::smallint, lane),
       name = case when f ? 'name' then f ->> 'name' else name end,
       country = case when f ? 'country' then f ->> 'country' else country end,
       time_zone = case when f ? 'timeZone' then f ->> 'timeZone' else time_zone end,
       locale = case when f ? 'locale' then f ->> 'locale' else locale end,
       traits = traits || (f -> 'traits'), updated_at = clock_timestamp()
     from unnest($1::bigint[], $2::jsonb[]) as x (person_id, f) where p.id = x.person_id`,
    [ids, ids.map((id) => JSON.stringify(fieldsOf(byPerson.get(id)!)))],
  );
  await putConsents(tx, changes);
  return ids;
}

function fieldsOf(patch: PersonPatch): Record<string, unknown> {
  const { email, consent: _, ...fields } = patch;
  if (email === undefined) return fields;
  const read = readAddress(email);
  return 'problem' in read
    ? { ...fields, address: null, unit: null }
    : { ...fields, address: read.address, unit: read.unit, lane: read.lane };
}

async function putConsents(tx: Tx, changes: readonly PersonChange[]): Promise<void> {
  const said = changes.filter((change) => change.patch.consent !== undefined);
  if (said.length === 0) return;
  await tx.query(
    `insert into consent (person_id, granted, at, source)
     select distinct on (p) p, g, to_timestamp(a / 1000.0), 'intake'
     from unnest($1::bigint[], $2::boolean[], $3::double precision[]) with ordinality as x (p, g, a, n)
     order by p, a desc, n desc
     on conflict (person_id, channel) do update set granted = excluded.granted, at = excluded.at,
       source = excluded.source where consent.at < excluded.at`,
    [
      said.map((change) => change.personId),
      said.map((change) => change.patch.consent),
      said.map((change) => change.atMs),
    ],
  );
}
