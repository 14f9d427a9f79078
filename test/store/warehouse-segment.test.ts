import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MS_PER_DAY } from '../../domain/clock.ts';
import { matchesSegment } from '../../domain/segment-eval.ts';
import { resolvedSegment } from '../../domain/segment-references.ts';
import type { Segment } from '../../domain/segment.ts';
import { eventToRows } from '../../domain/warehouse-rows.ts';
import {
  compileSegment,
  explainSegment,
  previewSegment,
} from '../../store/warehouse/segment-sql.ts';
import { agree, named, place } from '../support/segment-oracle.ts';
import { segmentArbitrary, worldArbitrary } from '../support/segment-worlds.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

let t: TestWarehouse;
beforeAll(async () => {
  t = await startWarehouse();
});
afterAll(() => t.stop());

test('the warehouse finds the same people as the evaluator, whatever the segment and the shop', async () => {
  // A fixed seed, so that a run says the same twice (this one once found a count of returns that was negative); others by
  // KAIROS_SEED, and in `npm run test:long`.
  const seed = Number(process.env['KAIROS_SEED'] ?? 2059234086);
  const share = await agree(t.warehouse, { runs: 50, seed });
  // Else the property would hold of segments that match nobody, or everybody.
  expect(share).toBeGreaterThan(0.15);
  expect(share).toBeLessThan(0.8);
});

test('an explanation says of each part the same as the evaluator', async () => {
  await fc.assert(
    fc.asyncProperty(worldArbitrary, segmentArbitrary, async (world, written) => {
      const segment = resolvedSegment(written, named);
      const placed = await place(t.warehouse, world);
      const visible = placed.facts.find(({ person }) => person.createdAtMs < placed.nowMs);
      if (!visible) return;
      const explained = await explainSegment(
        t.warehouse,
        segment,
        visible.person.personId,
        placed.nowMs,
        placed.shop,
      );
      expect(explained.holds).toBe(matchesSegment(segment, visible, placed.nowMs, placed.shop));
    }),
    { numRuns: 20 },
  );
});

const DAY = MS_PER_DAY;
const NOW = Date.UTC(2199, 0, 1);
const BASE = 1_000_000;

/** Three people: one with orders, one that only looked, one without any event. */
async function placeShop(): Promise<void> {
  const person = (id: number, country: string) => ({
    personId: BASE + id,
    version: 1,
    externalId: `shop-${id}`,
    country,
    timeZone: '',
    locale: '',
    consent: true,
    hasAddress: true,
    traits: { plan: 'gold' },
    createdAtMs: NOW - 900 * DAY,
  });
  await t.warehouse.upsertPeople([person(1, 'DE'), person(2, 'FR'), person(3, 'DE')]);
  const order = (id: number, ageDays: number, total: number, category: string) => ({
    id,
    type: 'Order Completed',
    personId: BASE + 1,
    atMs: NOW - ageDays * DAY,
    properties: {
      orderId: `o${id}`,
      total,
      products: [
        { sku: 'a', quantity: 2, price: 10.05, category },
        { sku: 'b', quantity: 1, price: 0, category },
      ],
    },
  });
  const events = [
    order(9_000_001, 10, 60.1, 'shoes'),
    order(9_000_002, 100, 74.4, 'hats'),
    order(9_000_003, -1, 1_000, 'shoes'),
    {
      id: 9_000_004,
      type: 'Product Viewed',
      personId: BASE + 2,
      atMs: NOW - DAY,
      properties: { category: 'shoes' },
    },
  ];
  await t.warehouse.insertEvents(events.flatMap(eventToRows), 'shop');
}

