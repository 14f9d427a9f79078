import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMapping } from '../../bin/import-mapping.ts';
import { openTable } from '../../store/import/open.ts';
import { wellKnownMapping } from '../../store/import/well-known.ts';
import { newFolder, writeFiles } from './support.ts';

let folder: string;
beforeAll(() => {
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function problemsOf(yaml: string): Promise<string[]> {
  writeFiles(folder, { 'm.yaml': yaml });
  const error = await readMapping(join(folder, 'm.yaml')).then(
    () => null,
    (thrown: Error) => thrown,
  );
  const heads = error?.message.split('\n').filter((text) => text.startsWith(folder)) ?? [];
  return heads.map((text) => text.slice(folder.length + 1));
}

describe('a mapping', () => {
  it('says what is wrong as file:line:column', async () => {
    expect(
      await problemsOf(
        [
          'kind: orders',
          'format: { dates: DD.MM.YYYY, timeZone: Mars/Olympus }',
          'fields:',
          '  order: Invoice',
          '  at: { colum: Date }',
          '  custommer: Customer',
          '  currency: { value: EUR }',
          'rules: { missingCustomer: drop }',
        ].join('\n'),
      ),
    ).toMatchInlineSnapshot(`
      [
        "m.yaml:2:18: format.dates is "DD.MM.YYYY"; expected a date pattern of yyyy yy MMMM MMM MM M dd d HH H hh h mm m ss s S a XXX, or epoch-s, epoch-ms or excel, or a list of those. Such as "dd.MM.yyyy HH:mm".",
        "m.yaml:2:40: format.timeZone is "Mars/Olympus"; expected an IANA time zone. Such as "Europe/Berlin".",
        "m.yaml:8:27: rules.missingCustomer is "drop"; expected "keep" or "reject".",
        "m.yaml:5:7: fields.at is an object; expected a column’s name, {column, values, match, format, timeZone, scale, as}, {value}, {template}, or a list of those. Such as {column: created, format: "dd.MM.yyyy"} or {template: "{first} {last}"}.",
        "m.yaml:6:3: fields has an unknown field "custommer"; did you mean "customer"?",
      ]
    `);
  });

  it.each([
    ['kind: customers\nfields: { email: Mail }', /m\.yaml:2:9: fields\.id is missing/],
    ['kind: gifts\nfields: {}', /m\.yaml:1:7: .*kind \(customers, products/],
    ['kind: orders\nkind: orders', /m\.yaml:2:1: the same field is given twice/],
    ['kind: [', /m\.yaml:\d+:\d+: this is not YAML that can be read/],
    ['', /m\.yaml:1:1: the mapping is null; expected a mapping/],
  ])('says so of %j', async (yaml, sentence) => {
    expect((await problemsOf(yaml)).join('\n')).toMatch(sentence);
  });
});

describe('names that columns usually have', () => {
  it('need no mapping', async () => {
    writeFiles(folder, {
      'c.csv': 'Customer ID,E-Mail Address,First Name,Last Name,Country,Created At,Loyalty Tier\n',
    });
    const table = await openTable(join(folder, 'c.csv'));
    expect(wellKnownMapping('customers', 'c.csv', table)).toEqual({
      kind: 'customers',
      fields: {
        id: 'Customer ID',
        email: 'E-Mail Address',
        country: 'Country',
        createdAt: 'Created At',
        name: [{ template: '{First Name} {Last Name}' }, 'First Name', 'Last Name'],
      },
      traits: ['Loyalty Tier'],
    });
    await table.close();
  });

  it('say which are missing, and never take a newsletter column for consent', async () => {
    writeFiles(folder, { 'o.csv': 'order,when,sku\n', 'n.csv': 'id,newsletter,consent\n' });
    const orders = await openTable(join(folder, 'o.csv'));
    expect(() => wellKnownMapping('orders', 'o.csv', orders)).toThrow(
      'o.csv: no column is known to be at or currency or price of orders (--currency gives the currency); its columns are order, when, sku. Say which with --map, and see --guess.',
    );
    const people = await openTable(join(folder, 'n.csv'));
    const { fields, traits } = wellKnownMapping('customers', 'n.csv', people);
    expect([fields, traits]).toEqual([{ id: 'id' }, ['newsletter', 'consent']]);
    await Promise.all([orders.close(), people.close()]);
  });
});
