import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSegment, readWrittenSegment } from '../../bin/segment-file.ts';
import { segmentHistory } from '../../bin/segment-history.ts';
import { why } from '../../bin/segment-why.ts';
import { MS_PER_DAY } from '../../domain/clock.ts';
import type { Segment } from '../../domain/segment.ts';
import { setShopClock, shopNowMs } from '../../store/clock.ts';
import { lists, putMembersOnList, putOnList } from '../../store/lists.ts';
import { loadEvents } from '../../store/events.ts';
import { loadPeople, personIds } from '../../store/people.ts';
import { connectPostgres, type Db } from '../../store/postgres.ts';
import { saveSegment, segmentByName } from '../../store/segments.ts';
import { countSegment, overlapOf, unknownNames } from '../../store/warehouse/segment-counts.ts';
import { projectAll } from '../support/projection.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

/** Segments by name from truth to warehouse, with the real projector between them. */
let database: TestDatabase;
let db: Db;
let t: TestWarehouse;
let folder: string;
let ids: Map<string, number>;
const NOW = Date.UTC(2026, 5, 15, 12);
const timeZone = 'Europe/Berlin';

beforeAll(async () => {
  [database, t] = await Promise.all([createDatabase(), startWarehouse()]);
  db = connectPostgres(database.url, 'segments test', 4);
  folder = await mkdtemp(join(tmpdir(), 'kairos-segments-'));
  await setShopClock(db, NOW);
  await loadPeople(
    db,
    ['c1', 'c2', 'c3'].map((externalId, index) => ({
      externalId,
      email: null,
      name: null,
      country: index === 0 ? 'DE' : 'FR',
      timeZone: null,
      locale: null,
      consent: null,
      traits: {},
      createdAtMs: NOW - 400 * MS_PER_DAY,
    })),
  );
  ids = await personIds(db);
  const order = (externalId: string, daysAgo: number) => ({
    messageId: `${externalId}-${daysAgo}`,
    type: 'Order Completed',
    personId: ids.get(externalId)!,
    atMs: NOW - daysAgo * MS_PER_DAY,
    properties: { total: 50 },
  });
  await loadEvents(db, [[order('c1', 2), order('c1', 40), order('c2', 5), order('c2', 40)]]);
  await project();
});
afterAll(async () => {
  await db.end();
  await Promise.all([database.drop(), t.stop(), rm(folder, { recursive: true })]);
});

async function project(): Promise<void> {
  await projectAll(db, t.warehouse);
}
const file = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};
const asOf = async () => ({ nowMs: await shopNowMs(db), timeZone });
const buyers: Segment = { event: 'Order Completed', within: '30d', is: 'ge', value: 1 };

test('a file says what is wrong as file:line:column, with the nearest right name', async () => {
  const path = await file(
    'lapsed.yaml',
    'all:\n  - { trait: country, is: eq, value: DE }\n  - { event: x, is: gte, value: 1 }\n',
  );
  await expect(readSegment(db, path)).rejects.toMatchObject({ code: 'SEGMENT_INVALID' });
  await expect(readSegment(db, path)).rejects.toThrow(
    /lapsed\.yaml:3:21: The segment at \/all\/1\/is is "gte"; did you mean "ge"\?/,
  );
  const reference = await file('ref.yaml', 'not:\n  segment: byers\n');
  await saveSegment(db, 'buyers', buyers);
  await expect(readSegment(db, reference)).rejects.toThrow(
    /ref\.yaml:2:12: There is no segment "byers"; did you mean "buyers"\?/,
  );
  await expect(readSegment(db, 'byers')).rejects.toThrow('did you mean "buyers"?');
  await expect(readSegment(db, join(folder, 'none.yaml'))).rejects.toMatchObject({
    code: 'SEGMENT_UNKNOWN',
  });
  const typed = await file('typed.ts', 'export const segment = { evnt: "x" };\n');
  await expect(readWrittenSegment(typed)).rejects.toThrow(/typed\.ts:1:24: .*perhaps for "event"/);
});

test('saved names: the same again, a change, and no circle', async () => {
  expect(await saveSegment(db, 'germans', { trait: 'country', is: 'eq', value: 'DE' })).toBe(
    'saved',
  );
  expect(await saveSegment(db, 'germans', { trait: 'country', is: 'eq', value: 'DE' })).toBe(
    'same',
  );
  expect(
    await saveSegment(db, 'german buyers', {
      all: [{ segment: 'buyers' }, { segment: 'germans' }],
    }),
  ).toBe('saved');
  await expect(saveSegment(db, 'germans', { not: { segment: 'german buyers' } })).rejects.toThrow(
    '"germans" → "german buyers" → "germans" speaks of itself',
  );
  expect(
    await countSegment(t.warehouse, await segmentByName(db, 'german buyers'), await asOf()),
  ).toBe(1);
});

