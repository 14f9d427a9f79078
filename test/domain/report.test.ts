import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effectOf } from '../../domain/measure.ts';
import { type GoalsOfPerson, type ReportInput, composeReport } from '../../domain/report.ts';

const DAY = 86_400_000;
const LAUNCH = Date.UTC(2026, 10, 1, 9);

function input(change: Partial<ReportInput> = {}): ReportInput {
  return {
    campaign: 'win-back',
    name: 'Win back',
    mode: 'live',
    goal: { event: 'Order Completed', window: '14d' },
    currencies: ['EUR'],
    launchedAtMs: LAUNCH,
    windowEndMs: LAUNCH + 14 * DAY,
    nowMs: LAUNCH + 15 * DAY,
    clockAheadMs: 0,
    counts: {
      audience: 220,
      holdout: 100,
      planned: 0,
      reserved: 0,
      leased: 0,
      handed: 0,
      sent: 100,
      skipped: 20,
      bounced: 0,
      expired: 0,
      unknown: 0,
    },
    isClosed: true,
    skippedByReason: { noConsent: 20 },
    duplicates: 0,
    persons: { treated: 100, holdout: 100 },
    goals: [],
    reactions: [],
    reactionsPossible: 'real',
    variants: [{ id: 'a', persons: 100, sent: 100 }],
    bounces: [],
    unknownMessages: [],
    ...change,
  };
}

const goals = fc.array(
  fc.record({
    isHoldout: fc.boolean(),
    variant: fc.constantFrom(0, null),
    days: fc.uniqueArray(
      fc.record({
        day: fc.integer({ min: 0, max: 13 }),
        count: fc.integer({ min: 1, max: 3 }),
        value: fc.integer({ min: 0, max: 10_000 }).map((cents) => cents / 100),
      }),
      { selector: (entry) => entry.day, minLength: 1, maxLength: 5 },
    ),
  }),
  { maxLength: 80 },
);

const valueOf = (person: GoalsOfPerson): number =>
  person.days.reduce((sum, day) => sum + day.value, 0);

describe('a report', () => {
  it('compares the arms by intention to treat, and its curve ends where its sums are', () => {
    fc.assert(
      fc.property(goals, (people) => {
        const report = composeReport(input({ goals: people }));
        const arm = (isHoldout: boolean) => {
          const values = people.filter((p) => p.isHoldout === isHoldout).map(valueOf);
          return {
            persons: 100,
            converted: values.length,
            value: values.reduce((sum, value) => sum + value, 0),
            valueSquared: values.reduce((sum, value) => sum + value * value, 0),
          };
        };
        const [treated, holdout] = [arm(false), arm(true)];
        const effect = effectOf(treated, holdout).incrementalValue!;
        expect(report.incrementalRevenue!.estimate).toBeCloseTo(effect.estimate, 1);
        expect(report.incrementalRevenue!.low).toBeCloseTo(effect.low, 1);
        expect(report.revenue.treated).toBeCloseTo(treated.value, 1);
        const end = report.daily.at(-1)!;
        expect(end.day).toBe(14);
        expect(end.treatedPerHead).toBeCloseTo(treated.value / 100, 2);
        expect(end.holdoutPerHead).toBeCloseTo(holdout.value / 100, 2);
        // The bands of the last day, put together, are the interval of the whole.
        const half = 100 * Math.hypot(end.treatedHalf, end.holdoutHalf);
        expect(half).toBeCloseTo((effect.high - effect.low) / 2, 0);
        for (const [index, point] of report.daily.entries()) {
          expect(point.treatedPerHead).toBeGreaterThanOrEqual(
            report.daily[index - 1]?.treatedPerHead ?? 0,
          );
        }
      }),
    );
  });

  it('of a shop of the past names no effect but a reason', () => {
    const report = composeReport(
      input({ reactionsPossible: 'none', clockAheadMs: -9 * 365.25 * DAY }),
    );
    expect(report.incrementalRevenue).toBeNull();
    expect(report.incrementalConversions).toBeNull();
    expect(report.isPositive).toBe(false);
    expect(report.reason).toMatchInlineSnapshot(
      `"This shop is a record of the past: its people never saw these mails, so nothing they bought was caused by them."`,
    );
    expect(report.caveats.at(-1)).toMatchInlineSnapshot(
      `"All times are the shop’s own: its clock stands in the past, about 9 years behind today."`,
    );
  });

  it('without a holdout says so', () => {
    const report = composeReport(input({ persons: { treated: 200, holdout: 0 } }));
    expect(report.incrementalRevenue).toBeNull();
    expect(report.reason).toContain('no holdout');
    expect(report.conversionRate).toEqual({ treated: 0, holdout: null });
  });

  it('before its end is preliminary and says until when', () => {
    const report = composeReport(input({ nowMs: LAUNCH + 3 * DAY, isClosed: false }));
    expect(report.isFinal).toBe(false);
    expect(report.daily.map((point) => point.day)).toEqual([0, 1, 2, 3]);
    expect(report.caveats).toContain(
      'The time in which orders count ends on 15 November 2026; until then these figures change.',
    );
    expect(report.caveats).toContain('Not every message has come to its end yet.');
  });

  it('says aloud what must never be, and what nobody knows', () => {
    const report = composeReport(
      input({
        duplicates: 2,
        counts: { ...input().counts, sent: 99, unknown: 1 },
        mode: 'rehearsal',
        currencies: ['EUR', 'CHF'],
      }),
    );
    expect(report.isBalanced).toBe(true);
    expect(report.caveats.join('\n')).toMatch(/2 mailboxes got more than one/);
    expect(report.caveats.join('\n')).toMatch(/1 messages nobody can say/);
    expect(report.caveats.join('\n')).toMatch(/rehearsal run/);
    expect(report.caveats.join('\n')).toMatch(/2 currencies/);
  });

  it('counts people who opened, and machines apart', () => {
    const kinds = [
      { kind: 'open', isHuman: true },
      { kind: 'open', isHuman: false },
      { kind: 'click', isHuman: true },
      { kind: 'unsubscribe', isHuman: true },
    ] as const;
    const report = composeReport(
      input({ reactions: kinds.map((reaction) => ({ ...reaction, variant: 0 })) }),
    );
    expect(report.opens).toEqual({ human: 1, machine: 1 });
    expect(report.clicks).toEqual({ human: 1, machine: 0 });
    expect(report.unsubscribed).toBe(1);
    expect(report.variants[0]).toMatchObject({ opens: 1, clicks: 1 });
  });
});
