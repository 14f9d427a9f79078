import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MS_PER_DAY } from '../../domain/clock.ts';
import { ORDER_FEATURES } from '../../domain/features.ts';
import { EVENT } from '../../domain/records.ts';
import { type EventOfLog, eventToRows, type WarehouseRow } from '../../domain/warehouse-rows.ts';
import {
  featuresAsOf,
  type FeatureTable,
  rfmAsOf,
  whoDid,
} from '../../store/warehouse/features.ts';
import { projectEvents } from '../../store/warehouse/project.ts';
import { personOf, type World, worldArbitrary } from '../support/segment-worlds.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

let t: TestWarehouse;
beforeAll(async () => {
  t = await startWarehouse();
});
afterAll(() => t.stop());

/** The meaning of each column by its sentence in `domain/features.ts`, written a second time and without SQL. */
function expectedFeatures(rows: readonly WarehouseRow[], asOfMs: number): number[] {
  const past = rows.filter((row) => row.atMs < asOfMs && row.line === 0);
  const of = (type: string, days = Infinity): WarehouseRow[] =>
    past.filter((row) => row.type === type && row.atMs >= asOfMs - days * MS_PER_DAY);
  const ageDays = (ms: number): number => (asOfMs - ms) / MS_PER_DAY;
  const human = (list: WarehouseRow[]): number => list.filter((row) => !row.machine).length;
  const orders = of(EVENT.orderCompleted);
  const times = orders.map((row) => row.atMs);
  const revenue = (list: WarehouseRow[]): number =>
    list.reduce((sum, row) => sum + row.amount, 0) / 100;
  const windows = [30, 90, 365, Infinity];
  return [
    times.length === 0 ? NaN : ageDays(Math.max(...times)),
    past.length === 0 ? NaN : ageDays(Math.min(...past.map((row) => row.atMs))),
    times.length < 2
      ? NaN
      : (Math.max(...times) - Math.min(...times)) / MS_PER_DAY / (times.length - 1),
    ...windows.map((days) => of(EVENT.orderCompleted, days).length),
    ...windows.map((days) => revenue(of(EVENT.orderCompleted, days))),
    times.length === 0 ? NaN : revenue(orders) / times.length,
    ...[30, 90].map((days) => of(EVENT.productViewed, days).length),
    ...[30, 90].map((days) => of(EVENT.productAdded, days).length),
    of(EVENT.orderRefunded, 365).length,
    human(of(EVENT.emailOpened, 90)),
    human(of(EVENT.emailClicked, 90)),
  ];
}

let worlds = 0;

/** Puts a world where no other one is, by the projector's own way. */
async function place(
  world: World,
): Promise<{ nowMs: number; ids: number[]; events: EventOfLog[][] }> {
  worlds += 1;
  const nowMs = Date.UTC(2010, 0, 1) + worlds * MS_PER_DAY;
  const people = world.people.map((one, index) => personOf(one, worlds * 100 + index + 1, nowMs));
  await t.warehouse.upsertPeople(people.map(({ newest }) => newest));
  await projectEvents(
    t.warehouse,
    people.flatMap(({ events }) => events),
    `world-${worlds}`,
  );
  return {
    nowMs,
    ids: people.map(({ newest }) => newest.personId),
    events: people.map(({ events }) => events),
  };
}

function rowsById(table: FeatureTable): Map<number, number[]> {
  const { columns } = table;
  return new Map(
    [...table.ids].map((id, row) => [
      id,
      Array.from(table.data.subarray(row * columns, (row + 1) * columns)),
    ]),
  );
}

test('every column means what its sentence says', async () => {
  await fc.assert(
    fc.asyncProperty(worldArbitrary, async (world) => {
      const { nowMs, ids, events } = await place(world);
      const table = await featuresAsOf(t.warehouse, { asOfMs: nowMs, personIds: ids });
      expect(table.names).toEqual(ORDER_FEATURES.map(({ name }) => name));
      const found = rowsById(table);
      ids.forEach((id, index) => {
        const rows = events[index]!.flatMap(eventToRows);
        const exists =
          world.people[index]!.createdAgeMs > 0 || rows.some((row) => row.atMs < nowMs);
        expect(found.has(id)).toBe(exists);
        if (exists) expect(found.get(id)).toEqual(expectedFeatures(rows, nowMs));
      });
    }),
    { numRuns: 40 },
  );
});

