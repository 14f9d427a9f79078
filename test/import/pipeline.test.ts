import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { setShopClock } from '../../store/clock.ts';
import type { ImportKind, Mapping } from '../../store/import/mapping.ts';
import { checkMapping } from '../../store/import/mapping.schema.ts';
import { importFiles, type ImportRequest } from '../../store/import/pipeline.ts';
import type { ImportReport } from '../../store/import/report.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';
import { newFolder, writeFiles } from './support.ts';

let database: TestDatabase;
let db: Db;
let folder: string;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'import test', 4);
  folder = newFolder();
});
afterAll(async () => {
  await db.end();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  await db.query('truncate person, consent, product, event restart identity cascade');
  await setShopClock(db, Date.parse('2026-10-01T12:00:00Z'));
});

function mappingOf(yaml: string): Mapping {
  const { mapping, problems } = checkMapping(parse(yaml));
  if (!mapping) throw new Error(JSON.stringify(problems));
  return mapping;
}

async function run(
  kind: ImportKind,
  content: string,
  options: Partial<ImportRequest> & { name?: string; yaml?: string } = {},
): Promise<ImportReport> {
  const { name = `${kind}.csv`, yaml, ...request } = options;
  writeFiles(folder, { [name]: content });
  const mapping = yaml === undefined ? undefined : mappingOf(yaml);
  return importFiles(db, { kind, files: [join(folder, name)], mapping, ...request });
}

const rejectedRows = (name: string): string =>
  readFileSync(join(folder, `${name}.rejected.csv`), 'utf8');

async function people(): Promise<Record<string, unknown>[]> {
  const { rows } = await db.query<Record<string, unknown>>(
    `select external_id as id, address, name, country, traits, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD') as joined,
       k.granted, k.source, to_char(k.at at time zone 'UTC', 'YYYY-MM-DD') as agreed
     from person left join consent k on k.person_id = person.id order by external_id`,
  );
  return rows;
}

async function events(): Promise<Record<string, unknown>[]> {
  const { rows } = await db.query<Record<string, unknown>>(
    `select message_id, type, external_id as who, to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as at, properties
     from event left join person on person.id = person_id where type <> 'Traits Changed' order by message_id`,
  );
  return rows;
}

const toldCount = async (): Promise<number> =>
  (await db.query<{ n: number }>(`select count(*) as n from event where type = 'Traits Changed'`))
    .rows[0]!.n;

