import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { MS_PER_DAY } from '../../domain/clock.ts';
import { EVENT } from '../../domain/records.ts';
import { segmentDependencies } from '../../domain/segment-live.ts';
import { resolvedSegment } from '../../domain/segment-references.ts';
import type { Segment } from '../../domain/segment.ts';
import { appendEvents, type NewEvent } from '../../store/events.ts';
import { LiveKeeper, runLiveSegments } from '../../store/live/loop.ts';
import { connectPostgres, type Db } from '../../store/postgres.ts';
import { awaitProjected, projectStep, runProjector } from '../../store/projector.ts';
import { savedSegments, saveSegment, segmentSizes } from '../../store/segments.ts';
import { projectEvents } from '../../store/warehouse/project.ts';
import { prepareSegment, segmentMembers } from '../../store/warehouse/segment-sql.ts';
import { NAMED, personOf, segmentArbitrary, worldArbitrary } from '../support/segment-worlds.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

/** Members that are kept up one by one are those whom the compiled query names, whatever happens in which order. */
let database: TestDatabase;
let db: Db;
let t: TestWarehouse;
let nowMs = Date.UTC(2023, 9, 28, 12);
const clock = { nowMs: () => nowMs, refresh: () => Promise.resolve() };
const shop = { timeZone: 'Europe/Berlin' };

beforeAll(async () => {
  [database, t] = await Promise.all([createDatabase(), startWarehouse()]);
  db = connectPostgres(database.url, 'live test', 8);
  await db.query(
    `insert into setting (key, value) values ('shop', '{"timeZone": "Europe/Berlin"}')`,
  );
});
afterAll(async () => {
  await db.end();
  await Promise.all([database.drop(), t.stop()]);
});

const sink = (events: Parameters<typeof projectEvents>[1], token: string): Promise<void> =>
  projectEvents(t.warehouse, events, token);

/** Other suites' transactions may hold the reader back for a moment. */
async function project(): Promise<void> {
  const passed = awaitProjected(db, { timeoutMs: 20_000 });
  let done = false;
  void passed.finally(() => (done = true));
  while (!done) {
    await projectStep(db, sink);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await passed;
}

async function settle(keeper: LiveKeeper): Promise<void> {
  await project();
  for (let rounds = 0; (await keeper.round()) <= 0; rounds += 1) {
    if (rounds > 200) throw new Error('the rounds do not come to an end');
  }
}

let messages = 0;
const put = async (event: Omit<NewEvent, 'messageId'>): Promise<void> => {
  messages += 1;
  await appendEvents(db, [{ ...event, messageId: `test-${messages}` }]);
};

async function newPerson(): Promise<number> {
  const { rows } = await db.query<{ id: number }>(
    `insert into person (external_id, created_at) values (gen_random_uuid()::text, now()) returning id`,
  );
  return rows[0]!.id;
}

const membersKept = async (name: string): Promise<number[]> => {
  const { rows } = await db.query<{ person_id: number }>(
    'select person_id from segment_member where segment = $1 order by 1',
    [name],
  );
  return rows.map((row) => row.person_id);
};

async function membersAsked(name: string): Promise<number[]> {
  const saved = await savedSegments(db);
  const segment = resolvedSegment(saved.get(name)!, saved, name);
  const query = await prepareSegment(t.warehouse, segment, { nowMs, ...shop });
  const ids: number[] = [];
  for await (const batch of segmentMembers(t.warehouse, query)) {
    ids.push(...batch.map(({ personId }) => personId));
  }
  return ids.sort((a, b) => a - b);
}

/** Segments that people come into and leave all the time. */
const OFTEN: Segment[] = [
  { event: EVENT.productViewed, is: 'ge', value: 1, within: '30d' },
  {
    all: [
      { never: EVENT.orderCompleted, within: '7d' },
      { event: EVENT.orderRefunded, is: 'ge', value: 1 },
    ],
  },
  { feature: 'tenureDays', is: 'ge', value: 30 },
];

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('event'), who: fc.nat(), what: fc.nat() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('traits'), who: fc.nat(), what: fc.nat() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('scores'), who: fc.nat(), what: fc.nat() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('time'),
      ms: fc.oneof(
        fc.constantFrom(1, 3_600_000, MS_PER_DAY, 7 * MS_PER_DAY, 30 * MS_PER_DAY),
        fc.integer({ min: 1, max: 40 * MS_PER_DAY }),
      ),
    }),
  },
);

