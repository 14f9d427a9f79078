import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTable } from '../../store/import/open.ts';
import { DATA, hasData, newFolder, readAll, writeFiles } from './support.ts';

let folder: string;
beforeAll(() => {
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);

describe('CSV', () => {
  it('finds the delimiter, drops the mark, and counts lines through quoted line breaks', async () => {
    writeFiles(folder, {
      'a.csv': '\uFEFFid;note\r\n1;"a\r\nb;c"\r\n\r\n2;"say ""hi"""\r\n3;d;;\r\n4;d;e\r\n5\r\n6;z',
    });
    const table = await openTable(path('a.csv'));
    expect(table.columns.map((column) => column.name)).toEqual(['id', 'note']);
    expect(await readAll(table)).toEqual({
      rows: [
        ['1', 'a\r\nb;c'],
        ['2', 'say "hi"'],
        ['3', 'd', '', ''],
        ['6', 'z'],
      ],
      lines: [2, 5, 6, 9],
      broken: [
        { line: 7, reason: 'wrong number of columns' },
        { line: 8, reason: 'wrong number of columns' },
      ],
    });
  });

  it('reads back whatever was written, however it is quoted and packed', async () => {
    const cell = fc.string({
      unit: fc.constantFrom('a', 'ü', '👍', '"', ',', ';', '\n', '\r\n', ' ', ''),
    });
    const rows = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 30 });
    const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(rows, fc.boolean(), async (cells, packed) => {
        const text = [['x', 'y', 'z'], ...cells].map((row) => row.map(quote).join(',')).join('\n');
        // Two members, as when gz files are put one behind the other.
        const bytes = Buffer.from(text);
        const half = Math.floor(bytes.length / 2);
        const gz = Buffer.concat([
          gzipSync(bytes.subarray(0, half)),
          gzipSync(bytes.subarray(half)),
        ]);
        writeFiles(folder, { 'any.csv': packed ? gz : bytes });
        const { rows: read, broken } = await readAll(await openTable(path('any.csv')));
        expect(broken).toEqual([]);
        expect(read).toEqual(cells);
      }),
      { numRuns: 60 },
    );
  });

  it('reads other encodings, and believes a mark more than the mapping', async () => {
    writeFiles(folder, {
      'w.csv': Buffer.from([...Buffer.from('name\n'), 0xfc, 0x80, 0x0a]),
      'u.csv': '\uFEFFname\nü€\n',
      'u16.csv': Buffer.from('\uFEFFname\nü€\n', 'utf16le'),
    });
    for (const [file, encoding] of [
      ['w.csv', 'windows-1252'],
      ['u.csv', 'windows-1252'],
      ['u16.csv', 'utf-16le'],
    ] as const) {
      const { rows } = await readAll(await openTable(path(file), { encoding }));
      expect(rows, file).toEqual([['ü€']]);
    }
  });

  it.each([
    ['cut.csv.gz', gzipSync('id\n1\n2\n').subarray(0, -9), /the gz file is cut off/],
    [
      'bad.csv.gz',
      Buffer.concat([gzipSync('id\n'), Buffer.from([0x1f, 0x8b, 8, 0xff, 1, 2])]),
      /damaged|cut off/,
    ],
    ['empty.csv', '', /the file is empty; expected a header line/],
    ['cut.parquet', Buffer.from('PAR1 and nothing more'), /this Parquet file cannot be read/],
  ])('says in one sentence what is wrong with %s', async (name, content, sentence) => {
    writeFiles(folder, { [name]: content });
    await expect(openTable(path(name)).then(readAll)).rejects.toThrow(sentence);
  });

  it('loses one line, and nothing behind it, to a quote that stays open', async () => {
    writeFiles(folder, {
      'open.csv': 'id,note\n1,a\n2,"never\nclosed,b\n"3" inch,c\n4,"x ""y"" "\n5,"24" screen"\n',
    });
    expect(await readAll(await openTable(path('open.csv')))).toEqual({
      rows: [
        ['1', 'a'],
        ['closed', 'b'],
        ['4', 'x "y" '],
        ['5', '24" screen'],
      ],
      lines: [2, 4, 6, 7],
      broken: [
        { line: 3, reason: 'quote never closed' },
        { line: 5, reason: 'quote never closed' },
      ],
    });
  });

  it('refuses a column that stands twice only where it is asked for', async () => {
    writeFiles(folder, { 'twice.csv': 'id,note,note\n1,a,b\n' });
    const table = await openTable(path('twice.csv'));
    expect(table.indexOf('id')).toBe(0);
    expect(() => table.indexOf('note')).toThrow(/"note" stands twice/);
    await table.close();
  });
});

describe('NDJSON', () => {
  it('flattens objects to paths and keeps the line of what it cannot read', async () => {
    writeFiles(folder, {
      'e.ndjson.gz': gzipSync(
        '{"a":1,"b":{"c":"x","d":[1,2]}}\n\nnot json\n[1]\n{"a":null,"b":{"e":true}}\n',
      ),
    });
    const table = await openTable(path('e.ndjson.gz'));
    expect(table.columns.map((column) => column.name)).toEqual(['a', 'b.c', 'b.d', 'b.e']);
    expect(table.indexOf('later.on')).toBe(4);
    expect(await readAll(table)).toEqual({
      rows: [
        [1, 'x', '[1,2]', null, null],
        [null, null, null, true, null],
      ],
      lines: [1, 5],
      broken: [
        { line: 3, reason: 'not JSON' },
        { line: 4, reason: 'not an object' },
      ],
    });
  });
});

const parquetFolder = join(DATA, 'complete-journey');
const small = hasData
  ? readdirSync(parquetFolder).filter((name) => !name.startsWith('transactions'))
  : ['../shared/data/complete-journey'];

describe.skipIf(!hasData)('Parquet, page by page', () => {
  it.each(small)('%s has the same cells as the whole file at once', async (name) => {
    const file = join(parquetFolder, name);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(file), compressors });
    const read = await readAll(await openTable(file));
    const plain = (value: unknown): unknown =>
      value === undefined ? null : typeof value === 'bigint' ? Number(value) : value;
    const whole = rows.map((row) => Object.values(row).map(plain));
    // As text, since a comparison of a million cells takes seconds.
    expect(JSON.stringify(read.rows) === JSON.stringify(whole)).toBe(true);
    expect(read.lines.at(-1)).toBe(rows.length);
  });
});
