import type { Queryable } from './postgres.ts';

/** Small facts about this installation: which shop was loaded, the sender's identity, what a demo did. */
export async function readSetting<T>(db: Queryable, key: string): Promise<T | null> {
  const { rows } = await db.query<{ value: T }>('select value from setting where key = $1', [key]);
  return rows[0]?.value ?? null;
}

export async function writeSetting(db: Queryable, key: string, value: unknown): Promise<void> {
  await db.query(
    `insert into setting (key, value) values ($1, $2)
     on conflict (key) do update set value = excluded.value, updated_at = clock_timestamp()`,
    [key, JSON.stringify(value)],
  );
}
