import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { importFiles } from '../../store/import/pipeline.ts';
import { databaseUrl, db, events, folder, people, rejectedRows, run, useShop } from './shop.ts';
import { writeFiles } from './support.ts';

useShop();

const totals = async (): Promise<unknown[]> =>
  (await events()).map(({ message_id, who, at, properties }) => [
    message_id,
    who,
    at,
    (properties as { total: number }).total,
    ((properties as { products: { sku: string }[] }).products ?? []).map(({ sku }) => sku).join(),
  ]);

describe('exports of other shops, by a mapping alone', () => {
  it('say what all lines of an order share in the first of them only', async () => {
    const csv = `Name,Email,Created at,Currency,Total,Lineitem quantity,Lineitem price,Lineitem sku
#1001,ann@x.example,2026-03-01 10:00:00 +0100,EUR,24.90,2,10.00,A
#1001,,,,,1,4.90,B
#1002,,2026-03-02 10:00:00 +0100,EUR,5.00,1,5.50,C
`;
    const report = await run('orders', csv, {
      yaml: `
kind: orders
fields:
  order: { column: Name, match: '^#(\\d+)$' }
  customer: Email
  at: { column: Created at, format: yyyy-MM-dd HH:mm:ss XXX }
  currency: Currency
  sku: Lineitem sku
  quantity: Lineitem quantity
  price: Lineitem price
  total: Total
`,
    });
    expect(report).toMatchObject({ read: 3, accepted: 3, records: 2 });
    expect(await totals()).toEqual([
      ['order:1001', 'ann@x.example', '2026-03-01 09:00', 24.9, 'A,B'],
      ['order:1002', null, '2026-03-02 09:00', 5, 'C'],
    ]);
  });

  it('write cents, another sign, their own words, and heads among the lines', async () => {
    const csv = `H|4711|20260301|1430|C7|
L|4711|20260301|1430|C7|X|2|1999
L|4711|20260301|1430|C7|Y|1|500-
H|4712|20260302|0900|C8|
L|4712|20260302|0900|C8|X|1|1999
`.replaceAll(/^H.*$/gm, (line) => `${line}||`);
    const report = await run('orders', csv, {
      yaml: `
kind: orders
format: { delimiter: '|', columns: [type, nr, day, clock, client, item, n, cents], timeZone: Europe/Vienna }
only: { column: type, in: [L] }
fields:
  order: { template: 'SAP-{nr}' }
  customer: client
  at: { template: '{day} {clock}', format: yyyyMMdd HHmm }
  currency: { column: type, values: { '*': EUR } }
  sku: item
  quantity: n
  price: { column: cents, scale: 0.01 }
`,
    });
    expect(report).toMatchObject({ read: 5, accepted: 3, skipped: 2, rejected: {} });
    expect(await totals()).toEqual([
      ['order:SAP-4711', 'C7', '2026-03-01 13:30', 39.98, 'X'],
      ['order:SAP-4712', 'C8', '2026-03-02 08:00', 19.99, 'X'],
      ['refund:SAP-4711', 'C7', '2026-03-01 13:30', 5, 'Y'],
    ]);
  });

  it('keep the heads of orders in a file of their own', async () => {
    writeFiles(folder, { 'heads.csv': 'id;buyer;placed\n1;k1;01.03.2026\n2;k2;02.03.2026\n' });
    const report = await run(
      'orders',
      'order;item;sum\n1;A;10,00\n1;B;2,50\n2;A;10,00\n3;A;1,00\n',
      {
        yaml: `
kind: orders
format: { decimal: ',', dates: dd.MM.yyyy }
lookups: { head: { file: heads.csv, on: order, key: id } }
fields: { order: order, customer: head.buyer, at: head.placed, currency: { value: EUR }, sku: item, amount: sum }
`,
      },
    );
    expect(report).toMatchObject({ accepted: 3, rejected: { 'at: missing': 1 } });
    expect((await totals()).length).toBe(2);
  });

  it('are held to the rules of the mapping', async () => {
    await run('products', 'sku,title,category,price,currency\nA,Apple,fruit,1,EUR\n');
    await run('customers', 'id,email\nk1,k1@x.example\n');
    const csv = `orderId,customer,date,sku,quantity,price,currency
1,k1,2026-02-31,A,1,10,EUR
2,k1,2026-03-01,A,-1,10,EUR
3,k9,2026-03-01,A,1,10,EUR
4,k1,2026-03-01,Z,1,10,EUR
5,k1,2026-03-01,A,1,9999,EUR
6,k1,2026-03-01,A,1,10,EUR
6,k1,2026-03-01,A,1,10,EUR
6,k1,2026-03-01,a,1,10,EUR
`;
    const fields =
      'kind: orders\nfields: {order: orderId, customer: customer, at: date, currency: currency, sku: sku, quantity: quantity, price: price}\nlimits: {price: {min: 0, max: 100}}\n';
    const rejecting = await run('orders', csv, {
      yaml: `${fields}rules: {negativeQuantity: reject, unknownCustomer: reject, unknownProduct: reject, repeatedLine: reject, nearDuplicate: keep}`,
    });
    expect(rejecting).toMatchObject({
      read: 8,
      accepted: 1,
      rejected: {
        'at: not a date': 1,
        'quantity: negative': 1,
        'customer: customer not known': 1,
        'sku: product not known': 2,
        'price: out of range': 1,
        repeated: 1,
      },
    });
    expect(rejectedRows('orders.csv').split('\n').length).toBe(9);
    const mending = await run('orders', csv, {
      yaml: `${fields}rules: {impossibleDate: mend, negativeQuantity: mend, unknownProduct: mend, outOfRange: mend, repeatedLine: mend, nearDuplicate: mend}`,
    });
    expect(mending).toMatchObject({
      read: 8,
      accepted: 6,
      duplicates: 2,
      rejected: {},
      customersAdded: 1,
      notes: {
        'day that its month does not have, taken as the last of it': 1,
        'negative quantity, taken as positive': 1,
        'price out of range, taken as the nearest limit': 1,
        'product not known, added to the catalogue': 2,
      },
    });
    expect((await totals()).map((row) => (row as unknown[])[3])).toEqual([10, 10, 10, 10, 100, 10]);
  });

  it('have addresses mended, rejected, or left out', async () => {
    const csv = 'id,email\n1,Bob <b@x.example>\n2,"c@x,example"\n3,nobody\n';
    expect(await run('customers', csv)).toMatchObject({
      accepted: 3,
      notes: {
        'address that was written wrongly, mended': 2,
        'address that cannot be mailed to, left out': 1,
      },
    });
    expect((await people()).map(({ address }) => address)).toEqual([
      'b@x.example',
      'c@x.example',
      null,
    ]);
    expect(
      await run('customers', csv, {
        yaml: 'kind: customers\nfields: {id: id, email: email}\nrules: {badAddress: reject}',
      }),
    ).toMatchObject({ accepted: 0, rejected: { 'email: address that cannot be mailed to': 3 } });
  });
});