/** What the log tells of itself needs properties of its own, and is no event of a person. */
const BOOKKEEPING: readonly string[] = [
  EVENT.eventsMoved,
  EVENT.personMerged,
  EVENT.eventsSuperseded,
];
const HAPPENINGS = Object.values(EVENT).filter((type) => !BOOKKEEPING.includes(type));

test('nothing from the future leaks: later events change no feature, only the label', async () => {
  await fc.assert(
    fc.asyncProperty(
      worldArbitrary,
      fc.array(fc.tuple(fc.constantFrom(...HAPPENINGS), fc.integer({ min: 0, max: 40 })), {
        minLength: 1,
        maxLength: 6,
      }),
      async (world, later) => {
        const { nowMs, ids } = await place(world);
        const options = {
          asOfMs: nowMs,
          personIds: ids,
          label: { event: EVENT.orderCompleted, withinMs: 30 * MS_PER_DAY },
        };
        const before = await featuresAsOf(t.warehouse, options);
        const future = later.map(([type, days], index) => ({
          id: worlds * 10_000 + index,
          type,
          personId: ids[0]!,
          atMs: nowMs + days * MS_PER_DAY,
          properties: { total: 77, products: [{ sku: 's', quantity: 1, price: 77 }] },
        }));
        await projectEvents(t.warehouse, future, `future-${worlds}`);
        const after = await featuresAsOf(t.warehouse, options);
        expect(after.ids).toEqual(before.ids);
        expect(after.data).toEqual(before.data);
        const row = after.ids.indexOf(ids[0]!);
        if (row < 0) return;
        const orders = later.some(([type, days]) => type === EVENT.orderCompleted && days < 30);
        expect(after.labels[row]).toBe(orders || before.labels[row] === 1 ? 1 : 0);
      },
    ),
    { numRuns: 20 },
  );
});

test('labels, buyers only, and samples that are the same for the same seed', async () => {
  const nowMs = Date.UTC(2190, 0, 1);
  const base = 50_000_000;
  const person = (index: number) => ({
    ...personOf(
      {
        country: 'DE',
        timeZone: '',
        locale: '',
        consent: true,
        hasAddress: true,
        traits: {},
        dates: {},
        place: {},
        older: {},
        createdAgeMs: MS_PER_DAY,
        events: [],
        scores: [],
        cluster: null,
      },
      base + index,
      nowMs,
    ).newest,
  });
  await t.warehouse.upsertPeople(Array.from({ length: 50 }, (_, index) => person(index)));
  const order = (id: number, index: number, days: number) => ({
    id: 90_000_000 + id,
    type: EVENT.orderCompleted,
    personId: base + index,
    atMs: nowMs + days * MS_PER_DAY,
    properties: { total: 10 },
  });
  await projectEvents(
    t.warehouse,
    [order(1, 1, -20), order(2, 2, -3), order(3, 2, 29.999), order(4, 3, 30), order(5, 4, 0)],
    'labels',
  );
  const ids = Array.from({ length: 50 }, (_, index) => base + index);
  const label = { event: EVENT.orderCompleted, withinMs: 30 * MS_PER_DAY };
  const all = await featuresAsOf(t.warehouse, { asOfMs: nowMs, personIds: ids, label });
  expect(all.rows).toBe(50);
  expect([...all.ids].filter((_, row) => all.labels[row] === 1)).toEqual([base + 2, base + 4]);
  expect(
    await whoDid(t.warehouse, {
      event: EVENT.orderCompleted,
      fromMs: nowMs,
      toMs: nowMs + label.withinMs,
    }),
  ).toEqual(new Set([base + 2, base + 4]));

  const rfm = await rfmAsOf(t.warehouse, { asOfMs: nowMs, personIds: ids });
  expect([...rfm.ids]).toEqual([base + 1, base + 2]);
  expect([...rfm.data]).toEqual([20, 1, 10, 3, 1, 10]);

  const sample = (seed: number) =>
    featuresAsOf(t.warehouse, { asOfMs: nowMs, personIds: ids, limit: 10, seed });
  const [first, again, other] = await Promise.all([sample(1), sample(1), sample(2)]);
  expect(first.rows).toBe(10);
  expect(again.ids).toEqual(first.ids);
  expect(other.ids).not.toEqual(first.ids);
});
