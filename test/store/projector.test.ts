import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LoggedEvent, type NewEvent, appendEvents } from '../../store/events.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { awaitProjected, expandSettled, projectStep, runProjector } from '../../store/projector.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'projector test', 60);
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query('truncate event, message_key, projector');
});

const event = (id: string) => ({
  messageId: id,
  type: 'Product Viewed',
  personId: 1,
  atMs: 0,
  properties: { sku: id },
});

/** Appends, and waits for transactions of other suites that the reader must not overtake. */
async function append(events: readonly NewEvent[]): Promise<void> {
  await appendEvents(db, events);
  await vi.waitFor(async () => {
    const { rows } = await db.query<{ open: boolean }>(
      'select max(xid) >= pg_snapshot_xmin(pg_current_snapshot()) as open from event',
    );
    expect(rows[0]!.open).toBe(false);
  }, 20_000);
}

/** A warehouse that remembers tokens as ClickHouse does, and may fail before or after it has written. */
class Sink {
  readonly seen: string[] = [];
  readonly #tokens = new Map<string, string>();
  failures: ('before' | 'after')[] = [];

  readonly write = async (events: readonly LoggedEvent[], token: string): Promise<void> => {
    const failure = this.failures.shift();
    if (failure === 'before') throw new Error('the warehouse is down');
    const content = events.map((each) => each.messageId).join();
    const known = this.#tokens.get(token);
    // The same token must stand for the same rows, or the warehouse would drop what it has never seen.
    if (known !== undefined && known !== content) throw new Error('one token, two contents');
    if (known === undefined) {
      this.#tokens.set(token, content);
      this.seen.push(...events.map((each) => each.messageId));
    }
    if (failure === 'after') throw new Error('the answer was lost');
    await Promise.resolve();
  };
}

describe('the projector', () => {
  it('copies each event once, in any number of steps', async () => {
    const sink = new Sink();
    await append(Array.from({ length: 25 }, (_, i) => event(`e${i}`)));
    expect(await projectStep(db, sink.write, 10)).toBe(10);
    expect(await projectStep(db, sink.write, 10)).toBe(10);
    expect(await projectStep(db, sink.write, 10)).toBe(5);
    expect(await projectStep(db, sink.write, 10)).toBe(0);
    expect(new Set(sink.seen).size).toBe(25);
    expect(sink.seen).toHaveLength(25);
  });

  it('repeats the very same rows after a crash, whatever came meanwhile', async () => {
    const sink = new Sink();
    sink.failures = ['after', 'before'];
    await append([event('a'), event('b')]);
    await expect(projectStep(db, sink.write)).rejects.toThrow('lost');
    await append([event('c')]);
    await expect(projectStep(db, sink.write)).rejects.toThrow('down');
    await projectStep(db, sink.write);
    await projectStep(db, sink.write);
    expect(sink.seen).toEqual(['a', 'b', 'c']);
  });

  it('misses nothing of 50 writers at once, one of which commits late', async () => {
    const sink = new Sink();
    const late = await db.connect();
    await late.query('begin');
    await appendEvents(late, [event('late')]);
    const loop = runProjector(db, sink.write, () => {}, 5);
    await Promise.all(
      Array.from({ length: 50 }, async (_, writer) => {
        for (let i = 0; i < 10; i += 1) await appendEvents(db, [event(`${writer}-${i}`)]);
      }),
    );
    await late.query('commit');
    late.release();
    await awaitProjected(db, { timeoutMs: 20_000 });
    await loop.stop();
    expect(new Set(sink.seen).size).toBe(501);
    expect(sink.seen).toHaveLength(501);
  });

  it('runs once, however many processes want to', async () => {
    const sinks = [new Sink(), new Sink(), new Sink()];
    const loops = sinks.map((sink) => runProjector(db, sink.write, () => {}, 5));
    await appendEvents(
      db,
      Array.from({ length: 100 }, (_, i) => event(`e${i}`)),
    );
    await awaitProjected(db, { timeoutMs: 20_000 });
    await Promise.all(loops.map((loop) => loop.stop()));
    expect(sinks.filter((sink) => sink.seen.length > 0)).toHaveLength(1);
  });

  it('makes an event of each person of a settled window', () => {
    const expanded = expandSettled({
      ...event('settled:1:0:7:1'),
      id: 5,
      xid: '9',
      type: 'Messages Settled',
      personId: null,
      properties: { campaign: 'c', step: 0, sent: [1, 2], bounced: [3] },
    });
    expect(expanded.map(({ type, personId }) => `${type} ${personId}`)).toEqual([
      'Email Delivered 1',
      'Email Delivered 2',
      'Email Bounced 3',
    ]);
  });
});

describe('the log', () => {
  it('takes a message id once', async () => {
    expect(await appendEvents(db, [event('x'), event('y')])).toBe(2);
    expect(await appendEvents(db, [event('y'), event('z')])).toBe(1);
  });
});
