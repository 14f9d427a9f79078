import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventToPerson, eventToRows } from '../../domain/warehouse-rows.ts';

const event = (type: string, properties: Record<string, unknown>, personId: number | null = 7) => ({
  id: 42,
  type,
  personId,
  atMs: 1_700_000_000_000.75,
  properties,
});

describe('rows of an event', () => {
  test('an order is one row with its total, and one for each line', () => {
    const rows = eventToRows(
      event('Order Completed', {
        orderId: 'o1',
        total: 19.99,
        campaign: 'win-back',
        products: [
          { sku: 'a', quantity: 3, price: 3.33, category: 'shoes' },
          { sku: 'b', quantity: 1, price: 10 },
        ],
      }),
    );
    const common = {
      eventId: 42,
      atMs: 1_700_000_000_000,
      personId: 7,
      orderId: 'o1',
      campaign: 'win-back',
      rating: 0,
      machine: false,
      properties: {},
    };
    expect(rows).toEqual([
      {
        ...common,
        line: 0,
        type: 'Order Completed',
        category: '',
        sku: '',
        amount: 1_999,
        quantity: 4,
      },
      {
        ...common,
        line: 1,
        type: 'Product Purchased',
        category: 'shoes',
        sku: 'a',
        amount: 999,
        quantity: 3,
      },
      {
        ...common,
        line: 2,
        type: 'Product Purchased',
        category: '',
        sku: 'b',
        amount: 1_000,
        quantity: 1,
      },
    ]);
  });

  test('a refund is positive, its lines are negative', () => {
    const [whole, line] = eventToRows(
      event('Order Refunded', { total: 5, products: [{ sku: 'a', quantity: 1, price: 5 }] }),
    );
    expect(whole).toMatchObject({ type: 'Order Refunded', amount: 500, quantity: 1 });
    expect(line).toMatchObject({ type: 'Product Returned', amount: -500, quantity: -1 });
  });

  test('an order without a total is worth its lines; a view its price; an impression its cost', () => {
    const lines = { products: [{ quantity: 2, price: 0.1 }, { price: 0.2 }] };
    expect(eventToRows(event('Order Completed', lines))[0]!.amount).toBe(40);
    expect(eventToRows(event('Product Viewed', { price: 4.5 }))[0]!.amount).toBe(450);
    expect(eventToRows(event('Product Added', { price: 4.5, quantity: 2 }))[0]!.amount).toBe(900);
    expect(eventToRows(event('Ad Impression', { cost: 0.03 }))[0]!.amount).toBe(3);
  });

  test('the opens of machines are marked; anonymous visitors are person 0', () => {
    expect(eventToRows(event('Email Opened', { machine: true }, null))[0]).toMatchObject({
      machine: true,
      personId: 0,
    });
  });

  test('whatever the properties are, rows hold whole numbers in range and no -0', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('Order Completed', 'Order Refunded', 'X'),
        fc.dictionary(
          fc.constantFrom('total', 'price', 'quantity', 'products', 'rating', 'sku', 'cost'),
          fc.oneof(
            fc.anything(),
            fc.array(
              fc.dictionary(
                fc.constantFrom('price', 'quantity'),
                fc.oneof(fc.double(), fc.integer()),
              ),
            ),
          ),
        ),
        (type, properties) => {
          for (const row of eventToRows(event(type, properties))) {
            for (const value of [row.amount, row.quantity, row.rating]) {
              expect(Number.isSafeInteger(value)).toBe(true);
              expect(Object.is(value, -0)).toBe(false);
            }
            expect(Math.abs(row.quantity)).toBeLessThan(2 ** 31);
          }
        },
      ),
    );
  });
});

test('a person comes from Traits Changed as a whole, without what cannot be asked for', () => {
  const properties = {
    externalId: 'c1',
    country: 'DE',
    timeZone: null,
    locale: 'de',
    consent: true,
    hasAddress: true,
    traits: { plan: 'gold', points: 3, vip: false, nothing: null, nested: { a: 1 } },
    createdAtMs: 1_000.5,
  };
  expect(eventToPerson(event('Traits Changed', properties))).toEqual({
    personId: 7,
    version: 42,
    externalId: 'c1',
    country: 'DE',
    timeZone: '',
    locale: 'de',
    consent: true,
    hasAddress: true,
    traits: { plan: 'gold', points: 3, vip: false },
    createdAtMs: 1_000,
  });
  expect(eventToPerson(event('Traits Changed', {}))).toBeNull();
  expect(eventToPerson(event('Order Completed', properties))).toBeNull();
});

describe('a line that says what was paid for it', () => {
  test('counts with that amount, not with a rounded price times its quantity', () => {
    const rows = eventToRows({
      id: 1,
      type: 'Order Completed',
      personId: 1,
      atMs: 0,
      properties: { total: 5, products: [{ sku: 'a', quantity: 3, price: 1.67, amount: 5 }] },
    });
    expect(rows[1]).toMatchObject({ type: 'Product Purchased', quantity: 3, amount: 500 });
  });
});
