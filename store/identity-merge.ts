import { canonicalJson } from '../domain/canonical.ts';
import { tellOfMerge } from './identity-events.ts';
import { tellPeople } from './people.ts';
import type { Tx } from './postgres.ts';

/** What a merge changed, with what was there before. */
export interface Merge {
  fromId: number;
  intoId: number;
  from: PersonFields;
  before: PersonFields;
  after: PersonFields;
  consents: { from: ConsentRow[]; before: ConsentRow[]; after: ConsentRow[] };
  visitors: string[];
  /** People who had gone into `from` before. */
  merged: number[];
  /** Campaigns in which the two rows, or the one that there was, changed hands. */
  campaigns: number[];
}

interface PersonFields {
  address: string | null;
  unit: string | null;
  lane: number;
  name: string | null;
  country: string | null;
  time_zone: string | null;
  locale: string | null;
  traits: Record<string, unknown>;
}

interface ConsentRow {
  channel: string;
  granted: boolean;
  at: string;
  source: string;
}

/** Alike as JSON: the database keeps an object's fields in an order of its own. */
const same = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b);

const FIELDS = 'address, unit, lane, name, country, time_zone, locale, traits';

/** Puts `from` into `into`, who keeps what is known of them; the newer consent counts. Events are moved elsewhere. */
export async function mergePeople(tx: Tx, fromId: number, intoId: number): Promise<Merge> {
  const [from, before] = [await fieldsOf(tx, fromId), await fieldsOf(tx, intoId)];
  const after = mergedFields(from, before);
  const consents = { from: await consentsOf(tx, fromId), before: await consentsOf(tx, intoId) };
  const newest = mergedConsents(consents.from, consents.before);
  await putFields(tx, intoId, after);
  await putFields(tx, fromId, { ...from, address: null, unit: null });
  await tx.query('update person set merged_into = $2 where id = $1', [fromId, intoId]);
  const merged = await tx.query<{ id: number }>(
    'update person set merged_into = $2 where merged_into = $1 returning id',
    [fromId, intoId],
  );
  await putConsents(tx, fromId, []);
  await putConsents(tx, intoId, newest);
  const visitors = await tx.query<{ anonymous_id: string }>(
    'update visitor set person_id = $2 where person_id = $1 returning anonymous_id',
    [fromId, intoId],
  );
  const campaigns = await exchangeable(tx, fromId, intoId);
  await exchange(tx, campaigns, fromId, intoId);
  await tellOfMerge(tx, fromId, intoId);
  await tellPeople(tx, [intoId]);
  return {
    fromId,
    intoId,
    from,
    before,
    after,
    consents: { ...consents, after: newest },
    visitors: visitors.rows.map((row) => row.anonymous_id),
    merged: merged.rows.map((row) => row.id),
    campaigns,
  };
}

/** The reverse. What was said of the merged person since then stays; `rootId` is who that is by now. */
export async function splitPeople(tx: Tx, merge: Merge, rootId: number): Promise<void> {
  const { fromId, from, before, after } = merge;
  const now = await fieldsOf(tx, rootId);
  await putFields(tx, rootId, unmergedFields(now, before, after));
  await tx.query('update person set merged_into = null where id = $1', [fromId]);
  await tx.query('update person set merged_into = $1 where id = any ($2) and merged_into = $3', [
    fromId,
    merge.merged,
    rootId,
  ]);
  await putFields(tx, fromId, from);
  await putConsents(tx, fromId, merge.consents.from);
  if (same(await consentsOf(tx, rootId), merge.consents.after)) {
    await putConsents(tx, rootId, merge.consents.before);
  }
  await tx.query(
    'update visitor set person_id = $1 where anonymous_id = any ($2) and person_id = $3',
    [fromId, merge.visitors, rootId],
  );
  await exchange(tx, merge.campaigns, fromId, rootId);
  await tellPeople(tx, [fromId, rootId]);
}

async function fieldsOf(tx: Tx, id: number): Promise<PersonFields> {
  const { rows } = await tx.query<PersonFields>(
    `select ${FIELDS} from person where id = $1 for update`,
    [id],
  );
  return rows[0]!;
}

async function putFields(tx: Tx, id: number, fields: PersonFields): Promise<void> {
  await tx.query(
    `update person set (${FIELDS}, updated_at) = ($2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp()) where id = $1`,
    [
      id,
      fields.address,
      fields.unit,
      fields.lane,
      fields.name,
      fields.country,
      fields.time_zone,
      fields.locale,
      JSON.stringify(fields.traits),
    ],
  );
}

