import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectPostgres, type Db } from '../../store/postgres.ts';
import { createDatabase, type TestDatabase } from './stack.ts';

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'stack test', 2);
});
afterAll(async () => {
  await db.end();
  await database.drop();
});

it('gives a suite a migrated database of its own, whose role is no superuser', async () => {
  const { rows } = await db.query<{ name: string; superuser: boolean; tables: number }>(
    `select current_database() as name, rolsuper as superuser,
      (select count(*)::int from migration) as tables
      from pg_roles where rolname = current_user`,
  );
  expect(rows).toEqual([{ name: database.name, superuser: false, tables: expect.any(Number) }]);
  expect(rows[0]?.tables).toBeGreaterThan(0);
});

it('refuses a connection without the password', async () => {
  const wrong = connectPostgres(database.url.replace(/:[^:@]+@/, ':wrong@'), 'stack test', 1);
  await expect(wrong.query('select 1')).rejects.toThrow(/password/);
  await wrong.end();
});