test('a shop by hand: sums to the cent, categories by line, people without events, nothing from the future', async () => {
  await placeShop();
  const { warehouse } = t;
  const inShop: Segment = { trait: 'externalId', is: 'contains', value: 'shop-' };
  const members = async (segment: Segment): Promise<number[]> => {
    const query = compileSegment({ all: [inShop, segment] }, { nowMs: NOW });
    const rows = await warehouse.query<{ person_id: number }>(query.sql, query.params);
    return rows.map((row) => row.person_id - BASE).sort((a, b) => a - b);
  };
  const event = 'Order Completed';
  expect(await members({ event, measure: 'sum', within: '365d', is: 'eq', value: 134.5 })).toEqual([
    1,
  ]);
  expect(await members({ event, measure: 'sum', is: 'gt', value: 134.5 })).toEqual([]);
  expect(
    await members({ event, measure: 'sum', where: { category: 'shoes' }, is: 'eq', value: 20.1 }),
  ).toEqual([1]);
  expect(
    await members({ event, where: { category: ['shoes', 'hats'] }, is: 'eq', value: 2 }),
  ).toEqual([1]);
  expect(await members({ event, is: 'eq', value: 0 })).toEqual([2, 3]);
  expect(await members({ not: { event, is: 'ge', value: 1 } })).toEqual([2, 3]);
  expect(await members({ event, measure: 'recency', is: 'ge', value: 10 })).toEqual([1]);
  expect(await members({ event, measure: 'recency', is: 'lt', value: 10 })).toEqual([]);
  expect(await members({ all: [] })).toEqual([1, 2, 3]);
  expect(await members({ any: [] })).toEqual([]);
  expect(await members({ trait: 'shoe size', is: 'ne', value: 42 })).toEqual([]);
  expect(await members({ not: { trait: 'shoe size', is: 'eq', value: 42 } })).toEqual([1, 2, 3]);

  const explained = await explainSegment(
    warehouse,
    {
      all: [
        { event, measure: 'sum', within: '365d', is: 'ge', value: 100 },
        { trait: 'country', is: 'in', value: ['FR', 'AT'] },
        { not: { event: 'Email Opened', is: 'ge', value: 1 } },
      ],
    },
    BASE + 1,
    NOW,
  );
  expect(explained).toMatchInlineSnapshot(`
    {
      "holds": false,
      "parts": [
        {
          "found": "ordered for 134.50 in the last 365 days",
          "holds": true,
          "measured": 134.5,
          "words": "ordered for at least 100.00 in the last 365 days",
        },
        {
          "found": "country is "DE"",
          "holds": false,
          "measured": "DE",
          "words": "country is one of "FR" or "AT"",
        },
        {
          "holds": true,
          "parts": [
            {
              "found": "opened no mail",
              "holds": false,
              "measured": 0,
              "words": "opened a mail",
            },
          ],
          "words": "not (opened a mail)",
        },
      ],
      "words": "ordered for at least 100.00 in the last 365 days and country is one of "FR" or "AT" and not (opened a mail)",
    }
  `);
  await expect(explainSegment(warehouse, inShop, BASE + 99, NOW)).rejects.toMatchObject({
    code: 'PERSON_UNKNOWN',
  });
});

test('exclusion, score rule and limit: by score where there is one, else by a stable hash', async () => {
  const { warehouse } = t;
  const inShop: Segment = { trait: 'externalId', is: 'contains', value: 'shop-' };
  await warehouse.insertScores(
    [1, 2].map((id) => ({
      model: 'hand',
      personId: BASE + id,
      atMs: NOW - DAY,
      version: 1,
      value: id / 10,
    })),
  );
  // A score of the future, which must not be seen.
  await warehouse.insertScores([
    { model: 'hand', personId: BASE + 3, atMs: NOW, version: 1, value: 0.9 },
  ]);
  const run = async (options: Omit<Parameters<typeof compileSegment>[1], 'nowMs'>) => {
    const query = compileSegment(inShop, { nowMs: NOW, ...options });
    const rows = await warehouse.query<{ person_id: number; score: number | null }>(
      query.sql,
      query.params,
    );
    return rows.map((row) => [row.person_id - BASE, row.score]);
  };
  expect(await run({ score: { model: 'hand' }, limit: 1 })).toEqual([[2, 0.2]]);
  expect(await run({ score: { model: 'hand', max: 0.1 } })).toEqual([[1, 0.1]]);
  expect(await run({ excluded: [{ trait: 'country', is: 'eq', value: 'DE' }] })).toEqual([
    [2, null],
  ]);
  const first = await run({ limit: 2, salt: 'a' });
  expect(first).toHaveLength(2);
  expect(await run({ limit: 2, salt: 'a' })).toEqual(first);
  const preview = await previewSegment(warehouse, inShop, { nowMs: NOW }, 2);
  expect(preview.count).toBe(3);
  expect(preview.sample).toHaveLength(2);
  expect(preview.sample[0]!.externalId).toMatch(/^shop-/);
});

test('nothing that a person wrote stands in the SQL', () => {
  fc.assert(
    fc.property(segmentArbitrary, (segment) => {
      const { sql } = compileSegment(resolvedSegment(segment, named), { nowMs: NOW });
      for (const text of ["o'neil", 'DROP TABLE', 'Custom', 'größe', 'win-back', "it's"]) {
        expect(sql).not.toContain(text);
      }
    }),
  );
});
