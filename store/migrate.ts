import { LOCKS } from './locks.ts';
import { readFile, readdir } from 'node:fs/promises';
import { type Db, transaction } from './postgres.ts';

const FOLDER = new URL('./migrations/', import.meta.url);

/** Applies the migrations that are missing, each in a transaction, in the order of their names. Returns their names. */
export async function migrate(db: Db): Promise<string[]> {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).sort();
  const applied: string[] = [];
  await transaction(db, async (tx) => {
    await tx.query('select pg_advisory_xact_lock($1)', [LOCKS.migrate]);
    await tx.query(`create table if not exists migration (
      name text primary key, applied_at timestamptz not null default clock_timestamp())`);
    const { rows } = await tx.query<{ name: string }>('select name from migration');
    const known = new Set(rows.map((row) => row.name));
    for (const name of files) {
      if (known.has(name)) continue;
      await tx.query(await readFile(new URL(name, FOLDER), 'utf8'));
      await tx.query('insert into migration (name) values ($1)', [name]);
      applied.push(name);
    }
  });
  return applied;
}
