import { domainToASCII } from 'node:url';
import { addressUnit, formatAddress, parseAddress } from '../domain/address.ts';
import { laneIndex, laneOf } from '../domain/lane.ts';
import type { PersonRecord, ProductRecord } from '../domain/records.ts';
import { type CopyValue, copyInto } from './copy.ts';
import { type Db, type Queryable, transaction } from './postgres.ts';

export interface Person {
  id: number;
  externalId: string;
  address: string | null;
  unit: string | null;
  lane: number;
  name: string | null;
  country: string | null;
  timeZone: string | null;
  locale: string | null;
  traits: Record<string, unknown>;
}

/** What an address as given becomes: `problem` says why it cannot be mailed to. */
export function readAddress(
  given: string | null,
): { address: string; unit: string; lane: number } | { problem: 'missing' | 'malformed' } {
  if (given === null || given.trim() === '') return { problem: 'missing' };
  const parsed = parseAddress(given.trim(), domainToASCII);
  if (!parsed) return { problem: 'malformed' };
  return {
    address: formatAddress(parsed),
    unit: addressUnit(parsed),
    lane: laneIndex(laneOf(parsed.domain)),
  };
}

export interface LoadReceipt {
  read: number;
  added: number;
  changed: number;
  /** People without an address, and with one that does not keep to the grammar. */
  withoutAddress: number;
  malformedAddress: number;
}

/** Adds people or changes those that are known by their external id; one transaction. */
export async function loadPeople(
  db: Db,
  people: Iterable<PersonRecord> | AsyncIterable<PersonRecord>,
): Promise<LoadReceipt> {
  const receipt = { read: 0, added: 0, changed: 0, withoutAddress: 0, malformedAddress: 0 };
  await transaction(db, async (tx) => {
    await tx.query(`create temporary table staging (
      external_id text, address text, unit text, lane smallint, name text, country text, time_zone text, locale text,
      traits jsonb, created_at timestamptz, granted boolean, consent_at timestamptz, source text, n bigint
    ) on commit drop`);
    receipt.read = await copyInto(tx, 'staging', personRows(people, receipt));
    // Of two rows with one id in the same load the later one counts.
    const { rows } = await tx.query<{ added: number; changed: number; ids: number[] }>(
      `with newest as (select distinct on (external_id) * from staging order by external_id, n desc),
       put as (
         insert into person (external_id, address, unit, lane, name, country, time_zone, locale, traits, created_at)
         select external_id, address, unit, lane, name, country, time_zone, locale, traits, created_at
         from newest order by n
         on conflict (external_id) do update set address = excluded.address, unit = excluded.unit,
           lane = excluded.lane, name = excluded.name, country = excluded.country, time_zone = excluded.time_zone,
           locale = excluded.locale, traits = person.traits || excluded.traits, updated_at = clock_timestamp()
           where (person.address, person.name, person.country, person.time_zone, person.locale, person.traits)
             is distinct from (excluded.address, excluded.name, excluded.country, excluded.time_zone, excluded.locale,
               person.traits || excluded.traits)
         returning id, (xmax = 0) as is_new)
       select count(*) filter (where is_new) as added, count(*) filter (where not is_new) as changed,
         coalesce(array_agg(id), '{}') as ids from put`,
    );
    receipt.added = rows[0]!.added;
    receipt.changed = rows[0]!.changed;
    // An older consent never overrules a newer one.
    const consents = await tx.query<{ person_id: number }>(
      `insert into consent (person_id, granted, at, source)
       select distinct on (p.id) p.id, s.granted, s.consent_at, s.source
       from staging s join person p using (external_id) where s.granted is not null
       order by p.id, s.consent_at desc, s.n desc
       on conflict (person_id, channel) do update set granted = excluded.granted, at = excluded.at,
         source = excluded.source where consent.at < excluded.at
       returning person_id`,
    );
    await tellPeople(tx, [...rows[0]!.ids, ...consents.rows.map((row) => row.person_id)]);
  });
  return receipt;
}