describe('customers', () => {
  const CUSTOMERS = [
    'Customer ID,Email,Name,Country,Created At,Tier',
    '1,Ann@Shop.Example,Ann,Germany,2026-01-02,gold',
    ',nobody@shop.example,,,,',
    '2,not an address,Bob,Narnia,2026-02-30,',
    '3,,Cleo,FR,2026-03-04,silver',
    '1,ann@shop.example,Ann B.,DE,2026-05-01,gold',
    '4,dora@shop.example,Dora,US,2026-04-01',
  ].join('\n');

  it('are added once, the later row counts, and bad rows can be mended and imported again', async () => {
    const first = await run('customers', CUSTOMERS);
    expect(first).toMatchObject({
      read: 6,
      accepted: 2,
      duplicates: 1,
      rejected: { 'id: missing': 1, 'createdAt: not a date': 1, 'wrong number of columns': 1 },
      added: 2,
      changed: 0,
      notes: { 'customer without an address': 1 },
    });
    expect(await people()).toMatchObject([
      {
        id: '1',
        address: 'ann@shop.example',
        name: 'Ann B.',
        country: 'DE',
        traits: { Tier: 'gold' },
        joined: '2026-01-02',
        granted: null,
      },
      { id: '3', address: null, country: 'FR', granted: null },
    ]);
    expect(rejectedRows('customers.csv')).toBe(
      [
        'rejected_line,rejected_field,rejected_reason,Customer ID,Email,Name,Country,Created At,Tier',
        '3,id,missing,,nobody@shop.example,,,,',
        '4,createdAt,not a date,2,not an address,Bob,Narnia,2026-02-30,',
        '7,,wrong number of columns,4,dora@shop.example,Dora,US,2026-04-01',
        '',
      ].join('\n'),
    );
    expect(statSync(join(folder, 'customers.csv.rejected.csv')).mode & 0o777).toBe(0o600);

    const mended = rejectedRows('customers.csv')
      .replace('2026-02-30', '2026-02-28')
      .replace('2026-04-01', '2026-04-01,');
    const second = await run('customers', mended, { name: 'mended.csv' });
    expect(second).toMatchObject({
      read: 3,
      accepted: 2,
      rejected: { 'id: missing': 1 },
      added: 2,
      notes: { 'address that cannot be mailed to, left out': 1, 'country not known, left out': 1 },
    });
    expect(rejectedRows('mended.csv')).toBe(
      'rejected_line,rejected_field,rejected_reason,Customer ID,Email,Name,Country,Created At,Tier\n2,id,missing,,nobody@shop.example,,,,\n',
    );
  });

  it('that are imported again change nothing, and say nothing to the log', async () => {
    const consent = { source: 'checkout', atMs: null };
    await run('customers', CUSTOMERS, { consent });
    const before = [await people(), await toldCount()];
    const again = await run('customers', CUSTOMERS, { consent });
    expect(again).toMatchObject({ records: 2, added: 0, changed: 0 });
    expect([await people(), await toldCount()]).toEqual(before);
  });

  it('keep what a later file does not name', async () => {
    await run('customers', CUSTOMERS);
    const scores = await run('customers', 'id,score\n1,7\n9,8\n', {
      name: 'scores.csv',
      yaml: 'kind: customers\nfields: {id: id}\ntraits: {score: {column: score, as: number}}',
    });
    expect(scores).toMatchObject({ added: 1, changed: 1 });
    expect(await people()).toMatchObject([
      {
        id: '1',
        address: 'ann@shop.example',
        name: 'Ann B.',
        country: 'DE',
        traits: { Tier: 'gold', score: 7 },
      },
      { id: '3' },
      { id: '9', address: null, traits: { score: 8 } },
    ]);
  });

  it('have consent only by a flag that says when, or by fields of the file', async () => {
    await run('customers', CUSTOMERS, { consent: { source: 'shop form', atMs: null } });
    expect(await people()).toMatchObject([
      { id: '1', granted: true, source: 'shop form', agreed: '2026-01-02' },
      { id: '3', granted: true, agreed: '2026-03-04' },
    ]);
    const undated = run('customers', 'id\n5\n', {
      name: 'undated.csv',
      consent: { source: 'shop form', atMs: null },
    });
    await expect(undated).rejects.toThrow('it is not said when these customers consented');
    await run(
      'customers',
      'id,ok,since\n1,no,2026-02-01\n3,no,2026-01-01\n6,yes,\n7,maybe,2026-01-01\n',
      {
        name: 'own.csv',
        yaml: 'kind: customers\nfields: {id: id, consent: ok, consentAt: since, consentSource: {value: import}}',
      },
    );
    expect(rejectedRows('own.csv')).toMatch(
      /4,consentAt,missing,6,yes,\n5,consent,not yes or no,7/,
    );
    // The withdrawal of 1 is newer than the consent, that of 3 is older.
    const granted = (await people()).map(({ id, granted: answer }) => [id, answer]);
    expect(granted).toEqual([
      ['1', false],
      ['3', true],
    ]);
  });
});

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
      `${ORDERS_MAP}rules: { missingCustomer: reject, unknownCustomer: keep, repeatedLine: drop }`,
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

