import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { setShopClock } from '../../store/clock.ts';
import type { ImportKind, Mapping } from '../../store/import/mapping.ts';
import { checkMapping } from '../../store/import/mapping.schema.ts';
import { importFiles, type ImportRequest } from '../../store/import/pipeline.ts';
import type { ImportReport } from '../../store/import/report.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';
import { newFolder, writeFiles } from './support.ts';

/** A database and a folder of a suite's own; the tables are empty before each test. */
export let db: Db;
export let folder: string;
let database: TestDatabase;

export const databaseUrl = (): string => database.url;

export function useShop(): void {
  beforeAll(async () => {
    database = await createDatabase();
    db = connectPostgres(database.url, 'import test', 4);
    folder = newFolder();
  });
  afterAll(async () => {
    await db.end();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await db.query(
      'truncate import_record, event_superseded, person, consent, product, event, message_key restart identity cascade',
    );
    await setShopClock(db, Date.parse('2026-10-01T12:00:00Z'));
  });
}

export function mappingOf(yaml: string): Mapping {
  const { mapping, problems } = checkMapping(parse(yaml));
  if (!mapping) throw new Error(JSON.stringify(problems));
  return mapping;
}

export async function run(
  kind: ImportKind,
  content: string,
  options: Partial<ImportRequest> & { name?: string; yaml?: string } = {},
): Promise<ImportReport> {
  const { name = `${kind}.csv`, yaml, ...request } = options;
  writeFiles(folder, { [name]: content });
  const mapping = yaml === undefined ? undefined : mappingOf(yaml);
  return importFiles(db, { kind, files: [join(folder, name)], mapping, ...request });
}

export const rejectedRows = (name: string): string =>
  readFileSync(join(folder, `${name}.rejected.csv`), 'utf8');

export async function people(): Promise<Record<string, unknown>[]> {
  const { rows } = await db.query<Record<string, unknown>>(
    `select external_id as id, address, name, country, traits, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD') as joined,
       k.granted, k.source, to_char(k.at at time zone 'UTC', 'YYYY-MM-DD') as agreed
     from person left join consent k on k.person_id = person.id order by external_id`,
  );
  return rows;
}

export async function events(): Promise<Record<string, unknown>[]> {
  const { rows } = await db.query<Record<string, unknown>>(
    `select message_id, type, external_id as who, to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as at, properties
     from event left join person on person.id = person_id where type <> 'Traits Changed' order by message_id`,
  );
  return rows;
}

export const toldCount = async (): Promise<number> =>
  (await db.query<{ n: number }>(`select count(*) as n from event where type = 'Traits Changed'`))
    .rows[0]!.n;
