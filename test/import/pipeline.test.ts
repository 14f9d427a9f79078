import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importFiles, type ImportRequest } from '../../store/import/pipeline.ts';
import {
  db,
  events,
  folder,
  mappingOf,
  people,
  rejectedRows,
  run,
  toldCount,
  useShop,
} from './shop.ts';
import { writeFiles } from './support.ts';

useShop();

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

  it.each(['Messages Settled', 'Person Erased', 'Campaign Closed', 'List Joined', 'List Left'])(
    'are refused where a file would forge our own "%s"',
    async (type) => {
      const csv = `event,customer,time\n${type},k1,2026-03-01\nSeen,k1,2026-03-01\n`;
      expect(await run('events', csv)).toMatchObject({
        read: 2,
        accepted: 1,
        rejected: { 'type: an event that only Kairos writes': 1 },
      });
    },
  );

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
    const rows = Array.from({ length: 180_000 }, (_, n) => `o${n % 60_000},k,2026-03-01,A,1,2,EUR`);
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
    expect(stopped.added).toBeLessThan(60_000);
    const rest = await importFiles(db, request);
    expect(rest.added).toBe(60_000 - stopped.added);
    const { rows: sums } = await db.query(
      `select count(*) as n, sum((properties ->> 'total')::numeric) as total from event where type = 'Order Completed'`,
    );
    expect(sums).toEqual([{ n: 60_000, total: 360_000 }]);
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
