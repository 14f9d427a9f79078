import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MS_PER_DAY } from '../../domain/clock.ts';
import { matchesSegment, type PersonFacts } from '../../domain/segment-eval.ts';
import { resolvedSegment } from '../../domain/segment-references.ts';
import type { Segment } from '../../domain/segment.ts';
import { checkSegment } from '../../domain/segment.schema.ts';
import { describeSegment } from '../../domain/segment-words.ts';
import { type EventOfLog, eventToRows } from '../../domain/warehouse-rows.ts';
import { prepareSegment } from '../../store/warehouse/segment-sql.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

/** Each example of the page is checked, compiled and run, in the warehouse and in memory, on a shop where it tells people apart. */
const page = await readFile(new URL('../../docs/reference/segments.md', import.meta.url), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp('```' + language + '\n([\\s\\S]*?)```', 'g'))].map(
    ([, code]) => code!,
  );
const examples = blocks('yaml');

const NOW = Date.UTC(2023, 9, 30, 12);
const SHOP = { timeZone: 'Europe/Berlin' };
const named = new Map<string, Segment>([
  ['buyers', { event: 'Order Completed', is: 'ge', value: 1 }],
]);

const person = (
  personId: number,
  country: string,
  createdDaysAgo: number,
  traits: Record<string, string | number>,
): PersonFacts['person'] => ({
  personId,
  version: 1,
  externalId: `doc-${personId}`,
  country,
  timeZone: personId % 2 ? 'America/New_York' : '',
  locale: 'de',
  consent: personId === 1,
  hasAddress: true,
  traits,
  createdAtMs: NOW - createdDaysAgo * MS_PER_DAY,
});
const people = [
  person(1, 'DE', 364, {
    points: 150,
    plan: 'silver',
    birthday: '1990-11-03',
    city: 'Berlin',
    latitude: 52.5,
    longitude: 13.4,
  }),
  person(2, 'FR', 700, {
    plan: 'gold',
    birthday: '2012-02-29',
    city: 'Lyon',
    latitude: 45.7,
    longitude: 4.8,
  }),
  person(3, 'AT', 3, {}),
  person(4, 'US', 900, {}),
];

let nextId = 0;
const event = (
  personId: number,
  type: string,
  daysAgo: number,
  properties: Record<string, unknown> = {},
): EventOfLog => ({
  id: (nextId += 1),
  personId,
  type,
  atMs: NOW - daysAgo * MS_PER_DAY,
  properties,
});
const order = (personId: number, daysAgo: number, total: number, category: string) =>
  event(personId, 'Order Completed', daysAgo, {
    total,
    products: [{ sku: category, quantity: 1, price: total, category }],
  });
const viewed = { category: 'shoes', sku: 's1', colour: 'red', price: 9 };
const events = [
  ...[10, 40, 45].map((daysAgo) => order(1, daysAgo, 60, 'shoes')),
  event(1, 'Product Viewed', 12, viewed),
  event(1, 'Product Viewed', 5, { ...viewed, sku: 's2' }),
  event(1, 'Product Viewed', 0.1, { ...viewed, category: 'hats' }),
  event(1, 'List Joined', 9, { list: 'fair' }),
  order(2, 500, 10, 'coats'),
  event(2, 'Product Viewed', 300, { category: 'coats', sku: 's9' }),
  event(2, 'List Joined', 9, { list: 'fair' }),
  event(2, 'List Left', 3, { list: 'fair' }),
  event(3, 'Product Viewed', 120, { category: 'shoes', sku: 's1' }),
];
const facts = people.map((one): PersonFacts => ({
  person: one,
  rows: events.filter(({ personId }) => personId === one.personId).flatMap(eventToRows),
  scores: one.personId === 1 ? [{ model: 'order-30d', atMs: NOW - 1, version: 1, value: 0.3 }] : [],
  cluster: one.personId === 1 ? 'new' : null,
}));

let t: TestWarehouse;
beforeAll(async () => {
  t = await startWarehouse();
  await t.warehouse.upsertPeople(people);
  await t.warehouse.insertEvents(
    facts.flatMap(({ rows }) => rows),
    'docs',
  );
  await t.warehouse.insertScores([
    { model: 'order-30d', personId: 1, atMs: NOW - 1, version: 1, value: 0.3 },
  ]);
  await t.warehouse.insertClusters([{ personId: 1, atMs: NOW - 1, version: 1, name: 'new' }]);
});
afterAll(() => t.stop());

async function membersOf(written: Segment): Promise<number[]> {
  const segment = resolvedSegment(written, named);
  const query = await prepareSegment(t.warehouse, segment, { nowMs: NOW, ...SHOP });
  const rows = await t.warehouse.query<{ person_id: number }>(query.sql, query.params);
  const found = rows.map((row) => row.person_id).sort((a, b) => a - b);
  const expected = facts.filter((one) => matchesSegment(segment, one, NOW, SHOP));
  expect(found).toEqual(expected.map((one) => one.person.personId));
  return found;
}

describe('docs/reference/segments.md', () => {
  test('has an example of every clause', () => {
    const fields = new Set(examples.flatMap((code) => Object.keys(parse(code) as object)));
    const clauses =
      'all trait event never sequence timeSince anniversary place feature score cluster list random';
    for (const clause of clauses.split(' ')) expect(fields).toContain(clause);
    expect(page).toContain('{ segment: buyers }');
    for (const measure of 'sum min max first last distinct recency sinceFirst'.split(' ')) {
      expect(page).toContain(`measure: ${measure}`);
    }
  });

  test.each(examples.map((code) => [code]))('%s', async (code) => {
    const { segment, problems } = checkSegment(parse(code));
    expect(problems).toEqual([]);
    expect(describeSegment(segment!)).not.toContain('undefined');
    const found = await membersOf(segment!);
    // An example that everybody or nobody fulfils shows nothing.
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThan(people.length);
  });

  test.each(blocks('ts').map((code) => [code]))('%s', async (code) => {
    const domain = new URL('../../domain/', import.meta.url).href;
    const source = stripTypeScriptTypes(code).replaceAll("'../domain/", `'${domain}`);
    const module = (await import(
      /* @vite-ignore */ `data:text/javascript,${encodeURIComponent(source)}`
    )) as { segment: Segment };
    expect(checkSegment(module.segment).problems).toEqual([]);
    expect(await membersOf(module.segment)).toEqual([1]);
  });
});
