import type { PersonFacts } from '../../domain/segment-eval.ts';
import type { TraitValue } from '../../domain/records.ts';
import type { WarehousePerson, WarehouseRow } from '../../domain/warehouse-rows.ts';
import type { Warehouse } from './client.ts';

/** Which facts are wanted: no more is read than what the segments in question look at. */
export interface WantedFacts {
  /** Types of rows; null for all. */
  readonly types: readonly string[] | null;
  /** Whether properties are asked for that have no column. */
  readonly ownProperties: boolean;
  readonly scores: readonly string[];
  readonly clusters: boolean;
  /** Shop time: the newest clustering before it counts. */
  readonly nowMs: number;
}

type Maps<T> = {
  text: Record<string, string>;
  number: Record<string, number>;
  flag: Record<string, T>;
};

/** What the warehouse knows of these people, in at most four queries for all of them; who is not there is unknown. */
export async function factsOf(
  warehouse: Warehouse,
  ids: readonly number[],
  wanted: WantedFacts,
): Promise<Map<number, PersonFacts>> {
  const [people, rows, scores, clusters] = await Promise.all([
    readPeople(warehouse, ids),
    readRows(warehouse, ids, wanted),
    readScores(warehouse, ids, wanted.scores),
    wanted.clusters ? readClusters(warehouse, ids, wanted.nowMs) : new Map<number, string>(),
  ]);
  return new Map(
    people.map((person) => [
      person.personId,
      {
        person,
        rows: rows.get(person.personId) ?? [],
        scores: scores.get(person.personId) ?? [],
        cluster: clusters.get(person.personId) ?? null,
      },
    ]),
  );
}

async function readPeople(
  warehouse: Warehouse,
  ids: readonly number[],
): Promise<WarehousePerson[]> {
  const rows = await warehouse.query<
    Omit<WarehousePerson, 'traits' | 'consent' | 'hasAddress'> & {
      consent: number;
      hasAddress: number;
    } & Maps<number>
  >(
    `SELECT person_id AS personId, version, external_id AS externalId, country, time_zone AS timeZone, locale, consent,
       has_address AS hasAddress, text_traits AS text, number_traits AS number, flag_traits AS flag,
       toUnixTimestamp64Milli(created_at) AS createdAtMs
     FROM person FINAL WHERE person_id IN {ids:Array(UInt64)}`,
    { ids: [...ids] },
  );
  return rows.map(({ text, number, flag, consent, hasAddress, ...person }) => ({
    ...person,
    consent: consent === 1,
    hasAddress: hasAddress === 1,
    traits: merged({ text, number, flag }),
  }));
}

async function readRows(
  warehouse: Warehouse,
  ids: readonly number[],
  { types, ownProperties }: WantedFacts,
): Promise<Map<number, WarehouseRow[]>> {
  if (types?.length === 0) return new Map();
  const found = await warehouse.query<
    Omit<WarehouseRow, 'machine' | 'properties'> & { machine: number } & Partial<Maps<number>>
  >(
    `SELECT event_id AS eventId, line, type, category, toUnixTimestamp64Milli(at) AS atMs, person_id AS personId, sku,
       order_id AS orderId, campaign, toInt64(amount * 100) AS amount, quantity, rating, machine
       ${ownProperties ? ', text_properties AS text, number_properties AS number, flag_properties AS flag' : ''}
     FROM event WHERE person_id IN {ids:Array(UInt64)}${types ? ' AND type IN {types:Array(String)}' : ''}`,
    { ids: [...ids], ...(types ? { types: [...types] } : {}) },
  );
  const rows = found.map(({ text, number, flag, machine, ...row }) => ({
    ...row,
    machine: machine === 1,
    properties: text
      ? (merged({ text, number: number!, flag: flag! }) as WarehouseRow['properties'])
      : {},
  }));
  return Map.groupBy(rows, (row) => row.personId);
}

async function readScores(
  warehouse: Warehouse,
  ids: readonly number[],
  models: readonly string[],
): Promise<Map<number, PersonFacts['scores'][number][]>> {
  if (models.length === 0) return new Map();
  const found = await warehouse.query<PersonFacts['scores'][number] & { personId: number }>(
    `SELECT person_id AS personId, model, toUnixTimestamp64Milli(at) AS atMs, version, value
     FROM score FINAL WHERE model IN {models:Array(String)} AND person_id IN {ids:Array(UInt64)}`,
    { models: [...models], ids: [...ids] },
  );
  return Map.groupBy(found, (score) => score.personId);
}

async function readClusters(
  warehouse: Warehouse,
  ids: readonly number[],
  nowMs: number,
): Promise<Map<number, string>> {
  const found = await warehouse.query<{ personId: number; name: string }>(
    `SELECT person_id AS personId, argMax(name, version) AS name FROM person_cluster
     WHERE at = (SELECT max(at) FROM person_cluster WHERE at < fromUnixTimestamp64Milli({now:Int64}))
       AND person_id IN {ids:Array(UInt64)} GROUP BY person_id`,
    { now: Math.ceil(nowMs), ids: [...ids] },
  );
  return new Map(found.map(({ personId, name }) => [personId, name]));
}

/** The three maps of the warehouse as one. */
function merged({ text, number, flag }: Maps<number>): Record<string, TraitValue> {
  return {
    ...text,
    ...number,
    ...Object.fromEntries(Object.entries(flag).map(([name, value]) => [name, value === 1])),
  };
}