test('live members are those of the compiled query, over random events, traits, scores and moves of the clock', async () => {
  let entered = 0;
  for (const [name, segment] of Object.entries(NAMED)) await saveSegment(db, name, segment);
  const timely = segmentArbitrary.filter(
    (each) => segmentDependencies(resolvedSegment(each, new Map(Object.entries(NAMED)))).timeBased,
  );
  const sometimes = fc
    .array(timely, { minLength: 4, maxLength: 4 })
    .map((some) => [...some, ...OFTEN]);
  await fc.assert(
    fc.asyncProperty(
      worldArbitrary.filter(({ people }) => people.filter((p) => p.events.length > 1).length > 3),
      sometimes,
      fc.array(step, { minLength: 30, maxLength: 40 }),
      async (world, segments, steps) => {
        await db.query('delete from segment where name like $1', ['s%0']);
        nowMs += 100 * MS_PER_DAY;
        const keeper = new LiveKeeper({ db, warehouse: t.warehouse, clock, log: () => {} });
        const people: number[] = [];
        const tellTraits = async (id: number, index: number): Promise<void> => {
          const { newest } = personOf(world.people[index % world.people.length]!, id, nowMs);
          const { personId, version: _, ...properties } = newest;
          await put({ type: EVENT.traitsChanged, personId, atMs: nowMs, properties });
        };
        for (const index of world.people.keys()) {
          people.push(await newPerson());
          await tellTraits(people.at(-1)!, index);
        }
        const names = segments.map((_, index) => `s${index}0`);
        for (const [index, name] of names.entries()) await saveSegment(db, name, segments[index]!);
        names.push('silent buyers');
        for (const each of [null, ...steps]) {
          if (each?.kind === 'time') nowMs += (each as { ms: number }).ms;
          else if (each) {
            const { kind, who, what } = each as { kind: string; who: number; what: number };
            const personId = people[who % people.length]!;
            const source = world.people[what % world.people.length]!;
            const { events } = personOf(source, personId, nowMs);
            if (kind === 'traits') await tellTraits(personId, what);
            if (kind === 'event' && events.length > 0) await put(events[what % events.length]!);
            if (kind === 'scores') {
              const at = { personId, atMs: nowMs - 1, version: messages };
              await t.warehouse.insertScores([{ ...at, model: 'churn', value: (what % 10) / 10 }]);
              await t.warehouse.insertClusters([{ ...at, name: 'new' }]);
              await put({
                type: EVENT.peopleScored,
                personId: null,
                atMs: nowMs,
                properties: { model: 'churn', version: messages },
              });
            }
          }
          // Several things happen between two looks, as they do when events come fast.
          if (each && each.kind !== 'time') continue;
          await settle(keeper);
          await Promise.all(
            names.map(async (name, index) => {
              const members = await membersKept(name);
              expect({ segment: segments[index], members }).toEqual({
                segment: segments[index],
                members: await membersAsked(name),
              });
            }),
          );
        }
      },
    ),
    {
      numRuns: Number(process.env['KAIROS_RUNS'] ?? 2),
      endOnFailure: true,
      seed: Number(process.env['KAIROS_SEED'] ?? 11),
    },
  );
  const { rows } = await db.query<{ n: number }>(
    'select count(*) as n from event where type = any ($1)',
    [[EVENT.segmentEntered, EVENT.segmentLeft]],
  );
  entered = rows[0]!.n;
  // Else it would hold of members that never change.
  expect(entered).toBeGreaterThan(8);
}, 120_000);

const buyers: Segment = { event: EVENT.orderCompleted, is: 'ge', value: 1, within: '7d' };

