import { readdirSync, rmSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Baskets, type Line } from '../../store/import/baskets.ts';
import { orderEvents } from '../../store/import/orders.ts';
import type { LoadEvent } from '../../store/import/put-events.ts';
import { newFolder } from './support.ts';

let folder: string;
beforeAll(() => {
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const line = (given: Partial<Line>): Line => {
  const { quantity = 1, price = 10 } = given;
  // The spilled form is JSON, which has no negative zero; nor has money.
  const amount = (given.amount ?? quantity * price) || 0;
  return {
    order: 'o1',
    atMs: 1_000,
    customer: 'c1',
    currency: 'EUR',
    sku: 's1',
    category: null,
    quantity,
    price,
    amount,
    takenBack: amount < 0 || (amount === 0 && quantity < 0),
    lineProperties: null,
    properties: null,
    sums: null,
    total: null,
    ...given,
  };
};

/** With the properties as the log has them, and without what only the load needs. */
const readable = ({ messageId, type, externalId, atMs, json }: LoadEvent) => ({
  messageId,
  type,
  externalId,
  atMs,
  properties: JSON.parse(json) as Record<string, unknown>,
});

const make = (lines: readonly Line[], dropRepeated = false) => {
  const notes: string[] = [];
  let dropped = 0;
  const events = orderEvents(lines, {
    sumNames: ['discount'],
    repeatedLine: dropRepeated ? 'mend' : 'keep',
    nearDuplicate: 'keep',
    categories: new Map([['s1', 'socks']]),
    note: (what) => notes.push(what),
    onDropped: () => (dropped += 1),
  });
  return { events: events.map(readable), notes, dropped };
};

const anyLine = fc
  .record({
    order: fc.constantFrom('a', 'b', 'c', 'd "x"\n', 'é'),
    customer: fc.constantFrom(null, 'c1', 'c2'),
    sku: fc.constantFrom(null, 's1', 's2'),
    quantity: fc.integer({ min: -3, max: 3 }),
    price: fc.integer({ min: 0, max: 5_000 }).map((cents) => cents / 100),
    atMs: fc.integer({ min: 0, max: 1_000 }),
    properties: fc.constantFrom(null, { store: '1', open: true }),
    sums: fc.constantFrom(null, [0.5]),
  })
  .map(line);

describe('baskets', () => {
  it('gather all lines of each order in their order, in memory and on disk alike', () => {
    fc.assert(
      fc.property(
        fc.array(anyLine, { maxLength: 200 }),
        fc.integer({ min: 1, max: 250 }),
        (lines, max) => {
          const expected = new Map<string, Line[]>();
          for (const one of lines)
            expected.set(one.order, [...(expected.get(one.order) ?? []), one]);
          const baskets = new Baskets(folder, max);
          for (const one of lines) baskets.add(one);
          expect(baskets.isSpilled).toBe(lines.length > max);
          const found = new Map(
            [...baskets.drain()].map((basket) => [basket[0]!.order, [...basket]]),
          );
          baskets.close();
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leave no file behind, not even while they are used', () => {
    const baskets = new Baskets(folder, 1);
    for (let n = 0; n < 10; n += 1) baskets.add(line({ order: String(n) }));
    expect(baskets.isSpilled).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
    baskets.close();
  });
});

describe('orders', () => {
  it('become one event with lines, sums and the first time', () => {
    const { events } = make([
      line({ atMs: 2_000, quantity: 3, price: 1.333333, amount: 4, sums: [0.1] }),
      line({ sku: 's2', category: 'hats', price: 0.1, sums: [0.2], properties: { store: '7' } }),
    ]);
    expect(events).toEqual([
      {
        messageId: 'order:o1',
        type: 'Order Completed',
        externalId: 'c1',
        atMs: 1_000,
        properties: {
          orderId: 'o1',
          total: 4.1,
          currency: 'EUR',
          discount: 0.3,
          store: '7',
          products: [
            { sku: 's1', quantity: 3, price: 1.333333, amount: 4, category: 'socks' },
            { sku: 's2', quantity: 1, price: 0.1, category: 'hats' },
          ],
        },
      },
    ]);
  });

  it('give what was taken back as a refund of its own, with positive numbers', () => {
    const { events } = make([
      line({}),
      line({ sku: 's2', quantity: -2, price: 3 }),
      line({ sku: 's3', amount: 5, price: 5, takenBack: true }),
    ]);
    expect(
      events.map(({ messageId, type, properties }) => [messageId, type, properties['total']]),
    ).toEqual([
      ['order:o1', 'Order Completed', 10],
      ['refund:o1', 'Order Refunded', 11],
    ]);
    expect(events[1]!.properties['products']).toEqual([
      { sku: 's2', quantity: 2, price: 3 },
      { sku: 's3', quantity: 1, price: 5 },
    ]);
  });

  it('keep a repeated line unless told to drop it', () => {
    const lines = [line({}), line({}), line({ atMs: 2_000 }), line({ sums: [1] })];
    expect(make(lines)).toMatchObject({
      dropped: 0,
      notes: ['line that its order has twice, kept'],
    });
    const { events, dropped } = make(lines, true);
    expect([dropped, events[0]!.properties['total']]).toEqual([1, 30]);
  });

  it('without products still say how many pieces', () => {
    const { events } = make([line({ sku: null, quantity: 2 }), line({ sku: null, quantity: 3 })]);
    expect(events[0]!.properties).toMatchObject({ total: 50, quantity: 5, products: [] });
  });

  it('say so where two customers share one, and give it to the first', () => {
    const { events, notes } = make([
      line({ sku: 's8', customer: null }),
      line({ customer: 'c2' }),
      line({ sku: 's9', customer: 'c3' }),
    ]);
    expect(events[0]!.externalId).toBe('c2');
    expect(notes).toEqual(['order with lines of two customers, given to the first']);
  });

  it('never lose money: bought minus taken back is the sum of the lines', () => {
    fc.assert(
      fc.property(fc.array(anyLine, { minLength: 1, maxLength: 60 }), (lines) => {
        const sum = lines.reduce((all, one) => all + one.amount, 0);
        const total = make(lines).events.reduce(
          (all, { type, properties }) =>
            all + (type === 'Order Refunded' ? -1 : 1) * (properties['total'] as number),
          0,
        );
        expect(total).toBeCloseTo(sum, 6);
      }),
    );
  });
});
