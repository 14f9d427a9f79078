import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LanePace } from '../../delivery/lane-pace.ts';
import { RelayGuard } from '../../delivery/relay-guard.ts';

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A guard whose relay and clock the test moves. */
function guarded() {
  const world = { nowMs: 0, up: false, stage: 'connect', code: 0, probes: 0 };
  const guard = new RelayGuard({
    verify() {
      world.probes += 1;
      const { stage, code } = world;
      return world.up ? Promise.resolve() : Promise.reject({ details: { stage, code } });
    },
    log: () => {},
    nowMs: () => world.nowMs,
    random: () => 0.5,
  });
  return { world, guard };
}

describe('the circuit breaker before the relay', () => {
  it('lets nothing go before the relay has shown itself', async () => {
    const { world, guard } = guarded();
    world.up = true;
    expect(guard.permit()).toMatchObject({ most: 0, why: null });
    await tick();
    expect(guard.permit()).toMatchObject({ waitMs: 0, most: Infinity, trial: false });
  });

  it('probes once each time, ever more rarely, up to once a minute', async () => {
    const { world, guard } = guarded();
    const at: number[] = [];
    for (; world.nowMs < 600_000; world.nowMs += 100) {
      const before = world.probes;
      expect(guard.permit().most).toBe(0);
      guard.permit();
      if (world.probes > before) at.push(world.nowMs);
      // eslint-disable-next-line no-await-in-loop -- one moment after the other
      if (world.probes > before) await tick();
    }
    const gaps = at.slice(1).map((ms, i) => ms - at[i]!);
    expect(gaps.slice(0, 7)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
    expect(Math.max(...gaps)).toBe(60_000);
    expect(guard.permit().why).toEqual({ stage: 'connect', code: 0 });
  });

  it('asks a relay that refuses credentials every 30 s at first', async () => {
    const { world, guard } = guarded();
    Object.assign(world, { stage: 'auth', code: 535 });
    guard.permit();
    await tick();
    world.nowMs = 29_999;
    guard.permit();
    expect(world.probes).toBe(1);
    world.nowMs = 30_001;
    guard.permit();
    expect(world.probes).toBe(2);
  });

  it('tries one message when it is back, and closes by its reply', async () => {
    const { world, guard } = guarded();
    guard.permit();
    await tick();
    Object.assign(world, { up: true, nowMs: 2_000 });
    guard.permit();
    await tick();
    expect(guard.permit()).toMatchObject({ most: 1, trial: true });
    expect(guard.permit().most).toBe(0);
    guard.endTrial();
    expect(guard.permit()).toMatchObject({ most: 1, trial: true });
    guard.unanswered(guard.epoch);
    expect(guard.isOpen).toBe(true);
    world.nowMs += 10_000;
    guard.permit();
    await tick();
    guard.permit();
    guard.answered(guard.epoch);
    expect(guard.permit()).toMatchObject({ most: Infinity, why: null });
  });

  it('hears nothing of what was begun before it tripped', async () => {
    const { world, guard } = guarded();
    world.up = true;
    guard.permit();
    await tick();
    const { epoch } = guard;
    guard.failed(epoch, { stage: 'connect', code: 0 });
    world.nowMs = 5_000;
    guard.permit();
    await tick();
    expect(guard.permit().most).toBe(1);
    guard.failed(epoch, { stage: 'connect', code: 0 });
    guard.answered(epoch);
    guard.endTrial();
    expect(guard.permit().most).toBe(1);
  });
});

type Step = { kind: 'wait'; ms: number } | { kind: 'window'; throttled: number; closing: boolean };

describe('the pace of a lane', () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(60_000) }),
    fc.record({
      kind: fc.constant('window' as const),
      throttled: fc.nat(100),
      closing: fc.boolean(),
    }),
  );

  it('never has more in flight than its limit, gives none while it pauses, and always recovers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 200 }), fc.array(step), async (most, steps) => {
        let nowMs = 0;
        const pace = new LanePace({ most, log: () => {}, nowMs: () => nowMs, random: () => 0.5 });
        const window = async (throttled: number, closing: boolean): Promise<void> => {
          const paused = pace.pauseMs() > 0;
          const taken = await pace.take(100);
          expect(taken === 0).toBe(paused);
          expect(taken).toBeLessThanOrEqual(Math.min(pace.limit, most, 100));
          const before = pace.limit;
          if (taken > 0) {
            const slowed = pace.record(taken, Math.min(throttled, taken), closing);
            if (slowed) expect(pace.limit).toBe(1);
            else expect(pace.limit).toBeGreaterThanOrEqual(before);
            pace.give(taken);
          }
        };
        for (const one of steps) {
          // eslint-disable-next-line no-await-in-loop -- one after the other
          if (one.kind === 'window') await window(one.throttled, one.closing);
          else nowMs += one.ms;
          expect(pace.pauseMs()).toBeLessThanOrEqual(315_000);
        }
        nowMs += 400_000;
        // eslint-disable-next-line no-await-in-loop -- one after the other
        for (let i = 0; i < 2 * most + 10; i += 1) await window(0, false);
        expect(pace.limit).toBe(most);
      }),
    );
  });

  it('halves what it bore, begins with one, doubles up to the half, then grows by one', async () => {
    let nowMs = 0;
    const pace = new LanePace({ most: 64, log: () => {}, nowMs: () => nowMs });
    const taken = await pace.take(64);
    expect(pace.record(taken, 10, false)).toBe(true);
    pace.give(taken);
    expect(await pace.take(64)).toBe(0);
    nowMs += 6_000;
    const limits: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      limits.push(pace.limit);
      pace.record(1, 0, false);
    }
    expect(limits).toEqual([1, 2, 4, 8, 16, 32, 33, 34]);
  });

  it('waits for room', async () => {
    const pace = new LanePace({ most: 3, log: () => {} });
    expect(await pace.take(2)).toBe(2);
    expect(await pace.take(2)).toBe(1);
    let got = 0;
    const later = pace.take(2).then((n) => (got = n));
    await tick();
    expect(got).toBe(0);
    pace.give(2);
    await later;
    expect(got).toBe(2);
  });
});