test('coming and going are told once each, by events and by time, also after a crash between facts and writing', async () => {
  await db.query('delete from segment');
  await saveSegment(db, 'fresh', buyers);
  const keeper = new LiveKeeper({ db, warehouse: t.warehouse, clock, log: () => {} });
  const id = await newPerson();
  await put({
    type: EVENT.traitsChanged,
    personId: id,
    atMs: nowMs - MS_PER_DAY,
    properties: { externalId: 'x', createdAtMs: nowMs - MS_PER_DAY },
  });
  await settle(keeper);
  const told = async (): Promise<string[]> => {
    const { rows } = await db.query<{ type: string; segment: string }>(
      `select type, properties ->> 'segment' as segment from event where person_id = $1 and type like 'Segment%' order by id`,
      [id],
    );
    return rows.map(({ type, segment }) => `${type} ${segment}`);
  };
  expect(await told()).toEqual([]);
  await put({
    type: EVENT.orderCompleted,
    personId: id,
    atMs: nowMs - 1,
    properties: { total: 5 },
  });
  await project();
  // Two processes at once, each of which believes to be alone: one of them is fenced off or changes nothing.
  const other = new LiveKeeper({ db, warehouse: t.warehouse, clock, log: () => {} });
  await Promise.allSettled([keeper.round(), other.round()]);
  await settle(keeper);
  expect(await told()).toEqual(['Segment Entered fresh']);
  expect(await membersKept('fresh')).toEqual([id]);
  const wait = await keeper.round();
  expect(wait).toBeGreaterThan(0);
  // The members are looked at again when time says so, not before.
  nowMs += 7 * MS_PER_DAY;
  await settle(keeper);
  expect(await told()).toEqual(['Segment Entered fresh', 'Segment Left fresh']);
  expect(await segmentSizes(db, 'fresh')).not.toEqual(new Map());
});

test('another meaning fills the segment anew, without events, and a lost warehouse empties none', async () => {
  await db.query('delete from segment');
  const all: Segment = { not: { event: 'Nothing', is: 'ge', value: 1 } };
  await saveSegment(db, 'everybody', all);
  const keeper = new LiveKeeper({ db, warehouse: t.warehouse, clock, log: () => {} });
  await settle(keeper);
  const members = await membersKept('everybody');
  expect(members.length).toBeGreaterThan(3);
  await saveSegment(db, 'everybody', { not: all });
  await settle(keeper);
  expect(await membersKept('everybody')).toEqual([]);
  await saveSegment(db, 'everybody', all);
  await settle(keeper);
  await put({ type: EVENT.traitsChanged, personId: members[0]!, atMs: nowMs, properties: {} });
  await project();
  const before = await told('everybody');
  await t.warehouse.reset();
  await keeper.round();
  expect(await membersKept('everybody')).toEqual(members);
  expect(await told('everybody')).toBe(before);
  await db.query(`update projector set xid = '0', id = 0 where name = 'warehouse'`);
  expect(await keeper.round()).toBeGreaterThan(MS_PER_DAY);
  await settle(keeper);
  expect(await membersKept('everybody')).toEqual(members);
});

async function told(segment: string): Promise<number> {
  const { rows } = await db.query<{ n: number }>(
    `select count(*) as n from event where type like 'Segment%' and properties ->> 'segment' = $1`,
    [segment],
  );
  return rows[0]!.n;
}

test('the loop is woken by what happens, within two seconds, and asks nothing while nothing does', async () => {
  await db.query('delete from segment');
  const real = { nowMs: () => Date.now(), refresh: () => Promise.resolve() };
  let queries = 0;
  const warehouse = {
    ...t.warehouse,
    query: <T>(...asked: Parameters<typeof t.warehouse.query>) => {
      queries += 1;
      return t.warehouse.query<T>(...asked);
    },
  };
  const failures: unknown[] = [];
  const log = (event: string, detail: unknown): void => {
    if (event.includes('failed')) failures.push(detail);
  };
  const loops = [
    runProjector(db, sink, log),
    runLiveSegments({ db, warehouse, clock: real, log }),
    runLiveSegments({ db, warehouse, clock: real, log }),
  ];
  try {
    await saveSegment(db, 'fresh', buyers);
    const id = await newPerson();
    const at = Date.now() - 1_000;
    await put({
      type: EVENT.traitsChanged,
      personId: id,
      atMs: at,
      properties: { externalId: 'y', createdAtMs: at },
    });
    await put({ type: EVENT.orderCompleted, personId: id, atMs: at, properties: { total: 5 } });
    await vi.waitFor(async () => expect(await membersKept('fresh')).toContain(id), 10_000);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    queries = 0;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(queries).toBe(0);
    expect(failures).toEqual([]);
  } finally {
    await Promise.all(loops.map((loop) => loop.stop()));
  }
});

test('a saved segment cannot look at the events that saved segments make', async () => {
  const circle: Segment = { never: EVENT.segmentEntered, within: '1d' };
  await expect(saveSegment(db, 'circle', circle)).rejects.toThrow('{segment: …}');
});