test('lists: put, replaced, as of a time, and a snapshot stays while the segment goes on', async () => {
  const onFair: Segment = { list: 'fair' };
  expect(await putOnList(db, 'fair', ['c1', 'c2', 'nobody'])).toEqual({
    added: 2,
    removed: 0,
    members: 2,
    unknown: 1,
  });
  expect(await putOnList(db, 'fair', ['c1', 'c2'])).toMatchObject({ added: 0, members: 2 });
  await project();
  const before = await asOf();
  expect(await countSegment(t.warehouse, onFair, before)).toBe(2);
  expect(await putOnList(db, 'fair', ['c2', 'c3'], { replace: true })).toMatchObject({
    added: 1,
    removed: 1,
    members: 2,
  });
  await project();
  const answer = await why(
    { db, warehouse: t.warehouse },
    'c1',
    [await file('l.yaml', 'list: fair\n')],
    {
      ...(await asOf()),
      not: true,
    },
  );
  expect(answer.text).toContain('is on the list "fair" (was taken off the list)');
  // As of then nothing has changed.
  expect(
    await countSegment(
      t.warehouse,
      { all: [onFair, { trait: 'country', is: 'eq', value: 'DE' }] },
      before,
    ),
  ).toBe(1);

  const ids = (await db.query<{ id: number }>(`select id from person where external_id = 'c1'`))
    .rows;
  await putMembersOnList(
    db,
    'frozen',
    ids.map(({ id }) => id),
  );
  await project();
  const later = { nowMs: NOW + 60 * MS_PER_DAY, timeZone };
  expect(await countSegment(t.warehouse, { list: 'frozen' }, later)).toBe(1);
  expect(await countSegment(t.warehouse, buyers, later)).toBe(0);
  expect(await lists(db)).toEqual([
    { name: 'fair', members: 2 },
    { name: 'frozen', members: 1 },
  ]);
});

test('why and why-not: each clause with the value that decided', async () => {
  const options = await asOf();
  const context = { db, warehouse: t.warehouse };
  const member = await why(context, 'c1', [], { ...options, not: false });
  expect(member.data.answers.map(({ segment }) => segment)).toEqual([
    'buyers',
    'german buyers',
    'germans',
  ]);
  const not = await why(context, 'c2', ['german buyers'], { ...options, not: true });
  // Only what keeps them out.
  expect(not.text).toBe('c2 is NOT in german buyers\n    ✗ country is "DE" (country is "FR")');
});

test('overlap counts every intersection', async () => {
  const segments = await Promise.all(['buyers', 'germans'].map((name) => segmentByName(db, name)));
  expect(await overlapOf(t.warehouse, segments, await asOf())).toEqual([
    { segments: [0], inAll: 2, only: 1 },
    { segments: [1], inAll: 1, only: 0 },
    { segments: [0, 1], inAll: 1, only: 1 },
  ]);
});

test('history: as of each day, kept once counted, and true when late events come', async () => {
  const context = { db, warehouse: t.warehouse };
  const wanted = { segment: buyers, options: {}, words: '', name: 'buyers' };
  const first = await segmentHistory(context, wanted, { ...(await asOf()), days: 7 });
  expect(first.map(({ day, members }) => `${day} ${members}`)).toEqual([
    '2026-06-09 0',
    '2026-06-10 1',
    '2026-06-11 1',
    '2026-06-12 1',
    '2026-06-13 2',
    '2026-06-14 2',
    '2026-06-15 2',
  ]);
  expect(first.every(({ kept }) => !kept)).toBe(true);
  // A late event changes what is computed, not what was kept; today is counted again.
  await loadEvents(db, [
    [
      {
        messageId: 'late',
        type: 'Order Completed',
        personId: ids.get('c3')!,
        atMs: NOW - 6 * MS_PER_DAY,
        properties: {},
      },
    ],
  ]);
  await project();
  const again = await segmentHistory(context, wanted, { ...(await asOf()), days: 7 });
  expect(again.map(({ members, kept }) => `${members} ${kept}`)).toEqual([
    '0 true',
    '1 true',
    '1 true',
    '1 true',
    '2 true',
    '2 true',
    '3 false',
  ]);
  const unnamed = await segmentHistory(
    context,
    { ...wanted, name: null },
    { ...(await asOf()), days: 7 },
  );
  expect(unnamed[1]!.members).toBe(2);
});

test('names that nobody ever sent are told, with the nearest', async () => {
  const asked: Segment = {
    all: [
      { event: 'Order Complted', is: 'ge', value: 1 },
      { trait: 'plan', is: 'exists' },
      { list: 'fairr' },
    ],
  };
  expect(await unknownNames(t.warehouse, asked, ['fair'])).toEqual([
    'No event "Order Complted" is known yet; did you mean "Order Completed"?',
    'No trait "plan" is known yet.',
    'No list "fairr" is known yet; did you mean "fair"?',
  ]);
});
