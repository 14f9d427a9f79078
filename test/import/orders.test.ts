import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importFiles } from '../../store/import/pipeline.ts';
import { db, events, folder, mappingOf, run, useShop } from './shop.ts';
import { writeFiles } from './support.ts';

useShop();

const ORDERS_MAP = `
kind: orders
format: { delimiter: ';', decimal: ',', dates: 'dd.MM.yyyy HH:mm', timeZone: Europe/Berlin, empty: [n/a] }
fields:
  order: Bestellung
  customer: Kunde
  at: Datum
  currency: { value: EUR }
  sku: Artikel
  quantity: Menge
  price: Preis
cancelled: { column: Status, in: [storniert] }
properties: { channel: Kanal }
`;
const ORDERS = [
  'Bestellung;Kunde;Datum;Artikel;Menge;Preis;Status;Kanal',
  'B1;k1;31.03.2026 23:30;A;2;1.250,50;bezahlt;web',
  'B2;k2;01.04.2026 08:00;B;1;9,99;storniert;n/a',
  'B3;n/a;01.04.2026 09:00;A;1;5,00;bezahlt;shop',
  'B1;k1;31.03.2026 23:31;C;-1;20,00;bezahlt;web',
  'B4;k1;32.03.2026 23:31;C;1;20,00;bezahlt;web',
  'B5;k1;01.04.2026 23:31;C;1;20.00;bezahlt;web',
  'B1;k1;31.03.2026 23:30;A;2;1.250,50;bezahlt;web',
].join('\n');

describe('orders', () => {
  it('are gathered from their lines; returns and cancellations are refunds', async () => {
    await run('products', 'sku,title,category,price,currency\nA,Apple,fruit,1,EUR\n');
    const report = await run('orders', ORDERS, { yaml: ORDERS_MAP });
    expect(report).toMatchObject({
      read: 7,
      accepted: 5,
      duplicates: 0,
      rejected: { 'at: not a date': 1, 'price: not a number': 1 },
      records: 4,
      added: 4,
      customersAdded: 2,
      notes: {
        'line that its order has twice, kept': 1,
        'without a customer, kept as anonymous': 1,
      },
    });
    expect(await events()).toEqual([
      {
        message_id: 'order:B1',
        type: 'Order Completed',
        who: 'k1',
        at: '2026-03-31 21:30',
        properties: {
          orderId: 'B1',
          total: 5002,
          currency: 'EUR',
          channel: 'web',
          products: [
            { sku: 'A', quantity: 2, price: 1250.5, category: 'fruit' },
            { sku: 'A', quantity: 2, price: 1250.5, category: 'fruit' },
          ],
        },
      },
      {
        message_id: 'order:B3',
        type: 'Order Completed',
        who: null,
        at: '2026-04-01 07:00',
        properties: {
          orderId: 'B3',
          total: 5,
          currency: 'EUR',
          channel: 'shop',
          products: [{ sku: 'A', quantity: 1, price: 5, category: 'fruit' }],
        },
      },
      {
        message_id: 'refund:B1',
        type: 'Order Refunded',
        who: 'k1',
        at: '2026-03-31 21:31',
        properties: {
          orderId: 'B1',
          total: 20,
          currency: 'EUR',
          channel: 'web',
          products: [{ sku: 'C', quantity: 1, price: 20 }],
        },
      },
      {
        message_id: 'refund:B2',
        type: 'Order Refunded',
        who: 'k2',
        at: '2026-04-01 06:00',
        properties: {
          orderId: 'B2',
          total: 9.99,
          currency: 'EUR',
          products: [{ sku: 'B', quantity: 1, price: 9.99 }],
        },
      },
    ]);
  });

  it('imported again, from another file and in another order, add nothing', async () => {
    await run('orders', ORDERS, { yaml: ORDERS_MAP });
    const before = await events();
    const [header, ...lines] = ORDERS.split('\n');
    const again = await run('orders', [header, ...lines.reverse()].join('\n'), {
      name: 'other.csv',
      yaml: ORDERS_MAP,
    });
    expect(again).toMatchObject({ accepted: 5, records: 4, added: 0, customersAdded: 0 });
    expect(await events()).toEqual(before);
  });

  it('may lie in several files, and follow the rules of the mapping', async () => {
    const [header, ...lines] = ORDERS.split('\n');
    writeFiles(folder, {
      'a.csv': [header, ...lines.slice(0, 3)].join('\n'),
      'b.csv': [header, ...lines.slice(3)].join('\n'),
    });
    const mapping = mappingOf(
      `${ORDERS_MAP}rules: { missingCustomer: reject, unknownCustomer: keep, repeatedLine: mend }`,
    );
    const report = await importFiles(db, {
      kind: 'orders',
      files: [join(folder, 'a.csv'), join(folder, 'b.csv')],
      mapping,
    });
    expect(report).toMatchObject({
      read: 7,
      accepted: 3,
      duplicates: 1,
      rejected: { 'customer: missing': 1, 'at: not a date': 1, 'price: not a number': 1 },
      records: 3,
      customersAdded: 0,
      notes: { 'customer not known, kept as anonymous': 3 },
    });
    expect(
      report.files.map(({ read, rejectedFile }) => [read, existsSync(rejectedFile ?? '')]),
    ).toEqual([
      [3, true],
      [4, true],
    ]);
    const totals = (await events()).map(
      ({ properties }) => (properties as { total: number }).total,
    );
    expect(totals).toEqual([2501, 20, 9.99]);
  });

  it('of NDJSON need no mapping where the names are the usual ones', async () => {
    const lines = [
      {
        orderId: 7,
        customerId: 'k1',
        orderedAt: '2026-03-01T10:00:00+02:00',
        sku: 'A',
        quantity: 2,
        price: 1.5,
        currency: 'eur',
      },
      {
        orderId: 7,
        customerId: 'k1',
        orderedAt: '2026-03-01T10:00:00+02:00',
        sku: 'B\u0000',
        quantity: 1,
        price: 2,
        currency: 'eur',
      },
    ];
    const report = await run(
      'orders',
      `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"orderId":8`,
      {
        name: 'o.ndjson',
      },
    );
    expect(report).toMatchObject({ read: 3, accepted: 2, rejected: { 'not JSON': 1 }, added: 1 });
    expect(await events()).toMatchObject([
      {
        at: '2026-03-01 08:00',
        properties: {
          orderId: '7',
          total: 5,
          currency: 'EUR',
          products: [{ sku: 'A' }, { sku: 'B' }],
        },
      },
    ]);
  });
});
