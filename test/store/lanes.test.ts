import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_LANES } from '../../domain/lane.ts';
import { withLanes } from '../../domain/lane.schema.ts';
import { applyLanes, laneWaitReason } from '../../store/lanes.ts';
import { setShopClock, shopNowMs } from '../../store/clock.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'lane test', 2);
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query('truncate bucket');
});

const take = async (want: number): Promise<{ granted: number; wait_ms: number }> =>
  (
    await db.query<{ granted: number; wait_ms: number }>('select * from take_tokens($1, $2)', [
      'lane:gmail',
      want,
    ])
  ).rows[0]!;
/** As if that much time had passed. */
const pass = (ms: number) =>
  db.query("update bucket set filled_at = filled_at - $1 * interval '1 millisecond'", [ms]);
const nextDay = async (): Promise<void> => setShopClock(db, (await shopNowMs(db)) + 86_400_000);

const step = fc.oneof(
  fc.record({ kind: fc.constant('take' as const), n: fc.integer({ min: 1, max: 500 }) }),
  fc.record({ kind: fc.constant('pass' as const), n: fc.nat(5_000) }),
  fc.record({ kind: fc.constant('day' as const), n: fc.constant(0) }),
);

describe('the token bucket of a lane', () => {
  it('never grants more than its rate and burst, nor more a day than its volume; says how long to wait', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: null }),
        fc.option(fc.integer({ min: 1, max: 300 }), { nil: null }),
        fc.array(step, { minLength: 1, maxLength: 20 }),
        async (rate, volume, steps) => {
          await db.query('truncate bucket');
          const warmUp = volume === null ? null : { start: volume, factor: 1, ceiling: volume };
          await applyLanes(
            db,
            withLanes(DEFAULT_LANES, { gmail: { ratePerSecond: rate, warmUp } }),
          );
          const beganAt = performance.now();
          let passed = 0;
          let granted = 0;
          let today = 0;
          for (const { kind, n } of steps) {
            if (kind === 'pass') {
              // eslint-disable-next-line no-await-in-loop -- one after the other
              await pass(n);
              passed += n;
            } else if (kind === 'day') {
              // eslint-disable-next-line no-await-in-loop -- one after the other
              await nextDay();
              today = 0;
            } else {
              // eslint-disable-next-line no-await-in-loop -- one after the other
              const taken = await take(n);
              granted += taken.granted;
              today += taken.granted;
              expect(taken.granted).toBeGreaterThanOrEqual(0);
              expect(taken.granted).toBeLessThanOrEqual(n);
              expect(taken.wait_ms > 0).toBe(taken.granted === 0);
              if (volume !== null && today >= volume && taken.granted === 0) {
                expect(laneWaitReason(taken.wait_ms)).toBe('warm-up');
              } else if (taken.granted === 0) {
                expect(laneWaitReason(taken.wait_ms)).toBe('lane rate');
              }
            }
            if (volume !== null) expect(today).toBeLessThanOrEqual(volume);
            if (rate !== null) {
              const seconds = (passed + performance.now() - beganAt) / 1_000;
              // The bucket began empty and holds a second's worth; one more for the rounding of its reals.
              expect(granted).toBeLessThanOrEqual(rate * (seconds + 0.05) + 1);
            }
          }
          if (rate === null && volume === null) expect((await take(7)).granted).toBe(7);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('grants what has come in, and no more than its burst after a long rest', async () => {
    await applyLanes(db, withLanes(DEFAULT_LANES, { gmail: { ratePerSecond: 10 } }));
    await pass(3_600_000);
    expect((await take(500)).granted).toBe(10);
    const wait = await take(1);
    expect(wait).toMatchObject({ granted: 0 });
    expect(wait.wait_ms).toBeLessThanOrEqual(100);
    await pass(500);
    expect((await take(500)).granted).toBe(5);
  });

  it('goes when the table has no limits any more', async () => {
    await applyLanes(db, withLanes(DEFAULT_LANES, { gmail: { ratePerSecond: 1 } }));
    await applyLanes(db, DEFAULT_LANES);
    expect((await take(500)).granted).toBe(500);
  });
});
