import { LOCKS } from './locks.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENT } from '../domain/records.ts';
import { backoffMs } from '../domain/retry.ts';
import { type LogPosition, type LoggedEvent, readLog } from './events.ts';
import { eachOrderOnce } from './order-key.ts';
import type { Db, Queryable } from './postgres.ts';

/** Where the projector writes to. The same token means the same rows: the second time they must change nothing. */
export type ProjectionSink = (events: readonly LoggedEvent[], token: string) => Promise<void>;

const NAME = 'warehouse';
/** Rows of the log in one step: one insert into the warehouse, small enough to hold in memory. */
const STEP = 20_000;
/** Fewer rows than this are not worth an insert of their own while more are coming. */
const FEW = 5_000;

interface ProjectorRow {
  xid: string;
  id: number;
  next_xid: string | null;
  next_id: number | null;
}

/** Reading changes nothing, so that waiting for the log writes nothing either. */
async function readPosition(db: Queryable): Promise<ProjectorRow> {
  const read = (): Promise<{ rows: ProjectorRow[] }> =>
    db.query<ProjectorRow>(
      'select xid::text as xid, id, next_xid::text as next_xid, next_id from projector where name = $1',
      [NAME],
    );
  const { rows } = await read();
  if (rows[0]) return rows[0];
  await db.query('insert into projector (name) values ($1) on conflict do nothing', [NAME]);
  return (await read()).rows[0]!;
}

/** How far the warehouse has the log. */
export async function projectorPosition(db: Queryable): Promise<LogPosition> {
  const { xid, id } = await readPosition(db);
  return { xid, id };
}

/**
 * Copies the next rows of the log. The range is written down before it is inserted, so that after a crash the very same
 * rows are inserted under the very same token, and the warehouse drops the second copy. Returns how many rows.
 */
export async function projectStep(db: Db, sink: ProjectionSink, step = STEP): Promise<number> {
  const at = await readPosition(db);
  const known = at.next_xid === null ? undefined : { xid: at.next_xid, id: at.next_id! };
  const events = await readLog(db, at, known ? Number.MAX_SAFE_INTEGER : step, known);
  if (events.length === 0) return 0;
  const last = events.at(-1)!;
  if (!known) {
    await db.query('update projector set next_xid = $2::text::xid8, next_id = $3 where name = $1', [
      NAME,
      last.xid,
      last.id,
    ]);
  }
  const told = await eachOrderOnce(db, events);
  await sink(told.flatMap(expandSettled), `log-${at.xid}-${at.id}-${last.xid}-${last.id}`);
  // Whoever follows the warehouse is told, so that it needs not ask (store/live/).
  await db.query(
    `with moved as (update projector set xid = $2::text::xid8, id = $3, next_xid = null, next_id = null,
       projected = projected + $4, updated_at = clock_timestamp() where name = $1 returning name)
     select pg_notify('kairos_live', 'projector') from moved`,
    [NAME, last.xid, last.id, events.length],
  );
  return events.length;
}

/** One log row of a window of sent messages stands for one event of each person of it. */
export function expandSettled(event: LoggedEvent): LoggedEvent[] {
  if (event.type !== 'Messages Settled') return [event];
  const { campaign, step, sent, bounced } = event.properties as {
    campaign: string;
    step: number;
    sent: number[];
    bounced: number[];
  };
  const make =
    (type: string) =>
    (personId: number): LoggedEvent => ({
      ...event,
      type,
      personId,
      properties: { campaign, step },
    });
  return [...sent.map(make(EVENT.emailDelivered)), ...bounced.map(make(EVENT.emailBounced))];
}

export interface ProjectorLoop {
  stop(): Promise<void>;
}

/** Projects for ever, one process at a time; failures are told to `log` and tried again. */
export function runProjector(
  db: Db,
  sink: ProjectionSink,
  log: (event: string, detail: Record<string, unknown>) => void,
  idleMs = 100,
): ProjectorLoop {
  const stop = new AbortController();
  const pause = (ms: number): Promise<void> =>
    sleep(ms, undefined, { signal: stop.signal }).then(
      () => {},
      () => {},
    );
  const done = (async () => {
    for (let failures = 0; !stop.signal.aborted;) {
      try {
        await withLock(db, async () => {
          while (!stop.signal.aborted) {
            const projected = await projectStep(db, sink);
            failures = 0;
            if (projected === 0) await pause(idleMs);
            // Many small inserts cost the warehouse more than few larger ones: waits for company, within the 2 s bar.
            else if (projected < FEW) await pause(5 * idleMs);
          }
        });
        await pause(1_000);
      } catch (error) {
        failures += 1;
        log('projector failed', { error: (error as Error).message, failures });
        await pause(backoffMs(failures, 200, 5_000));
      }
    }
  })();
  return {
    async stop() {
      stop.abort();
      await done;
    },
  };
}

/** Runs `work` while this session holds the projector's lock; returns at once where another has it. */
async function withLock(db: Db, work: () => Promise<void>): Promise<void> {
  const client = await db.connect();
  let broken: Error | undefined;
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    const { rows } = await client.query<{ got: boolean }>(
      'select pg_try_advisory_lock($1) as got',
      [LOCKS.projector],
    );
    if (!rows[0]!.got) return;
    await work();
  } finally {
    await client
      .query('select pg_advisory_unlock($1)', [LOCKS.projector])
      .catch((error: Error) => (broken = error));
    client.off('error', onError);
    client.release(broken);
  }
}

/** Waits until the projector has passed what is the log's head now. */
export async function awaitProjected(
  db: Db,
  options: { timeoutMs: number; signal?: AbortSignal } = { timeoutMs: 600_000 },
): Promise<void> {
  const { rows } = await db.query<{ xid: string; id: number }>(
    'select xid::text as xid, id from event order by event.xid desc, event.id desc limit 1',
  );
  const head = rows[0];
  if (!head) return;
  const until = Date.now() + options.timeoutMs;
  for (let waitMs = 10; ; waitMs = Math.min(500, waitMs * 1.5)) {
    if (isAt(await readPosition(db), head)) return;
    if (Date.now() > until) {
      throw new Error(
        `the projector has not passed the log's head in ${options.timeoutMs} ms; is the server running?`,
      );
    }
    options.signal?.throwIfAborted();
    await sleep(waitMs);
  }
}

function isAt(position: LogPosition, head: LogPosition): boolean {
  const [a, b] = [BigInt(position.xid), BigInt(head.xid)];
  return a > b || (a === b && position.id >= head.id);
}

/** Forgets how far the warehouse is, so that everything is copied again; the warehouse must be empty then. */
export async function resetProjector(db: Queryable): Promise<void> {
  await db.query(
    `update projector set xid = '0'::xid8, id = 0, next_xid = null, next_id = null, projected = 0 where name = $1`,
    [NAME],
  );
}

/** Rows that the projector has copied, and the log's length. */
export async function projectorState(
  db: Queryable,
): Promise<{ projected: number; logged: number; xid: string; id: number }> {
  const { rows } = await db.query<{ projected: number; logged: number; xid: string; id: number }>(
    `select coalesce(max(p.projected), 0) as projected, (select count(*) from event) as logged,
       coalesce(max(p.xid::text), '0') as xid, coalesce(max(p.id), 0) as id from projector p where p.name = $1`,
    [NAME],
  );
  return rows[0]!;
}
