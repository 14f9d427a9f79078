import { join } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { runGuess } from '../../bin/import.ts';
import { guessMapping } from '../../store/import/guess.ts';
import { guessYaml } from '../../store/import/guess-yaml.ts';
import { importFiles } from '../../store/import/pipeline.ts';
import type { ImportKind } from '../../store/import/mapping.ts';
import { db, events, folder, mappingOf, people, useShop } from './shop.ts';
import { DATA, hasData, writeFiles } from './support.ts';

useShop();

/** Guesses, and imports by the guess alone. */
async function guessed(name: string, content: string | Buffer, kind?: ImportKind) {
  writeFiles(folder, { [name]: content });
  const path = join(folder, name);
  const guess = await guessMapping(path, kind);
  const yaml = guessYaml(guess, name);
  const report = await importFiles(db, {
    kind: guess.kind,
    files: [path],
    mapping: mappingOf(yaml),
  });
  return { guess, yaml, report };
}

const GERMAN = `Belegnr;Kundennr;Datum;Uhrzeit;Artikelnummer;Bezeichnung;Menge;Einzelpreis;Betrag;Status
B1;K-1001;31.03.2026;14:05;A-1;Apfel ""rot"";2;1.250,50;2.501,00;bezahlt
B1;K-1001;31.03.2026;14:05;A-2;Birne;3;9,99;29,97;bezahlt
B2;K-1002;01.04.2026;08:00;A-2;Birne;2;9,99;19,98;storniert
B3;n/a;02.04.2026;09:15;A-3;Kirsche;4;0,50;2,00;bezahlt
`;

