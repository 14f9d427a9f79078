import { expect, it } from 'vitest';
import { intakeUnderKills } from './intake-kills.ts';

it('killed 20 times in mid-intake and mid-projection: nothing acknowledged is lost, log and warehouse are equal', async () => {
  const run = await intakeUnderKills(20);
  console.log(`acknowledged ${run.acknowledged} events over kills of ${JSON.stringify(run.kills)}`);
  expect([run.lost, run.twice]).toEqual([0, 0]);
  expect(run.acknowledged).toBeGreaterThan(1_000);
  expect(run.warehouse).toEqual(run.log);
});
