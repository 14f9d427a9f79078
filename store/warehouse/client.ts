import { type IdentityStatements, identityStatements } from './identity.ts';
import { KairosError } from '../../domain/errors.ts';
import type { WarehousePerson, WarehouseRow } from '../../domain/warehouse-rows.ts';
import { connect, type ConnectionOptions, type QueryParams } from './connection.ts';
import { EVENT_COLUMNS, eventValues, PERSON_COLUMNS, personValues } from './row-values.ts';
import { CREATE_TABLES, TABLES, WAREHOUSE_DATABASE } from './schema.ts';

export interface ScoreRow {
  model: string;
  personId: number;
  /** Shop time of the features that the score was made from. */
  atMs: number;
  /** The model's version; of two scores with the same time the higher one counts. */
  version: number;
  value: number;
}

export interface ClusterRow {
  personId: number;
  /** One and the same for all people of a clustering. */
  atMs: number;
  version: number;
  name: string;
}

/** Which events go by age; as in the log, see `store/retention.ts`. */
export interface OldEvents {
  types: readonly string[];
  /** The types are those that stay. */
  except: boolean;
  /** Only of visitors whom nobody knows. */
  anonymous: boolean;
}

export interface WarehouseCounts {
  /** Events, and rows of events with the lines of orders. */
  events: number;
  rows: number;
  people: number;
  /** The highest id of the log that is here; 0 where there is none. */
  lastEventId: number;
}

/** Events of the log by their ids, with the times between which they lie. */
export interface RemovedEvents {
  readonly ids: readonly number[];
  readonly fromMs: number;
  readonly toMs: number;
}

export type WarehouseOptions = Omit<ConnectionOptions, 'database'> & { database?: string };

/**
 * The one way to the warehouse, embedded or cluster. Every method throws KairosError WAREHOUSE_DOWN where nothing
 * answers, and `ClickHouseError` (with `code` and `type`) where a statement fails.
 */
export interface Warehouse extends IdentityStatements {
  /** Creates what is missing; safe to repeat. */
  setUp(): Promise<void>;
  /** Empties the warehouse, with what it remembers of tokens, so that all can be projected again. */
  reset(): Promise<void>;
  /** Inserts the rows once, however often it is called with the same token and the same rows. */
  insertEvents(rows: readonly WarehouseRow[], token: string): Promise<void>;
  /** A higher version replaces a lower one. */
  upsertPeople(people: readonly WarehousePerson[]): Promise<void>;
  insertScores(rows: readonly ScoreRow[]): Promise<void>;
  insertClusters(rows: readonly ClusterRow[]): Promise<void>;
  /** All rows of a small result. */
  query<T>(sql: string, params?: QueryParams): Promise<T[]>;
  /** A result of any size, in batches as they come. */
  stream<T>(sql: string, params?: QueryParams): AsyncIterable<T[]>;
  counts(): Promise<WarehouseCounts>;
  /** Removes events with their lines; safe to repeat. */
  removeEvents(removed: RemovedEvents): Promise<void>;
  /** Removes what is older than `beforeMs` of the types, or of all but them. */
  deleteOldEvents(rule: OldEvents, beforeMs: number): Promise<void>;
  /** Removes all that is known of these people. */
  erase(personIds: readonly number[]): Promise<void>;
  /** Whether it answers now. */
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

/** Ids of one statement: these stand in a URL. */
const ERASE_BATCH = 500;

export function createWarehouse(options: WarehouseOptions): Warehouse {
  const database = checkedName(options.database ?? WAREHOUSE_DATABASE);
  const connection = connect({ ...options, database });
  const { insert, query, command, stream, ping, close } = connection;
  const setUp = (): Promise<void> => setUpTables({ ...options, database }, connection);
  return {
    setUp,
    async reset() {
      // TRUNCATE would keep the tokens, and the events would then never come back.
      for (const table of TABLES) await command(`DROP TABLE IF EXISTS ${table} SYNC`);
      await setUp();
    },
    insertEvents: (rows, token) => insert('event', EVENT_COLUMNS, rows.map(eventValues), token),
    upsertPeople: (people) => insert('person', PERSON_COLUMNS, people.map(personValues)),
    insertScores: (rows) =>
      insert(
        'score',
        ['model', 'person_id', 'at', 'version', 'value'],
        rows.map((row) => [row.model, row.personId, Math.floor(row.atMs), row.version, row.value]),
      ),
    insertClusters: (rows) =>
      insert(
        'person_cluster',
        ['at', 'person_id', 'version', 'name'],
        rows.map((row) => [Math.floor(row.atMs), row.personId, row.version, row.name]),
      ),
    query,
    stream,
    async counts() {
      const [row] = await query<WarehouseCounts>(
        `SELECT countIf(line = 0) AS events, count() AS rows, max(event_id) AS lastEventId,
           (SELECT uniqExact(person_id) FROM person) AS people FROM event`,
      );
      return row!;
    },
    ...identityStatements(command),
    async removeEvents({ ids, fromMs, toMs }) {
      for (let from = 0; from < ids.length; from += ERASE_BATCH) {
        await command(
          `ALTER TABLE event DELETE WHERE event_id IN {ids:Array(UInt64)}
             AND at >= fromUnixTimestamp64Milli({from:Int64}) AND at <= fromUnixTimestamp64Milli({to:Int64})
           SETTINGS mutations_sync = 2`,
          { ids: ids.slice(from, from + ERASE_BATCH), from: fromMs, to: toMs },
        );
      }
    },
    deleteOldEvents: ({ types, except, anonymous }, beforeMs) =>
      command(
        `ALTER TABLE event DELETE WHERE at < fromUnixTimestamp64Milli({before:Int64})
           AND type ${except ? 'NOT IN' : 'IN'} {types:Array(String)} ${anonymous ? 'AND person_id = 0' : ''}
         SETTINGS mutations_sync = 2`,
        { before: Math.floor(beforeMs), types },
      ),
    async erase(personIds) {
      for (let from = 0; from < personIds.length; from += ERASE_BATCH) {
        const ids = personIds.slice(from, from + ERASE_BATCH);
        for (const table of TABLES) {
          await command(
            `ALTER TABLE ${table} DELETE WHERE person_id IN {ids:Array(UInt64)} SETTINGS mutations_sync = 2`,
            { ids },
          );
        }
      }
    },
    ping,
    close,
  };
}

async function setUpTables(
  options: ConnectionOptions,
  { query, command }: ReturnType<typeof connect>,
): Promise<void> {
  const { database } = options;
  // By a connection of its own: the database may not exist yet.
  const first = connect({ ...options, database: 'default' });
  try {
    await first.command(`CREATE DATABASE IF NOT EXISTS ${database}`);
  } finally {
    await first.close();
  }
  // A table of an earlier version: all of it is in the log, and `recover` copies it again.
  const [old] = await query<{ n: number }>(
    `SELECT count() AS n FROM system.columns WHERE database = {database:String} AND table = 'event'`,
    { database },
  );
  if (old!.n > 0 && old!.n !== EVENT_COLUMNS.length) await command('DROP TABLE event SYNC');
  for (const statement of CREATE_TABLES) await command(statement);
}

function checkedName(name: string): string {
  if (/^[a-z_][a-z0-9_]*$/.test(name)) return name;
  throw new KairosError('CONFIG_INVALID', 'The warehouse’s database is named with a–z, 0–9 and _.');
}