describe('an import that is killed', () => {
  it(
    'leaves whole orders only, and the same again does the rest',
    { timeout: 120_000 },
    async () => {
      const orders = 60_000;
      const rows = Array.from(
        { length: orders * 4 },
        (_, n) => `o${Math.floor(n / 4)},k${n % 97},2026-03-01,A${n % 4},1,2.5,EUR`,
      );
      writeFiles(folder, {
        'kill.csv': `orderId,customer,date,sku,quantity,price,currency\n${rows.join('\n')}\n`,
      });
      const file = join(folder, 'kill.csv');
      const count = async (): Promise<number> =>
        (await db.query<{ n: number }>('select count(*) as n from event')).rows[0]!.n;
      let killed = 0;
      for (let round = 0; round < 3; round += 1) {
        const before = await count();
        const child = spawn(
          process.execPath,
          [resolve(import.meta.dirname, 'import-child.ts'), databaseUrl(), file],
          { stdio: 'ignore' },
        );
        const ended = once(child, 'exit');
        while (child.exitCode === null && (await count()) <= before) await sleep(20);
        child.kill('SIGKILL');
        await ended;
        if (child.signalCode === 'SIGKILL') killed += 1;
      }
      expect(killed).toBeGreaterThan(0);
      const rest = await importFiles(db, { kind: 'orders', files: [file] });
      expect(rest).toMatchObject({ read: orders * 4, rejected: {}, records: orders, changed: 0 });
      expect(rest.unchanged).toBeGreaterThan(0);
      const { rows: sums } = await db.query(
        `select count(*) as n, count(distinct message_id) as ids, sum((properties ->> 'total')::numeric) as total
       from event where type = 'Order Completed'`,
      );
      expect(sums).toEqual([{ n: orders, ids: orders, total: orders * 10 }]);
    },
  );
});