/**
 * Puts people's present traits and consent into the log, whence the warehouse has them: codes and traits only, never the
 * address or the name.
 */
export async function tellPeople(tx: Queryable, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.query(
    `insert into event (message_id, type, person_id, at, properties)
     select 'person:' || p.id || ':' || pg_current_xact_id(), 'Traits Changed', p.id, shop_now(), jsonb_build_object(
       'externalId', p.external_id, 'country', p.country, 'timeZone', p.time_zone, 'locale', p.locale,
       'consent', coalesce(k.granted, false), 'hasAddress', p.address is not null, 'traits', p.traits,
       'createdAtMs', floor(extract(epoch from p.created_at) * 1000))
     from person p left join consent k on k.person_id = p.id and k.channel = 'email'
     where p.id = any ($1::bigint[])`,
    [[...new Set(ids)]],
  );
}

async function* personRows(
  people: Iterable<PersonRecord> | AsyncIterable<PersonRecord>,
  receipt: LoadReceipt,
): AsyncGenerator<readonly CopyValue[]> {
  let n = 0;
  for await (const person of people) {
    const read = readAddress(person.email);
    if ('problem' in read) {
      if (read.problem === 'missing') receipt.withoutAddress += 1;
      else receipt.malformedAddress += 1;
    }
    const known = 'problem' in read ? null : read;
    n += 1;
    yield [
      person.externalId,
      known?.address ?? null,
      known?.unit ?? null,
      known?.lane ?? laneIndex('other'),
      person.name,
      person.country,
      person.timeZone,
      person.locale,
      JSON.stringify(person.traits),
      new Date(person.createdAtMs).toISOString(),
      person.consent?.granted ?? null,
      person.consent ? new Date(person.consent.atMs).toISOString() : null,
      person.consent?.source ?? null,
      n,
    ];
  }
}

export async function loadProducts(
  db: Db,
  products: Iterable<ProductRecord> | AsyncIterable<ProductRecord>,
): Promise<{ read: number }> {
  return transaction(db, async (tx) => {
    await tx.query(
      'create temporary table staging (like product including defaults) on commit drop',
    );
    async function* rows(): AsyncGenerator<readonly CopyValue[]> {
      for await (const p of products) {
        yield [p.sku, p.title, p.category, p.price, p.currency, p.stock, p.description, p.url];
      }
    }
    const read = await copyInto(
      tx,
      'staging (sku, title, category, price, currency, stock, description, url)',
      rows(),
    );
    await tx.query(
      `insert into product select distinct on (sku) * from staging
       on conflict (sku) do update set title = excluded.title, category = excluded.category, price = excluded.price,
         currency = excluded.currency, stock = excluded.stock, description = excluded.description,
         url = excluded.url, updated_at = excluded.updated_at`,
    );
    return { read };
  });
}

/** Our ids of the shop's ids (of merged people, whom they went into); all of them where `externalIds` is absent. */
export async function personIds(
  db: Queryable,
  externalIds?: readonly string[],
): Promise<Map<string, number>> {
  const { rows } = await db.query<{ id: number; external_id: string }>(
    `select coalesce(merged_into, id) as id, external_id from person
     where $1::text[] is null or external_id = any ($1)`,
    [externalIds ?? null],
  );
  return new Map(rows.map((row) => [row.external_id, row.id]));
}

/** Never again, whatever is planned: unsubscribe, complaint, hard bounce, erasure, or by hand. The first reason stays. */
export async function suppress(
  db: Queryable,
  unit: string,
  reason: 'unsubscribe' | 'complaint' | 'bounce' | 'erasure' | 'manual',
  source: string,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into suppression (unit, reason, at, source) values ($1, $2, shop_now(), $3) on conflict do nothing`,
    [unit, reason, source],
  );
  return (rowCount ?? 0) > 0;
}