describe('a guess', () => {
  it('reads a German export in Windows-1252, with day and time apart', async () => {
    const { guess, yaml, report } = await guessed(
      'de.csv',
      Buffer.from(GERMAN.replace('Kirsche', 'Süßkirsche'), 'latin1'),
    );
    expect(guess).toMatchObject({ kind: 'orders', missing: [], unused: [] });
    expect(parse(yaml)).toMatchObject({
      format: {
        delimiter: ';',
        decimal: ',',
        timeZone: 'Europe/Berlin',
        empty: ['n/a'],
        encoding: 'windows-1252',
      },
      fields: {
        order: 'Belegnr',
        customer: 'Kundennr',
        sku: 'Artikelnummer',
        quantity: 'Menge',
        price: 'Einzelpreis',
        amount: 'Betrag',
      },
      cancelled: { column: 'Status', in: ['storniert'] },
    });
    expect(report).toMatchObject({ read: 4, accepted: 4, rejected: {} });
    expect(
      (await events()).map(({ message_id, at, who, properties }) => [
        message_id,
        at,
        who,
        (properties as { total: number }).total,
      ]),
    ).toEqual([
      ['order:B1', '2026-03-31 12:05', 'K-1001', 2530.97],
      ['order:B3', '2026-04-02 07:15', null, 2],
      ['refund:B2', '2026-04-01 06:00', 'K-1002', 19.98],
    ]);
  });

  it('reads a French one with tabs, two-digit years and blanks between thousands', async () => {
    const csv = `N° commande\tClient\tDate commande\tRéf\tQuantité\tPrix unitaire (€)\tMontant
1\tc1\t3/4/26 14h05\tR1\t2\t1 250,50\t2 501,00
2\tc2\t15/4/26 08h00\tR2\t3\t9,99\t29,97
3\tc1\t17/4/26 08h00\tR1\t2\t10,00\t20,00
4\tc1\t17/4/26 08h30\tR1\t4\t10,00\t40,00
`;
    const { yaml, report } = await guessed('fr.csv', csv);
    expect(parse(yaml)).toMatchObject({
      format: { decimal: ',', timeZone: 'Europe/Paris' },
      fields: { currency: { value: 'EUR' }, at: { format: "d/M/yy' 'H'h'mm" } },
    });
    expect(report).toMatchObject({ accepted: 4, added: 4 });
    expect((await events())[0]).toMatchObject({
      at: '2026-04-03 12:05',
      properties: { total: 2501 },
    });
  });

  it.each([
    ['days above 12', ['01/13/2026', '02/03/2026', '12/31/2026'], 'M/d/yyyy', 0.9],
    [
      'the order of rows',
      ['01/02/2026', '02/02/2026', '03/02/2026', '04/02/2026', '02/03/2026'],
      'd/M/yyyy',
      0.7,
    ],
    ['seconds', ['1767225600', '1767312000'], 'epoch-s', 0.7],
    ['milliseconds', ['1767225600000', '1767312000000'], 'epoch-ms', 0.7],
    ['days of a spreadsheet', ['45292.5', '45293'], 'excel', 0.4],
    ['months by name', ['3 Jan 2026', '4 Feb 2026'], 'd MMM yyyy', 0.7],
    [
      'two forms',
      ['03.01.2026', '2026-02-01', '15.03.2026', '2026-02-02'],
      ['yyyy-M-d', 'd.M.yyyy'],
      0.7,
    ],
  ])('tells dates by %s', async (_name, dates, format, sure) => {
    const csv = `order,customer,date,price,currency\n${dates.map((date, n) => `${n},c,${date},1.50,EUR`).join('\n')}\n`;
    const { guess, report } = await guessed('dates.csv', csv);
    const at = guess.mapping.fields['at'] as { format: string | string[] };
    expect(typeof at.format === 'string' ? at.format : [...at.format].sort()).toEqual(
      typeof format === 'string' ? format : [...format].sort(),
    );
    expect(guess.findings['fields.at']!.sure).toBeGreaterThan(sure - 0.3);
    expect(report.accepted).toBe(dates.length);
  });

  it('says that day and month may be the other way round', async () => {
    const csv =
      'order,customer,date,price,currency\n1,c,01/02/2026,1.5,USD\n2,c,02/01/2026,1.5,USD\n';
    const { yaml } = await guessed('either.csv', csv);
    expect(yaml).toMatch(/at: .*# CHECK: 50 % sure; .*day and month could be the other way round/);
  });

  it('tells customers, products and reviews apart, and shows no address', async () => {
    const { guess, yaml } = await guessed(
      'kunden.csv',
      'Kundennummer;Vorname;Nachname;E-Mail;Land;Kunde seit\n1;Ann;Groß;ann@x.example;Deutschland;01.05.2025\n2;Bob;Klein;bob@x.example;Österreich;13.05.2025\n',
    );
    expect(guess.kind).toBe('customers');
    expect(yaml).not.toMatch(/ann@|bob@|Groß/);
    expect(await people()).toMatchObject([
      { id: '1', name: 'Ann Groß', address: 'ann@x.example', country: 'DE', joined: '2025-04-30' },
      { id: '2', name: 'Bob Klein', country: 'AT' },
    ]);
    const products = await guessed(
      'artikel.csv',
      'Artikelnr;Bezeichnung;Warengruppe;VK-Preis;Bestand\nA;Apfel;Obst;1,20;5\n',
    );
    expect(products.guess.kind).toBe('products');
    expect(products.report).toMatchObject({ added: 1 });
    const reviews = await guessed(
      'avis.csv',
      'reference;client;note;commentaire;date\nR1;c1;5;bien;2026-01-02\n',
    );
    expect(reviews.guess.kind).toBe('reviews');
  });

  it('finds the header below a title, and does without one', async () => {
    const titled = await guessed('titled.csv', `Umsatzliste 2026;;;;;;;;;\n\n${GERMAN}`);
    expect(titled.guess.mapping.format).toMatchObject({ skipLines: 2 });
    expect(titled.report.accepted).toBe(4);
    const bare = await guessMapping(join(folder, 'de.csv'));
    expect(bare.missing).toEqual([]);
    writeFiles(folder, {
      'bare.csv': '1,a@x.example,2026-01-01,5.50\n2,b@x.example,2026-01-02,6.50\n',
    });
    expect((await guessMapping(join(folder, 'bare.csv'))).mapping.format).toMatchObject({
      columns: ['column 1', 'column 2', 'column 3', 'column 4'],
    });
  });

  it('is printed by the command', async () => {
    writeFiles(folder, { 'de.csv': GERMAN });
    let out = '';
    const code = await runGuess(
      { files: [join(folder, 'de.csv')] },
      { write: (text) => (out += text) },
    );
    expect([code, mappingOf(out).kind]).toEqual([0, 'orders']);
    await expect(runGuess({ files: [] }, { write: () => {} })).rejects.toThrow(
      '--guess looks at one file',
    );
  });

  it.skipIf(!hasData)(
    'imports Online Retail and CDNOW to the cent by the guess alone',
    { timeout: 300_000 },
    async () => {
      for (const [file, money] of [
        ['online-retail/online-retail.csv.gz', 9_747_747.93],
        ['cdnow/cdnow.csv.gz', 2_500_315.63],
      ] as const) {
        await db.query('truncate event, import_record');
        const path = join(DATA, file);
        const guess = await guessMapping(path, 'orders');
        const mapping = mappingOf(guessYaml(guess, file));
        const report = await importFiles(db, {
          kind: 'orders',
          files: [path],
          mapping,
          rejectedFolder: folder,
        });
        expect(report.rejected).toEqual({});
        const { rows } = await db.query<{ money: number }>(
          `select sum((properties ->> 'total')::numeric * case type when 'Order Refunded' then -1 else 1 end) as money from event`,
        );
        expect(rows[0]!.money).toBeCloseTo(money, 2);
      }
    },
  );
});
