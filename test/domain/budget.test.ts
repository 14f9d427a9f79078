import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BUDGET_UNITS,
  budgetLimits,
  budgetReport,
  messageCost,
  takeFromBudget,
} from '../../domain/budget.ts';
import { checkCampaign } from '../../domain/campaign.schema.ts';
import { isUnreal, nextRunId, runIdOf, runNumberOf } from '../../domain/mode.ts';
import { aCampaign } from '../campaigns/campaign-builder.ts';

const offered = aCampaign({
  budget: { total: 10, perMessage: 0.0021, sends: 1_000 },
  variants: [
    { id: 'plain', template: 'win-back', subject: 'New' },
    {
      id: 'offer',
      template: 'win-back',
      subject: 'New',
      offer: { id: 'o', label: '5 off', cost: 5 },
    },
  ],
});
const none = { sends: 0, units: 0, isSpent: false };

describe('a budget', () => {
  it('counts for each message what it costs and what its offer may cost', () => {
    expect([messageCost(offered, 0), messageCost(offered, 1)]).toEqual([21, 50_021]);
    expect(budgetLimits(offered)).toEqual({ units: 10 * BUDGET_UNITS, sends: 1_000 });
    expect(budgetLimits(aCampaign())).toBeNull();
  });

  it('ends at the first message that does not fit, however cheap the next one is', () => {
    const { taken, after } = takeFromBudget({ units: 100, sends: null }, none, [60, 60, 1]);
    expect([taken, after]).toEqual([1, { sends: 1, units: 60, isSpent: true }]);
    expect(takeFromBudget({ units: 100, sends: null }, after, [1]).taken).toBe(0);
  });

  it('is never overspent, and takes all that fits before the first that does not', () => {
    const cost = fc.integer({ min: 0, max: 50 });
    fc.assert(
      fc.property(fc.array(fc.array(cost)), fc.nat(500), fc.nat(40), (batches, units, sends) => {
        let state: typeof none = none;
        let taken = 0;
        for (const costs of batches) {
          const step = takeFromBudget({ units, sends }, state, costs);
          state = step.after;
          taken += step.taken;
        }
        const all = batches.flat();
        expect(state.units).toBe(all.slice(0, taken).reduce((sum, one) => sum + one, 0));
        expect(state.units).toBeLessThanOrEqual(units);
        expect(taken).toBeLessThanOrEqual(sends);
        if (taken < all.length) {
          expect(taken === sends || state.units + all[taken]! > units).toBe(true);
        }
      }),
    );
  });

  it('says what was spent, what waits and what is left', () => {
    expect(
      budgetReport(offered, {
        byVariant: [
          { variant: 0, spent: 100, reserved: 0 },
          { variant: 1, spent: 1, reserved: 0 },
        ],
        skipped: 7,
      }),
    ).toEqual({
      total: 10,
      sends: 1_000,
      spent: 5.2121,
      reserved: 0,
      left: 4.7879,
      messages: 101,
      skipped: 7,
    });
  });

  it.each([
    [{ total: 5 }, 'nothing costs anything'],
    [{ perMessage: 1 }, 'limits nothing'],
    [{ sends: 0 }, '1 or more'],
    [{ total: -1, perMessage: 1 }, 'above 0'],
  ])('%j is refused with a sentence', (budget, sentence) => {
    const { problems } = checkCampaign(aCampaign({ budget }));
    expect(problems).toHaveLength(1);
    expect(problems[0]!.message).toContain(sentence);
  });
});

describe('the runs of a campaign', () => {
  const run = (id: string, mode: 'live' | 'rehearsal', stage: string, hash = 'h') => ({
    id,
    mode,
    stage,
    hash,
  });
  const campaign = { id: 'win-back', hash: 'h' };

  it('have ids that no file can use, and that say what they are', () => {
    expect(runIdOf('win-back', 'live', 1)).toBe('win-back');
    expect(checkCampaign(aCampaign({ id: runIdOf('a', 'rehearsal', 1) })).problems).toHaveLength(1);
    expect(runNumberOf('win-back~rehearsal-12')).toBe(12);
    expect(['a', 'a~test-1', 'a~rehearsal-1', 'a~simulated-3'].map(isUnreal)).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });

  it('are one where it is live, and a new one each time where it is not', () => {
    expect(nextRunId(campaign, 'live', [run('win-back', 'live', 'closed')])).toBe('win-back');
    expect(nextRunId(campaign, 'rehearsal', [])).toBe('win-back~rehearsal-1');
    const closed = run('win-back~rehearsal-1', 'rehearsal', 'closed');
    expect(nextRunId(campaign, 'rehearsal', [closed])).toBe('win-back~rehearsal-2');
    const open = run('win-back~rehearsal-2', 'rehearsal', 'draining');
    expect(nextRunId(campaign, 'rehearsal', [closed, open])).toBe(open.id);
    expect(nextRunId({ ...campaign, hash: 'new' }, 'rehearsal', [closed, open])).toBe(
      'win-back~rehearsal-3',
    );
  });
});