describe('events, reviews, consents', () => {
  it('have ids of their own content, and keep what they carry', async () => {
    const csv = [
      'event,customer,time,page,name',
      'Page Viewed,k1,2026-03-01,/a,x',
      'Page Viewed,k1,2026-03-01,/a,x',
      'Page Viewed,k1,2026-03-01,/b,',
      'Traits Changed,k1,2026-03-01,/b,',
      'Page Viewed,,2026-03-01,/b,',
      'Page Viewed,k1,0202-03-01,/b,',
    ].join('\n');
    const first = await run('events', csv);
    expect(first).toMatchObject({
      read: 6,
      accepted: 3,
      duplicates: 1,
      rejected: { 'type: an event that only Kairos writes': 1, 'at: date out of range': 1 },
      added: 3,
    });
    expect(await run('events', csv)).toMatchObject({ accepted: 3, added: 0 });
    const stored = await events();
    expect(stored.map(({ properties }) => properties)).toEqual(
      expect.arrayContaining([{ page: '/a', name: 'x' }, { page: '/b' }, { page: '/b' }]),
    );
  });

  it('join small tables, and fall back from one column to the next', async () => {
    writeFiles(folder, { 'names.csv': 'id,starts,kind\n1,2026-02-03,A\n2,2026-04-05,B\n' });
    const yaml = `
kind: events
lookups: { campaign: { file: names.csv, on: campaign_id, key: id } }
fields:
  type: { value: Campaign Received }
  customer: who
  at: campaign.starts
  id: { template: 'c-{campaign_id}-{who}' }
properties: { kind: [{ template: '{campaign.kind}!{extra}' }, campaign.kind] }
`;
    const csv = 'campaign_id,who,extra\n1,k1,\n2,k1,x\n3,k1,\n';
    expect(await run('events', csv, { yaml })).toMatchObject({
      accepted: 2,
      rejected: { 'at: missing': 1 },
    });
    expect(await events()).toMatchObject([
      { message_id: 'event:c-1-k1', at: '2026-02-03 00:00', properties: { kind: 'A' } },
      { message_id: 'event:c-2-k1', at: '2026-04-05 00:00', properties: { kind: 'B!x' } },
    ]);
    const wrong = run('events', csv, { yaml: yaml.replace('campaign.starts', 'campaign.start') });
    await expect(wrong).rejects.toMatchObject({
      code: 'IMPORT_INVALID',
      message: expect.stringMatching(
        /^fields\.at names the column "campaign\.start", .*did you mean "campaign\.starts"\?$/,
      ),
      details: { pointer: '/fields/at' },
    });
  });

  it('take ratings of 1 to 5 as reviews', async () => {
    const report = await run(
      'reviews',
      'sku,customer,rating,text,date\nA,k1,5,good,2026-03-01\nA,k1,6,,2026-03-01\nB,,x,,2026-03-01\n',
    );
    expect(report).toMatchObject({
      accepted: 1,
      rejected: { 'rating: out of range': 1, 'rating: not a number': 1 },
    });
    expect(await events()).toMatchObject([
      { type: 'Product Reviewed', who: 'k1', properties: { sku: 'A', rating: 5, text: 'good' } },
    ]);
  });

  it('set the newest consent, and reject that of strangers', async () => {
    await run('customers', 'id\n1\n2\n');
    const csv =
      'customer,granted,at,source\n1,yes,2026-01-01,form\n1,no,2026-02-01,form\n9,yes,2026-01-01,form\n2,yes,2026-01-01,\n';
    expect(await run('consents', csv)).toMatchObject({
      read: 4,
      accepted: 2,
      rejected: { 'customer: customer not known': 1, 'source: missing': 1 },
      added: 1,
    });
    expect(rejectedRows('consents.csv')).toContain(
      '4,customer,customer not known,9,yes,2026-01-01,form',
    );
    expect(await run('consents', csv)).toMatchObject({ added: 0, changed: 0 });
    expect(await people()).toMatchObject([
      { id: '1', granted: false },
      { id: '2', granted: null },
    ]);
  });
});

