import { expect, it } from 'vitest';
import { intakeUnderKills } from '../kill/intake-kills.ts';

/** The short form of test/kill/intake.test.ts. */
it('killed in mid-intake and mid-projection: nothing acknowledged is lost, log and warehouse are equal', async () => {
  const run = await intakeUnderKills(3);
  expect([run.lost, run.twice]).toEqual([0, 0]);
  expect(run.acknowledged).toBeGreaterThan(100);
  expect(run.warehouse).toEqual(run.log);
}, 180_000);
