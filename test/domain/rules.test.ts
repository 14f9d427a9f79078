import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressUnit, formatAddress, parseAddress } from '../../domain/address.ts';
import { type Campaign, parseSpan } from '../../domain/campaign.ts';
import { type LinkKey, macOf, readToken, signToken } from '../../domain/link-token.ts';
import { effectOf } from '../../domain/measure.ts';
import { type PlanFacts, planMember } from '../../domain/plan.ts';

const campaign: Campaign = {
  id: 'c',
  name: 'C',
  audience: { segment: { all: [] } },
  holdout: 0.1,
  driftTolerance: 0.1,
  deadline: '7d',
  schedule: { kind: 'now' },
  variants: [
    { id: 'a', weight: 3, subject: 'a', template: 't' },
    { id: 'b', weight: 1, subject: 'b', template: 't' },
  ],
  from: { name: 'S', address: 's@s.test' },
  goal: { event: 'Order Completed', window: '14d' },
  caps: { perDay: 1, perWeek: 3 },
  quietHours: { from: 21, to: 8 },
  hash: 'h',
};
const fine: PlanFacts = {
  address: 'a@b.test',
  eligible: true,
  holdout: false,
  duplicate: false,
  consented: true,
  suppressed: false,
  erased: false,
  timeZone: 'Europe/Berlin',
  lastDay: 0,
  lastWeek: 0,
  variantDraw: 0.5,
};
const noon = Date.parse('2026-06-01T10:00:00Z');
const context = {
  nowMs: noon,
  deadlineMs: noon + 7 * 86_400_000,
  chosenVariant: null,
  defaultTimeZone: 'UTC',
};

describe('planning a member', () => {
  it.each([
    [{ suppressed: true }, 'suppressed'],
    [{ consented: false }, 'noConsent'],
    [{ address: null }, 'noAddress'],
    [{ duplicate: true }, 'duplicate'],
    [{ erased: true }, 'erased'],
    [{ eligible: false }, 'notEligible'],
    [{ lastDay: 1 }, 'cap'],
    [{ lastWeek: 3 }, 'cap'],
  ])('skips %j as %s', (facts, reason) => {
    expect(planMember(campaign, { ...fine, ...facts }, context)).toEqual({ kind: 'skip', reason });
  });

  it('holds out whoever the draw held out, whatever else is true of them', () => {
    expect(planMember(campaign, { ...fine, holdout: true, suppressed: true }, context)).toEqual({
      kind: 'holdout',
    });
  });

  it('chooses variants by their weights and says with what probability', () => {
    const at = (variantDraw: number) => planMember(campaign, { ...fine, variantDraw }, context);
    expect(at(0.74)).toMatchObject({ variant: 0, variantP: 0.75 });
    expect(at(0.76)).toMatchObject({ variant: 1, variantP: 0.25 });
    expect(planMember(campaign, fine, { ...context, chosenVariant: 1 })).toMatchObject({
      variant: 1,
      variantP: 1,
    });
  });

  it('waits for the morning of the person, and skips who would wake after the deadline', () => {
    const night = { ...context, nowMs: Date.parse('2026-06-01T22:00:00Z') };
    expect(planMember(campaign, fine, night)).toMatchObject({
      dueMs: Date.parse('2026-06-02T06:00:00Z'),
    });
    expect(planMember(campaign, fine, { ...night, deadlineMs: night.nowMs + 3_600_000 })).toEqual({
      kind: 'skip',
      reason: 'quietHours',
    });
  });
});