describe('products', () => {
  it('are changed by what a file names, and only where it differs', async () => {
    const csv =
      'sku,title,category,price,currency,stock\nA,Apple,fruit,1.5,eur,3\nB,,,,EUR,\nA,Apples,fruit,1.5,eur,3\nC,x,y,-1,EUR,\nD,x,y,1,EUR,2.5\n';
    expect(await run('products', csv)).toMatchObject({
      accepted: 2,
      duplicates: 1,
      rejected: { 'price: out of range': 1, 'stock: not a whole number': 1 },
      added: 2,
      notes: { 'product without a price, taken as 0': 1 },
    });
    expect(await run('products', csv)).toMatchObject({ added: 0, changed: 0 });
    const stock = await run('products', 'sku,currency,stock\nA,EUR,0\nB,EUR,\n', {
      name: 'stock.csv',
    });
    expect(stock).toMatchObject({ added: 0, changed: 1 });
    const { rows } = await db.query(
      'select sku, title, category, price, currency, stock from product order by sku',
    );
    expect(rows).toEqual([
      { sku: 'A', title: 'Apples', category: 'fruit', price: 1.5, currency: 'EUR', stock: 0 },
      { sku: 'B', title: 'B', category: '', price: 0, currency: 'EUR', stock: null },
    ]);
  });
});

describe('an import', () => {
  it('that is stopped keeps what it has, and the same again does the rest', async () => {
    const rows = Array.from({ length: 45_000 }, (_, n) => `Seen,k${n % 50},2026-03-01,${n}`);
    const csv = `event,customer,time,n\n${rows.join('\n')}\n`;
    writeFiles(folder, { 'many.csv': csv });
    const stop = new AbortController();
    const request: ImportRequest = { kind: 'events', files: [join(folder, 'many.csv')] };
    const stopped = await importFiles(db, request, {
      signal: stop.signal,
      onProgress: ({ rows: read }) => {
        if (read > 25_000) stop.abort();
      },
    });
    expect(stopped.interrupted).toBe(true);
    expect(stopped.added).toBe(stopped.read);
    expect(stopped.added).toBeGreaterThan(20_000);
    expect(stopped.added).toBeLessThan(45_000);
    const rest = await importFiles(db, request);
    expect(rest).toMatchObject({ interrupted: false, read: 45_000, added: 45_000 - stopped.added });
  });

  it('that is stopped among orders loads none in part', async () => {
    const rows = Array.from({ length: 120_000 }, (_, n) => `o${n % 40_000},k,2026-03-01,A,1,2,EUR`);
    writeFiles(folder, {
      'lines.csv': `orderId,customer,date,sku,quantity,price,currency\n${rows.join('\n')}\n`,
    });
    const request: ImportRequest = {
      kind: 'orders',
      files: [join(folder, 'lines.csv')],
      spillFolder: folder,
    };
    const stop = new AbortController();
    const stopped = await importFiles(db, request, {
      signal: stop.signal,
      onProgress: ({ phase }) => {
        if (phase === 'loading') stop.abort();
      },
    });
    expect(stopped.interrupted).toBe(true);
    expect(stopped.added).toBeGreaterThan(0);
    expect(stopped.added).toBeLessThan(40_000);
    const rest = await importFiles(db, request);
    expect(rest.added).toBe(40_000 - stopped.added);
    const { rows: sums } = await db.query(
      `select count(*) as n, sum((properties ->> 'total')::numeric) as total from event where type = 'Order Completed'`,
    );
    expect(sums).toEqual([{ n: 40_000, total: 240_000 }]);
  });

  it('reads nothing at all where one of its files, or the mapping, is wrong', async () => {
    writeFiles(folder, { 'good.csv': 'id\n1\n' });
    const files = [join(folder, 'good.csv'), join(folder, 'missing.csv')];
    await expect(importFiles(db, { kind: 'customers', files })).rejects.toThrow(
      /missing\.csv: there is no such file/,
    );
    const mapping = mappingOf('kind: products\nfields: {sku: id, currency: {value: EUR}}');
    await expect(
      importFiles(db, { kind: 'customers', files: files.slice(0, 1), mapping }),
    ).rejects.toThrow('the mapping is for products, but customers are imported');
    expect(await people()).toEqual([]);
  });
});
