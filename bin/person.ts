import { KairosError } from '../domain/errors.ts';
import type { Person } from '../store/people.ts';
import type { Db } from '../store/postgres.ts';

/** A person by the shop's id of them. */
export async function personByExternalId(db: Db, externalId: string): Promise<Person> {
  const { rows } = await db.query<Person>(
    `select id, external_id as "externalId", address, unit, lane, name, country, time_zone as "timeZone", locale, traits
     from person where external_id = $1`,
    [externalId],
  );
  if (rows[0]) return rows[0];
  throw new KairosError(
    'PERSON_UNKNOWN',
    `There is no customer ${externalId}; expected the shop's own id, as "kairos segment preview" lists them.`,
  );
}