function mergedFields(from: PersonFields, into: PersonFields): PersonFields {
  const address = into.address === null ? from : into;
  return {
    address: address.address,
    unit: address.unit,
    lane: address.lane,
    name: into.name ?? from.name,
    country: into.country ?? from.country,
    time_zone: into.time_zone ?? from.time_zone,
    locale: into.locale ?? from.locale,
    traits: { ...from.traits, ...into.traits },
  };
}

/** Each field as before the merge, unless it was changed since. */
function unmergedFields(
  now: PersonFields,
  before: PersonFields,
  after: PersonFields,
): PersonFields {
  const fields = { ...now };
  for (const name of Object.keys(before) as (keyof PersonFields)[]) {
    if (name !== 'traits' && same(now[name], after[name])) {
      Object.assign(fields, { [name]: before[name] });
    }
  }
  const traits = Object.entries(now.traits).flatMap(([name, value]) => {
    const isMerged = Object.hasOwn(after.traits, name) && same(value, after.traits[name]);
    if (!isMerged) return [[name, value] as const];
    return Object.hasOwn(before.traits, name) ? [[name, before.traits[name]] as const] : [];
  });
  return { ...fields, traits: Object.fromEntries(traits) };
}

async function consentsOf(tx: Tx, id: number): Promise<ConsentRow[]> {
  const { rows } = await tx.query<ConsentRow>(
    'select channel, granted, at::text, source from consent where person_id = $1 order by channel',
    [id],
  );
  return rows;
}

async function putConsents(tx: Tx, id: number, consents: readonly ConsentRow[]): Promise<void> {
  await tx.query('delete from consent where person_id = $1', [id]);
  await tx.query(
    `insert into consent (person_id, channel, granted, at, source)
     select $1, * from unnest($2::text[], $3::boolean[], $4::timestamptz[], $5::text[])`,
    [
      id,
      consents.map((row) => row.channel),
      consents.map((row) => row.granted),
      consents.map((row) => row.at),
      consents.map((row) => row.source),
    ],
  );
}

/** Per channel the newer word; of two at the same moment the "no". */
function mergedConsents(a: readonly ConsentRow[], b: readonly ConsentRow[]): ConsentRow[] {
  const byChannel = new Map<string, ConsentRow>();
  for (const row of [...a, ...b]) {
    const known = byChannel.get(row.channel);
    const [mine, theirs] = [Date.parse(row.at), known ? Date.parse(known.at) : -Infinity];
    if (mine > theirs || (mine === theirs && !row.granted)) byChannel.set(row.channel, row);
  }
  return [...byChannel.values()].sort((x, y) => (x.channel < y.channel ? -1 : 1));
}

/**
 * Campaigns whose rows change hands: where only `from` is in the audience, and where both are but `from` was known
 * first, so that the earliest assignment to an arm is the merged person's. Those with a message under way are left
 * alone: a sender may hold it.
 */
async function exchangeable(tx: Tx, fromId: number, intoId: number): Promise<number[]> {
  const { rows } = await tx.query<{ no: number }>(
    `select f.campaign_no as no from audience_member f
     where f.person_id = $1
       and (not exists (select from audience_member i where i.campaign_no = f.campaign_no and i.person_id = $2)
         or (select (a.created_at, a.id) < (b.created_at, b.id) from person a, person b where a.id = $1 and b.id = $2))
       and not exists (select from message m where m.campaign_no = f.campaign_no
         and m.person_id = any (array[$1, $2]::bigint[]) and m.state < 10)
     order by 1`,
    [fromId, intoId],
  );
  return rows.map((row) => row.no);
}

/** Exchanges what two people have in campaigns; twice is as before. */
async function exchange(tx: Tx, campaigns: readonly number[], a: number, b: number): Promise<void> {
  if (campaigns.length === 0) return;
  await tx.query(
    `update audience_member set person_id = case person_id when $2 then $3 else $2 end
     where campaign_no = any ($1) and person_id = any (array[$2, $3]::bigint[])`,
    [campaigns, a, b],
  );
  // A key may not be there twice, not even for a moment: by way of a number that no person has.
  for (const [from, to] of [
    [a, -a],
    [b, a],
    [-a, b],
  ]) {
    await tx.query(
      'update message set person_id = $3 where campaign_no = any ($1) and person_id = $2',
      [campaigns, from, to],
    );
  }
}
