import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterQuiet, instantOf, isQuiet, localHour, offsetMs } from '../../domain/local-time.ts';

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/Los_Angeles',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'Pacific/Apia',
  'Africa/Casablanca',
];
const instant = fc
  .integer({ min: Date.UTC(2015, 0, 1), max: Date.UTC(2030, 0, 1) })
  .map((ms) => ms - (ms % 1_000));
const quietHours = fc.record({
  from: fc.integer({ min: 0, max: 23 }),
  to: fc.integer({ min: 0, max: 23 }),
});
const wall = (text: string): number => Date.parse(`${text}Z`);

describe('wall-clock time', () => {
  it('goes to its instant and back, except in a gap', () => {
    fc.assert(
      fc.property(instant, fc.constantFrom(...ZONES), (ms, zone) => {
        const local = ms + offsetMs(ms, zone);
        const found = instantOf(local, zone);
        // In an hour that comes twice the first of the two is taken.
        expect(found).toBeLessThanOrEqual(ms);
        expect(found + offsetMs(found, zone)).toBe(local);
      }),
      { numRuns: 500 },
    );
  });

  it('takes the first instant after a gap, and the first of a repeated hour', () => {
    const gap = instantOf(wall('2026-03-29T02:30:00'), 'Europe/Berlin');
    expect(new Date(gap).toISOString()).toBe('2026-03-29T01:00:00.000Z');
    const repeated = instantOf(wall('2026-10-25T02:30:00'), 'Europe/Berlin');
    expect(new Date(repeated).toISOString()).toBe('2026-10-25T00:30:00.000Z');
  });
});

describe('quiet hours', () => {
  it('reach over midnight', () => {
    const quiet = { from: 21, to: 8 };
    expect([20.9, 21, 0, 7.9, 8].map((hour) => isQuiet(hour, quiet))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  it('never end in a quiet hour, never before the wish, and at most a day and an hour later', () => {
    fc.assert(
      fc.property(instant, fc.constantFrom(...ZONES), quietHours, (ms, zone, quiet) => {
        const due = afterQuiet(ms, zone, quiet);
        expect(isQuiet(localHour(due, zone), quiet)).toBe(false);
        expect(due).toBeGreaterThanOrEqual(ms);
        expect(due - ms).toBeLessThanOrEqual(26 * 3_600_000);
      }),
      { numRuns: 1_000 },
    );
  });

  it('leave a waking moment as it is', () => {
    fc.assert(
      fc.property(instant, fc.constantFrom(...ZONES), quietHours, (ms, zone, quiet) => {
        fc.pre(!isQuiet(localHour(ms, zone), quiet));
        expect(afterQuiet(ms, zone, quiet)).toBe(ms);
      }),
      { numRuns: 300 },
    );
  });
});
