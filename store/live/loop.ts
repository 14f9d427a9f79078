import { LOCKS } from '../locks.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs } from '../../domain/retry.ts';
import type { StoredClock } from '../clock.ts';
import { type LogPosition, logBacklog } from '../events.ts';
import { type Db, type Queryable, transaction } from '../postgres.ts';
import { projectorPosition } from '../projector.ts';
import type { Warehouse } from '../warehouse/client.ts';
import { type LiveDefinitions, liveDefinitions, type LiveSegment } from './definitions.ts';
import { fillSegment, sweepStep } from './fill.ts';
import { CHUNK, LIVE, type LiveContext, lookAt, movePosition } from './members.ts';
import { keepSizes, nextDayMs } from './sizes.ts';
import { readTouched } from './touched.ts';

/** Keeps the members of all saved segments, one process at a time. */
export interface LiveLoop {
  stop(): Promise<void>;
}

export interface LiveOptions {
  readonly db: Db;
  readonly warehouse: Warehouse;
  readonly clock: Pick<StoredClock, 'nowMs' | 'refresh'>;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** Rows of the log in one step. */
const STEP = 10_000;
/** With more rows than that to catch up with, each segment is asked once of everybody. */
const CATCH_UP = 200_000;
/** How often a process looks whether the one before it has ended. */
const STAND_BY_MS = 2_000;
/** The longest that a timer can wait, less some. */
const TIMER_MS = 2_000_000_000;

/** Runs for ever; failures are told to `log` and tried again. */
export function runLiveSegments(options: LiveOptions): LiveLoop {
  const stop = new AbortController();
  const { log } = options;
  const pause = (ms: number): Promise<unknown> =>
    sleep(ms, undefined, { signal: stop.signal }).catch(() => {});
  const done = (async () => {
    for (let failures = 0; !stop.signal.aborted;) {
      try {
        await lead(options, stop.signal, () => (failures = 0));
        await pause(STAND_BY_MS);
      } catch (error) {
        failures += 1;
        log('live segments failed', { error: (error as Error).message, failures });
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

/** Works while this session holds the lock; returns at once where another has it. */
async function lead(options: LiveOptions, signal: AbortSignal, ok: () => void): Promise<void> {
  const client = await options.db.connect();
  const bell = new Bell(signal);
  let broken: Error | undefined;
  const onError = (error: Error): void => {
    broken = error;
    bell.ring('lost');
  };
  const onNotice = ({ payload }: { payload?: string | undefined }): void =>
    bell.ring(payload ?? '');
  client.on('error', onError);
  client.on('notification', onNotice);
  try {
    const { rows } = await client.query<{ got: boolean }>(
      'select pg_try_advisory_lock($1) as got',
      [LOCKS.liveSegments],
    );
    if (!rows[0]!.got) return;
    await client.query('listen kairos_live');
    const keeper = new LiveKeeper(options);
    while (!signal.aborted) {
      if (broken) throw broken;
      // Whatever is told from here on is work that the round below may not have seen.
      const isNew = bell.take();
      const waitMs = await keeper.round(isNew);
      ok();
      if (waitMs > 0) await bell.wait(waitMs);
    }
  } finally {
    client.off('notification', onNotice);
    await client
      .query('unlisten *; select pg_advisory_unlock_all()')
      .catch((error: Error) => (broken = error));
    client.off('error', onError);
    client.release(broken);
  }
}

/** Wakes the loop: PostgreSQL tells when the warehouse has more, a definition changed or the clock was moved. */
class Bell {
  /** Tables that changed; at first all may have. */
  #rung = new Set(['segment']);
  #wake: () => void = () => {};

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.ring('stop'));
  }

  ring(what: string): void {
    this.#rung.add(what);
    this.#wake();
  }

  take(): ReadonlySet<string> {
    const rung = this.#rung;
    this.#rung = new Set();
    return rung;
  }

  wait(ms: number): Promise<void> {
    if (this.#rung.size > 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, TIMER_MS));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** One round after the other over what there is to do; also for tests, which move by rounds of their own. */
export class LiveKeeper {
  readonly #options: LiveOptions;
  #definitions: LiveDefinitions = { shop: { timeZone: 'UTC' }, segments: [] };
  #sweeps = true;
  #loaded = false;
  #isFilled = false;
  #sizesKept = '';

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  /**
   * Does the next pieces of work. Returns how long nothing will be due: 0 where there is more at once.
   * @param rung tables that may have changed since the last round
   */
  async round(rung: ReadonlySet<string> = new Set(['segment'])): Promise<number> {
    const { db, clock } = this.#options;
    await clock.refresh();
    if (!this.#loaded || rung.has('segment') || rung.has('setting')) {
      this.#definitions = await liveDefinitions(db);
      this.#loaded = true;
      this.#isFilled = false;
    }
    const { segments } = this.#definitions;
    if (segments.length === 0) return TIMER_MS;
    const [from, seen] = await Promise.all([livePosition(db), projectorPosition(db)]);
    // The warehouse is being rebuilt: the projector tells when it is as far as it was.
    if (isBefore(seen, from)) return TIMER_MS;
    const context = this.#context(seen);
    if (!this.#isFilled) await this.#fill(context, from);
    this.#isFilled = true;
    const more = [await this.#follow(context), await this.#due(context)].includes(true);
    if (more) return 0;
    if (this.#sweeps) {
      this.#sweeps = await sweepStep(context, segments);
      if (this.#sweeps) return 0;
    }
    this.#sizesKept = await keepSizes(context, segments, this.#sizesKept);
    return this.#waitMs();
  }

  #context(seen: LogPosition): LiveContext {
    const { db, warehouse, clock } = this.#options;
    return { db, warehouse, shop: this.#definitions.shop, nowMs: () => clock.nowMs(), seen };
  }

  /** Fills what is new or means something else now. */
  async #fill(context: LiveContext, from: LogPosition): Promise<void> {
    const { db, log } = this.#options;
    const { segments } = this.#definitions;
    const { rows } = await db.query<{ segment: string; meaning: string }>(
      'select segment, meaning from segment_live',
    );
    const known = new Map(rows.map(({ segment, meaning }) => [segment, meaning]));
    if (segments.length > 0 && rows.length === 0) {
      // The first: what the warehouse has is asked of everybody, so the log matters from there on only.
      await transaction(db, (tx) => movePosition(tx, { from, to: context.seen }));
    }
    for (const segment of segments) {
      if (known.get(segment.name) === segment.meaning) continue;
      const members = await fillSegment(context, segment, { told: false });
      log('segment filled', { segment: segment.name, members });
      this.#sweeps = true;
    }
  }

  async #refresh(context: LiveContext, segments: Iterable<LiveSegment>): Promise<void> {
    for (const segment of segments) {
      await fillSegment(context, segment, { told: true });
      this.#sweeps = true;
    }
  }

  /** The next rows of the log, as far as the warehouse has them. */
  async #follow(context: LiveContext): Promise<boolean> {
    const { db } = context;
    const { segments } = this.#definitions;
    const [from, upTo] = [await livePosition(db), context.seen];
    const read = await readTouched(db, segments, { after: from, upTo, limit: STEP });
    if (!read.to) return false;
    if (read.isFull && (await logBacklog(db, from, CATCH_UP)) >= CATCH_UP) {
      await this.#refresh(context, segments);
      await transaction(db, (tx) => movePosition(tx, { from, to: upTo }));
      return true;
    }
    await this.#refresh(context, read.refresh);
    await lookAt(context, read.touched, { position: { from, to: read.to } });
    return read.isFull;
  }

  /** Those whom time has changed, the longest due first. */
  async #due(context: LiveContext): Promise<boolean> {
    const { rows } = await context.db.query<{ person_id: number; segment: string }>(
      'select person_id, segment from segment_due where due_ms <= $1 order by due_ms limit $2',
      [Math.floor(context.nowMs()), CHUNK],
    );
    if (rows.length === 0) return false;
    const byName = new Map(this.#definitions.segments.map((each) => [each.name, each]));
    const touched = new Map<number, Set<LiveSegment>>();
    for (const { person_id: personId, segment } of rows) {
      const live = byName.get(segment);
      if (live) touched.set(personId, (touched.get(personId) ?? new Set()).add(live));
    }
    await lookAt(context, touched);
    return true;
  }

  async #waitMs(): Promise<number> {
    const { db, clock } = this.#options;
    const { rows } = await db.query<{ ms: number | null }>(
      'select min(due_ms) as ms from segment_due',
    );
    const { timeZone } = this.#definitions.shop;
    const nowMs = clock.nowMs();
    const next = Math.min(rows[0]!.ms ?? Infinity, nextDayMs(nowMs, timeZone));
    return Math.max(1, next - nowMs);
  }
}

function isBefore(a: LogPosition, b: LogPosition): boolean {
  const [x, y] = [BigInt(a.xid), BigInt(b.xid)];
  return x < y || (x === y && a.id < b.id);
}

/** How far the members follow the log. */
async function livePosition(db: Queryable): Promise<LogPosition> {
  const { rows } = await db.query<LogPosition>(
    `with made as (insert into projector (name) select $1 where not exists (select from projector where name = $1)
       on conflict do nothing returning xid, id)
     select xid::text as xid, id from projector where name = $1 union all select xid::text, id from made`,
    [LIVE],
  );
  return rows[0]!;
}
