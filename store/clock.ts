import type { ShopClock } from '../domain/clock.ts';
import type { Db, Queryable } from './postgres.ts';

/** A process's view of the shop clock: the offset is read again every `refreshMs`. */
export interface StoredClock extends ShopClock {
  refresh(): Promise<void>;
  stop(): void;
}

export async function openShopClock(db: Db, refreshMs = 500): Promise<StoredClock> {
  let offsetMs = 0;
  const refresh = async (): Promise<void> => {
    offsetMs = await readOffset(db);
  };
  await refresh();
  // While PostgreSQL restarts the last offset stays in force.
  const timer = setInterval(() => void refresh().catch(() => {}), refreshMs);
  timer.unref();
  return { nowMs: () => Date.now() + offsetMs, refresh, stop: () => clearInterval(timer) };
}

async function readOffset(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ offset_ms: number }>('select offset_ms from shop_clock');
  return rows[0]?.offset_ms ?? 0;
}

/** Shop time by the database, in milliseconds since the Unix epoch. */
export async function shopNowMs(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ ms: number }>(
    'select floor(extract(epoch from shop_now()) * 1000)::bigint as ms',
  );
  return rows[0]!.ms;
}

/** Sets the shop clock to `atMs`. Time never goes back once a campaign has run: messages would change their order. */
export async function setShopClock(db: Queryable, atMs: number): Promise<void> {
  await db.query(
    `update shop_clock set moved_at = clock_timestamp(),
       offset_ms = $1::bigint - floor(extract(epoch from clock_timestamp()) * 1000)::bigint`,
    [Math.round(atMs)],
  );
}
