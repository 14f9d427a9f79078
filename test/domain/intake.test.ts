import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IntakeContext, parseIntake } from '../../domain/intake.ts';

const NOW = Date.UTC(2026, 5, 1, 12);
const context: IntakeContext = { kind: 'track', nowMs: NOW, newId: () => 'new' };

function timeOf(timestamp: unknown): number | string {
  const result = parseIntake({ userId: 'u', event: 'X', timestamp }, context);
  return 'problem' in result ? result.problem.pointer : result.call.atMs;
}

describe('a call of the intake', () => {
  it('keeps its instant, in UTC where it names no zone', () => {
    expect(timeOf('2026-05-01T10:00:00+02:00')).toBe(Date.UTC(2026, 4, 1, 8));
    expect(timeOf('2026-05-01T10:00:00.5Z')).toBe(Date.UTC(2026, 4, 1, 10, 0, 0, 500));
    expect(timeOf('2026-05-01T10:00:00')).toBe(Date.UTC(2026, 4, 1, 10));
    expect(timeOf('2026-05-01 10:00')).toBe(Date.UTC(2026, 4, 1, 10));
    expect(timeOf('2026-05-01')).toBe(Date.UTC(2026, 4, 1));
    expect(timeOf(undefined)).toBe(NOW);
    for (const wrong of [
      '',
      '1',
      'May 1 2026',
      '2026-13-01',
      '2026-02-40T00:00:00Z',
      5,
      {},
      true,
    ]) {
      expect([wrong, timeOf(wrong)]).toEqual([wrong, '/timestamp']);
    }
  });

  it('never fails on anything that JSON can say, and what it takes PostgreSQL can store', () => {
    const keys = fc.constantFrom(
      'type',
      'userId',
      'anonymousId',
      'event',
      'messageId',
      'timestamp',
      'properties',
      'traits',
      'email',
      'total',
      'products',
      'address',
      'name',
      '__proto__',
      'country',
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom('track', 'identify', 'page', 'Order Completed', 'a\0b', '\ud800', 'u-1'),
        fc.jsonValue(),
        fc.dictionary(keys, tie('any'), { maxKeys: 6 }),
        fc.array(tie('any'), { maxLength: 3 }),
      ),
    })).any;
    let taken = 0;
    fc.assert(
      fc.property(fc.dictionary(keys, value, { maxKeys: 8 }), (body) => {
        const result = parseIntake(body, context);
        if ('problem' in result) {
          expect(result.problem.pointer).toMatch(/^(\/|$)/);
          return;
        }
        taken += 1;
        const { call } = result;
        const kept = JSON.stringify(call.kind === 'track' ? call.properties : call);
        expect(kept).not.toMatch(/\\u0000|\\ud[89a-f]/i);
        expect(call.messageId.length).toBeGreaterThan(0);
        expect(Number.isFinite(call.atMs)).toBe(true);
      }),
      {
        numRuns: 3_000,
        // Chance alone makes a whole call too seldom.
        examples: [
          [{ type: 'track', event: 'Order Completed', userId: 'u-1', properties: { total: 1 } }],
        ],
      },
    );
    expect(taken).toBeGreaterThan(0);
  });

  it('of an order keeps fields of the shop’s own beside ours', () => {
    const result = parseIntake(
      {
        userId: 7,
        event: 'Order Completed',
        properties: { order_id: 'o', revenue: 5, total: 6, gift: true, products: [{ sku: 's' }] },
      },
      context,
    );
    expect(result).toMatchObject({
      call: {
        userId: '7',
        properties: { order_id: 'o', orderId: 'o', total: 6, gift: true, products: [{ sku: 's' }] },
      },
    });
  });
});
