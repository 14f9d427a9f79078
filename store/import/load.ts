import type { PersonRecord, ProductRecord } from '../../domain/records.ts';
import { copyInto, type CopyValue } from '../copy.ts';
import { personIds, tellPeople } from '../people.ts';
import { type Db, transaction } from '../postgres.ts';
import type { Mapping } from './mapping.ts';
import { type LoadEvent, putRecords, type PutRecords } from './put-events.ts';
import type { ConsentRecord } from './records.ts';

export interface Loaded {
  added: number;
  changed: number;
}

/** Columns of a product by the mapping's field; constants, never a user's words. */
const PRODUCT_COLUMNS = {
  title: 'title',
  category: 'category',
  price: 'price',
  currency: 'currency',
  stock: 'stock',
  description: 'description',
  url: 'url',
} as const;

/**
 * Adds products or changes those that are known by their SKU. What the mapping does not name stays as it is, and a
 * product that stays as it is altogether is not written.
 */
export async function putProducts(
  db: Db,
  products: readonly ProductRecord[],
  { fields }: Mapping,
): Promise<Loaded> {
  const named = Object.entries(PRODUCT_COLUMNS).filter(([field]) => fields[field] !== undefined);
  const columns = named.map(([, column]) => column);
  const of = (table: string): string => columns.map((column) => `${table}.${column}`).join(', ');
  return transaction(db, async (tx) => {
    await tx.query(`create temporary table staging (sku text, title text, category text, price numeric(12, 2),
      currency text, stock integer, description text, url text) on commit drop`);
    await copyInto(
      tx,
      'staging (sku, title, category, price, currency, stock, description, url)',
      products.map((p): CopyValue[] => [
        p.sku,
        p.title,
        p.category,
        p.price,
        p.currency,
        p.stock,
        p.description,
        p.url,
      ]),
    );
    const { rows } = await tx.query<{ added: number; changed: number }>(
      `with put as (
         insert into product (sku, title, category, price, currency, stock, description, url)
         select sku, title, category, price, currency, stock, description, url from staging
         on conflict (sku) do update
           set ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}, updated_at = clock_timestamp()
           where (${of('product')}) is distinct from (${of('excluded')})
         returning (xmax = 0) as is_new)
       select count(*) filter (where is_new) as added, count(*) filter (where not is_new) as changed from put`,
    );
    return { added: rows[0]!.added, changed: rows[0]!.changed };
  });
}

/** Sets the fields of people that the mapping does not name to what is known of them, so that loading changes nothing there. */
export async function keepUnnamed(
  db: Db,
  people: readonly PersonRecord[],
  { fields }: Mapping,
): Promise<void> {
  const unnamed = (['email', 'name', 'country', 'timeZone', 'locale'] as const).filter(
    (field) => fields[field] === undefined,
  );
  if (unnamed.length === 0) return;
  const { rows } = await db.query<Record<string, string | null>>(
    `select external_id, address as email, name, country, time_zone as "timeZone", locale
     from person where external_id = any ($1)`,
    [people.map((person) => person.externalId)],
  );
  const known = new Map(rows.map((row) => [row['external_id']!, row]));
  for (const person of people) {
    const row = known.get(person.externalId);
    if (row) for (const field of unnamed) person[field] = row[field] ?? null;
  }
}

/** Sets consents; an older one never overrules a newer. Records of people whom nobody knows are given back. */
export async function putConsents(
  db: Db,
  consents: readonly ConsentRecord[],
): Promise<Loaded & { unknown: Set<string> }> {
  return transaction(db, async (tx) => {
    const ids = await personIds(tx, [...new Set(consents.map((one) => one.externalId))]);
    const known = consents.filter((one) => ids.has(one.externalId));
    const { rows } = await tx.query<{ person_id: number; is_new: boolean }>(
      `insert into consent (person_id, granted, at, source)
       select distinct on (p) p, g, to_timestamp(a / 1000.0), s
       from unnest($1::bigint[], $2::boolean[], $3::double precision[], $4::text[]) with ordinality as x (p, g, a, s, n)
       order by p, a desc, n desc
       on conflict (person_id, channel) do update set granted = excluded.granted, at = excluded.at,
         source = excluded.source where consent.at < excluded.at
       returning person_id, (xmax = 0) as is_new`,
      [
        known.map((one) => ids.get(one.externalId)),
        known.map((one) => one.granted),
        known.map((one) => one.atMs),
        known.map((one) => one.source),
      ],
    );
    await tellPeople(
      tx,
      rows.map((row) => row.person_id),
    );
    const added = rows.filter((row) => row.is_new).length;
    const unknown = consents.map((one) => one.externalId).filter((id) => !ids.has(id));
    return { added, changed: rows.length - added, unknown: new Set(unknown) };
  });
}

