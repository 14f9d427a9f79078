import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_LANES,
  LANES,
  WAIT_REASONS,
  foremostReason,
  laneFinder,
  laneOf,
} from '../../domain/lane.ts';
import { warmUpDay, warmUpLimit } from '../../domain/warm-up.ts';

const curve = fc.record({
  start: fc.integer({ min: 1, max: 10_000 }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
  ceiling: fc.integer({ min: 1, max: 10_000_000 }),
});
const DAY_MS = 86_400_000;

describe('the warm-up curve', () => {
  it('begins at its start, never falls, never grows faster than its factor, never passes its ceiling', () => {
    fc.assert(
      fc.property(curve, fc.nat(5_000), (warmUp, day) => {
        const today = warmUpLimit(warmUp, day);
        const tomorrow = warmUpLimit(warmUp, day + 1);
        expect(warmUpLimit(warmUp, 0)).toBe(Math.min(warmUp.start, warmUp.ceiling));
        expect(Number.isInteger(today)).toBe(true);
        expect(today).toBeGreaterThanOrEqual(1);
        expect(today).toBeLessThanOrEqual(warmUp.ceiling);
        expect(tomorrow).toBeGreaterThanOrEqual(today);
        expect(tomorrow).toBeLessThanOrEqual((today + 1) * warmUp.factor + 1);
      }),
    );
  });

  it('reaches its ceiling when it grows', () => {
    fc.assert(
      fc.property(curve, (warmUp) => {
        fc.pre(warmUp.factor > 1.01);
        expect(warmUpLimit(warmUp, 100_000)).toBe(warmUp.ceiling);
      }),
    );
  });

  it('is 500, 750, 1,125 … for a start of 500 and a factor of 1.5', () => {
    const warmUp = { start: 500, factor: 1.5, ceiling: 2_000 };
    expect([0, 1, 2, 3, 4, 5].map((day) => warmUpLimit(warmUp, day))).toEqual([
      500, 750, 1_125, 1_687, 2_000, 2_000,
    ]);
  });

  it('counts calendar days in UTC from the first send, and none before it', () => {
    const noon = 20_000 * DAY_MS + DAY_MS / 2;
    expect(warmUpDay(null, noon)).toBe(0);
    expect(warmUpDay(noon, noon)).toBe(0);
    expect(warmUpDay(noon, noon + DAY_MS / 2 - 1)).toBe(0);
    expect(warmUpDay(noon, noon + DAY_MS / 2)).toBe(1);
    expect(warmUpDay(noon, noon - 3 * DAY_MS)).toBe(0);
  });
});

describe('lanes', () => {
  it('go by the domain, and a table of one’s own counts', () => {
    expect(laneOf('googlemail.com')).toBe('gmail');
    expect(laneOf('hotmail.de')).toBe('microsoft');
    expect(laneOf('notgmail.com')).toBe('other');
    const { gmail } = DEFAULT_LANES;
    const find = laneFinder({
      ...DEFAULT_LANES,
      gmail: { ...gmail, domains: [...gmail.domains, 'gmail.example.test'] },
    });
    expect(find('gmail.example.test')).toBe('gmail');
    expect(laneOf('gmail.example.test')).toBe('other');
  });

  it('no domain of the default table is in two lanes, all are in lower case', () => {
    const all = LANES.flatMap((lane) => DEFAULT_LANES[lane].domains);
    expect(new Set(all).size).toBe(all.length);
    for (const domain of all) expect(domain).toMatch(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
  });

  it('of several reasons to wait the foremost is told', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...WAIT_REASONS, 'nothing we know']), (reasons) => {
        const told = foremostReason(reasons);
        const known = WAIT_REASONS.filter((reason) => reasons.includes(reason));
        expect(told).toBe(known[0] ?? null);
      }),
    );
  });
});
