import { afterAll, beforeAll, expect, test } from 'vitest';
import { EVENT } from '../../domain/records.ts';
import { appendEvents } from '../../store/events.ts';
import { connectPostgres, type Db } from '../../store/postgres.ts';
import { awaitProjected, runProjector, type ProjectorLoop } from '../../store/projector.ts';
import { compareDays } from '../../store/warehouse/compare.ts';
import { projectEvents } from '../../store/warehouse/project.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

let database: TestDatabase;
let db: Db;
let t: TestWarehouse;
let loop: ProjectorLoop | undefined;

beforeAll(async () => {
  [database, t] = await Promise.all([createDatabase(), startWarehouse()]);
  db = connectPostgres(database.url, 'compare test', 60);
});
afterAll(async () => {
  await loop?.stop();
  await db.end();
  await Promise.all([database.drop(), t.stop()]);
});

const project = (): ProjectorLoop =>
  runProjector(
    db,
    (events, token) => projectEvents(t.warehouse, events, token),
    () => {},
    5,
  );

const DAY = Date.UTC(2026, 2, 1);
const order = (messageId: string, orderId: string, total: number, days: number) => ({
  messageId,
  type: EVENT.orderCompleted,
  personId: 1,
  atMs: DAY + days * 86_400_000,
  properties: { orderId, total, products: [{ sku: 's', price: total, quantity: 1 }] },
});

test('50 writers, slow commits, kills of projector and warehouse: log and warehouse are equal, day by day', async () => {
  loop = project();
  const slow = await db.connect();
  await slow.query('begin');
  await appendEvents(slow, [order('slow', 'slow', 7, 3)]);
  const writers = Promise.all(
    Array.from({ length: 50 }, async (_, writer) => {
      for (let i = 0; i < 6; i += 1) {
        // Now and then the order of somebody else, which counts once.
        const orderId = `o-${i === 5 ? 'same' : `${writer}-${i}`}`;
        await appendEvents(db, [order(`${writer}-${i}`, orderId, writer + 0.01, i % 4)]);
      }
    }),
  );
  for (let kill = 0; kill < 2; kill += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    // In the middle of whatever it does; the loop tries again.
    await t.crash();
    await loop.stop();
    loop = project();
  }
  await writers;
  await slow.query('commit');
  slow.release();
  // The shop's own book tells one order otherwise, after it came in.
  await appendEvents(db, [order('order:1-1', 'o-1-1', 99, 2)]);
  await awaitProjected(db, { timeoutMs: 60_000 });
  const found = await compareDays(db, t.warehouse);
  expect(found.differences).toEqual([]);
  expect([found.days, found.events]).toEqual([4, 252]);
}, 90_000);

test('a day that lost a row, or holds one twice, is named', async () => {
  await t.warehouse.query(
    `ALTER TABLE event DELETE WHERE order_id = 'slow' AND line = 1 SETTINGS mutations_sync = 2`,
  );
  const { differences } = await compareDays(db, t.warehouse);
  expect(differences.map(({ day }) => day)).toEqual(['2026-03-04']);
  expect(differences[0]!.log.cents - differences[0]!.warehouse.cents).toBe(700);
  expect(differences[0]!.log.events).toBe(differences[0]!.warehouse.events);
});