export interface PutEvents extends PutRecords {
  /** People who were known from these events only, and were added with their id alone. */
  peopleAdded: number;
}

/** Appends events for the shop's ids of people; one transaction for the people, one for the events. */
export async function putEvents(
  db: Db,
  events: readonly LoadEvent[],
  unknownCustomer: 'mend' | 'keep',
  note: (what: string) => void,
): Promise<PutEvents> {
  const firstSeen = new Map<string, number>();
  for (const { externalId, atMs } of events) {
    if (externalId === null) continue;
    firstSeen.set(externalId, Math.min(atMs, firstSeen.get(externalId) ?? Infinity));
  }
  const ids = await personIds(db, [...firstSeen.keys()]);
  const strangers = [...firstSeen].filter(([externalId]) => !ids.has(externalId));
  let peopleAdded = 0;
  if (strangers.length > 0 && unknownCustomer === 'mend') {
    peopleAdded = await addStrangers(db, strangers);
    const added = await personIds(
      db,
      strangers.map(([externalId]) => externalId),
    );
    for (const [externalId, id] of added) ids.set(externalId, id);
  }
  for (const { externalId } of events) {
    if (externalId === null) note('without a customer, kept as anonymous');
    else if (!ids.has(externalId)) note('customer not known, kept as anonymous');
  }
  const put = await putRecords(db, events, ({ externalId }) =>
    externalId === null ? null : (ids.get(externalId) ?? null),
  );
  return { ...put, peopleAdded };
}

/** People of whom only the id is known, without address and consent; somebody else may add them at the same time. */
async function addStrangers(
  db: Db,
  strangers: readonly (readonly [externalId: string, firstSeenMs: number])[],
): Promise<number> {
  return transaction(db, async (tx) => {
    const { rows } = await tx.query<{ id: number }>(
      `insert into person (external_id, created_at)
       select e, to_timestamp(a / 1000.0) from unnest($1::text[], $2::double precision[]) as x (e, a)
       on conflict (external_id) do nothing returning id`,
      [
        strangers.map(([externalId]) => externalId),
        strangers.map(([, firstSeenMs]) => firstSeenMs),
      ],
    );
    await tellPeople(
      tx,
      rows.map((row) => row.id),
    );
    return rows.length;
  });
}

/** What is in the catalogue; `skus` is null where there are more products than should be held in memory. */
export async function catalogue(
  db: Db,
  max = 500_000,
): Promise<{ categories: Map<string, string>; skus: Set<string> | null }> {
  const { rows } = await db.query<{ sku: string; category: string }>(
    `select sku, category from product limit $1`,
    [max + 1],
  );
  if (rows.length > max) return { categories: new Map(), skus: null };
  const categories = rows.filter(({ category }) => category !== '');
  return {
    categories: new Map(categories.map((row) => [row.sku, row.category])),
    skus: new Set(rows.map(({ sku }) => sku)),
  };
}

/** Adds products that only orders know; those that are there meanwhile stay. Returns how many are new. */
export async function addUnknownProducts(
  db: Db,
  products: readonly ProductRecord[],
): Promise<number> {
  const { rowCount } = await db.query(
    `insert into product (sku, title, category, price, currency)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::text[]) on conflict do nothing`,
    [
      products.map(({ sku }) => sku),
      products.map(({ title }) => title),
      products.map(({ category }) => category),
      products.map(({ price }) => Math.min(price, 9_999_999_999)),
      products.map(({ currency }) => currency),
    ],
  );
  return rowCount ?? 0;
}