describe('addresses', () => {
  it('keep to the grammar or are refused', () => {
    const bad = [
      'a',
      '@b.test',
      'a@',
      'a@b',
      'a b@c.test',
      '"a"@b.test',
      'a@[127.0.0.1]',
      'a..b@c.test',
      '.a@b.test',
      'a@b.test\r\nBcc: x@y.test',
      'a@b_c.test',
      'a@b.123',
      'ä@b.test',
      `${'a'.repeat(65)}@b.test`,
    ];
    expect(bad.filter((text) => parseAddress(text) !== null)).toEqual([]);
  });

  it('come out as they are read', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (text) => {
        const parsed = parseAddress(text);
        // The grammar is stricter than the RFC: what it does not take is refused, never changed.
        if (parsed) expect(parseAddress(formatAddress(parsed))).toEqual(parsed);
      }),
    );
  });

  it('make one unit of one mailbox', () => {
    const unit = (text: string) => addressUnit(parseAddress(text)!);
    expect(unit('Ana+news@Shop.TEST')).toBe(unit('ana@shop.test'));
    expect(unit('a.na@shop.test')).not.toBe(unit('ana@shop.test'));
  });
});

describe('link tokens', () => {
  const keys: LinkKey[] = [
    { id: 2, secret: Buffer.alloc(32, 2) },
    { id: 1, secret: Buffer.alloc(32, 1) },
  ];
  const subject = fc.record({
    campaignNo: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    step: fc.integer({ min: 0, max: 100 }),
    personId: fc.integer({ min: 1, max: 2 ** 45 }),
  });

  it('carries the MAC of RFC 2104, as node:crypto makes it', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.uint8Array({ maxLength: 200 }),
        (secret, head) => {
          const expected = createHmac('sha256', secret).update(head).digest();
          expect(macOf({ id: 1, secret }, Buffer.from(head))).toEqual(expected);
        },
      ),
    );
  });

  it('come back as what was signed, also under an older key', () => {
    fc.assert(
      fc.property(subject, fc.constantFrom(...keys), (about, key) => {
        expect(readToken(keys, 'link', signToken(key, 'link', about))).toEqual(about);
      }),
    );
  });

  it('say nothing for another purpose, another key or a changed character', () => {
    fc.assert(
      fc.property(
        subject,
        fc.nat(200),
        fc.constantFrom('A', 'B', 'z', '0', '9', '-', '_'),
        (about, at, letter) => {
          const token = signToken(keys[0]!, 'link', about);
          expect(readToken(keys, 'message', token)).toBeNull();
          expect(readToken([keys[1]!], 'link', token)).toBeNull();
          const index = at % token.length;
          fc.pre(token[index] !== letter);
          expect(
            readToken(keys, 'link', token.slice(0, index) + letter + token.slice(index + 1)),
          ).toBeNull();
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('what a campaign caused', () => {
  it('covers the truth in about 95 of 100 campaigns', () => {
    let covered = 0;
    let seed = 7;
    const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
    const arm = (persons: number, rate: number) => {
      const sums = { persons, converted: 0, value: 0, valueSquared: 0 };
      for (let i = 0; i < persons; i += 1) {
        if (random() >= rate) continue;
        const value = 20 + 60 * random();
        sums.converted += 1;
        sums.value += value;
        sums.valueSquared += value * value;
      }
      return sums;
    };
    const runs = 400;
    for (let run = 0; run < runs; run += 1) {
      const { incrementalValue } = effectOf(arm(900, 0.12), arm(300, 0.1));
      const truth = 900 * 0.02 * 50;
      if (incrementalValue!.low <= truth && truth <= incrementalValue!.high) covered += 1;
    }
    expect(covered / runs).toBeGreaterThan(0.92);
    expect(covered / runs).toBeLessThan(0.98);
  });

  it('says so where there is nothing to compare with', () => {
    const some = { persons: 10, converted: 1, value: 5, valueSquared: 25 };
    const none = { persons: 0, converted: 0, value: 0, valueSquared: 0 };
    expect(effectOf(some, none)).toMatchObject({ incrementalValue: null, isPositive: false });
  });
});

describe('spans', () => {
  it('are a number and a unit', () => {
    expect(['90m', '12h', '14d', '8w', '1y', 'd', '1.5h', ''].map(parseSpan)).toEqual([
      5_400_000,
      43_200_000,
      1_209_600_000,
      4_838_400_000,
      null,
      null,
      null,
      null,
    ]);
  });
});
