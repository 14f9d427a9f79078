import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { agree } from '../support/segment-oracle.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

let t: TestWarehouse;
beforeAll(async () => {
  t = await startWarehouse();
});
afterAll(() => t.stop());

/** Other segments and shops each time; a failure names its seed, which `KAIROS_SEED` repeats in the short form too. */
test('warehouse and evaluator agree on random segments of a random seed', async () => {
  const seed = Number(process.env['KAIROS_SEED'] ?? randomInt(2 ** 31));
  const runs = Number(process.env['KAIROS_RUNS'] ?? 1_000);
  console.log(`seed ${seed}, ${runs} shops`);
  expect(await agree(t.warehouse, { runs, seed })).toBeGreaterThan(0.15);
});
