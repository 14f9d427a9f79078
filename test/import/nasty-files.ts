import { gzipSync } from 'node:zlib';
import type { ImportKind } from '../../store/import/mapping.ts';

/** Files as shops send them on a bad day: all made here, the same each time. */
export interface NastyFile {
  readonly name: string;
  readonly content: string | Buffer;
  readonly kind?: ImportKind;
  /** A mapping; else the headings decide. */
  readonly yaml?: string;
}

const O = 'order id,customer,date,sku,quantity,price,currency';
const one = (row: string): string => `${O}\n${row}\n`;
const good = '1,a,2026-01-01,S,1,2.50,EUR';
const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
const utf16 = (text: string, isBig = false): Buffer => {
  const bytes = Buffer.from(text, 'utf16le');
  return isBig ? bytes.swap16() : bytes;
};
const customers = (rows: string): Pick<NastyFile, 'content' | 'kind'> => ({
  kind: 'customers',
  content: `id,email,name,country,created at\n${rows}`,
});
const orders = (format: string, rest = ''): string =>
  `kind: orders\nformat: {${format}}\nfields: {order: o, at: d, currency: {value: EUR}, amount: m}\n${rest}`;
const dated = (...dates: string[]): string =>
  `o,d,m\n${dates.map((date, index) => `${index},"${date}",1`).join('\n')}\n`;
const priced = (...prices: string[]): string =>
  `o;d;m\n${prices.map((price, index) => `${index};2026-01-01;${price}`).join('\n')}\n`;
const many = (count: number, row: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => row(n)).join('\n');
const gz = gzipSync(
  `${O}\n${many(4_000, (n) => `${n},a${n},2026-01-01,S${(n * 7919) % 997},1,2.50,EUR`)}\n`,
);

const ENCODINGS: NastyFile[] = [
  { name: 'utf8-mark.csv', content: `\uFEFF${one(good)}` },
  { name: 'utf16le-mark.csv', content: utf16(`\uFEFF${one('1,Zoë,2026-01-01,S,1,2.50,EUR')}`) },
  {
    name: 'utf16be-mark.csv',
    content: utf16(`\uFEFF${one('1,Zoë,2026-01-01,S,1,2.50,EUR')}`, true),
  },
  { name: 'utf16le-bare.csv', content: utf16(one(good)) },
  { name: 'utf16be-bare.csv', content: utf16(one(good), true) },
  {
    name: 'utf16-odd-byte.csv',
    content: Buffer.concat([utf16(`\uFEFF${one(good)}`), Buffer.from([0x41])]),
  },
  {
    name: 'windows-1252.csv',
    ...customers(''),
    content: latin('id,name\n1,J\xfcrgen\n2,\x80uro\n'),
  },
  {
    name: 'mixed-encoding.csv',
    ...customers(''),
    content: Buffer.concat([Buffer.from('id,name\n1,Jürgen\n'), latin('2,J\xf6rg\n3,Ann\n')]),
  },
  {
    name: 'mixed-encoding-rejected.csv',
    kind: 'customers',
    yaml: 'kind: customers\nfields: {id: id, name: name}\nrules: {mixedEncoding: reject}',
    content: Buffer.concat([Buffer.from('id,name\n1,Jürgen\n'), latin('2,J\xf6rg\n')]),
  },
  { name: 'encoding-unknown.csv', content: dated('2026-01-01'), yaml: orders('encoding: klingon') },
  {
    name: 'cut-in-character.csv',
    ...customers(''),
    content: Buffer.from('id,name\n1,Zoë').subarray(0, -1),
  },
  { name: 'emoji.csv', ...customers('1,a@x.example,👩‍👩‍👧 Ann 🎁,DE,2026-01-01\n') },
  {
    name: 'half-characters.ndjson',
    kind: 'customers',
    content: '{"id":"1","name":"\\ud83d broken \\udc00"}\n',
  },
  { name: 'right-to-left.csv', ...customers('1,a@x.example,\u202eevil\u202c علي,DE,2026-01-01\n') },
];

const LINES: NastyFile[] = [
  { name: 'crlf.csv', content: one(good).replaceAll('\n', '\r\n') },
  { name: 'cr-only.csv', content: one(good).replaceAll('\n', '\r') },
  {
    name: 'mixed-line-ends.csv',
    content: `${O}\r\n${good}\n2,a,2026-01-01,S,1,1,EUR\r3,a,2026-01-01,S,1,1,EUR\r\n`,
  },
  { name: 'no-last-break.csv', content: one(good).trimEnd() },
  { name: 'blank-lines.csv', content: `\n\n${O}\n\n${good}\n   \n\n` },
  { name: 'empty.csv', content: '' },
  { name: 'only-blank.csv', content: '\n \n\r\n' },
  { name: 'only-mark.csv', content: '\uFEFF' },
  { name: 'header-only.csv', content: `${O}\n` },
  { name: 'header-twice.csv', content: `${one(good)}${one('2,a,2026-01-01,S,1,1,EUR')}` },
  {
    name: 'column-twice.csv',
    kind: 'customers',
    content: 'id,email,email\n1,a@x.example,b@x.example\n',
  },
  { name: 'unnamed-columns.csv', content: `${O},,\n${good},,\n` },
  {
    name: 'ragged.csv',
    content: `${O}\n${good}\n2,a\n3,a,2026-01-01,S,1,1,EUR,more\n4,a,2026-01-01,S,1,1,EUR,,\n`,
  },
  {
    name: 'title-above.csv',
    content: `Export of the shop\n\n${dated('2026-01-01')}`,
    yaml: orders('skipLines: 2'),
  },
  {
    name: 'no-header.csv',
    content: '1,2026-01-01,5\n2,2026-01-02,6\n',
    yaml: orders('columns: [o, d, m]'),
  },
  { name: 'totals-row.csv', content: `${one(good)}Total,,,,,2.50,\n` },
  { name: 'excel-sep.csv', content: `sep=;\n${one(good).replaceAll(',', ';')}` },
];

const QUOTES: NastyFile[] = [
  {
    name: 'quoted-breaks.csv',
    ...customers('1,a@x.example,"Ann\nvon ""Anders""",DE,2026-01-01\n'),
  },
  {
    name: 'quote-open.csv',
    content: `${O}\n${good}\n2,a,2026-01-01,"S,1,1,EUR\n3,a,2026-01-01,S,1,1,EUR\n`,
  },
  { name: 'quote-inch.csv', content: one('1,a,2026-01-01,"24" screen",1,2,EUR') },
  { name: 'quote-backslash.csv', content: one('1,a,2026-01-01,"a \\"b\\" c",1,2,EUR') },
  { name: 'quote-behind-blank.csv', content: one('1, "a, b" ,2026-01-01,S,1,2,EUR') },
  { name: 'quote-single.csv', content: one("1,'a',2026-01-01,S,1,2,EUR") },
  {
    name: 'field-10-mb.csv',
    ...customers(
      `1,a@x.example,"${'x'.repeat(10_000_000)}",DE,2026-01-01\n2,b@x.example,Bob,DE,2026-01-01\n`,
    ),
  },
  {
    name: 'quote-open-17-mb.csv',
    kind: 'customers',
    content: `id,name\n1,"${`${'y'.repeat(2_000)}\n`.repeat(8_500)}`,
    yaml: 'kind: customers\nfields: {id: id}',
  },
  {
    name: 'line-34-mb.csv',
    kind: 'customers',
    content: `id,name\n1,${'z'.repeat(34_000_000)}\n2,Bob\n`,
  },
  { name: 'semicolons.csv', content: one(good).replaceAll(',', ';') },
  { name: 'tabs.tsv', content: one(good).replaceAll(',', '\t') },
  { name: 'pipes.csv', content: one(good).replaceAll(',', '|') },
  { name: 'mixed-delimiters.csv', content: `${one(good)}2;a;2026-01-01;S;1;1;EUR\n` },
  { name: 'one-column.csv', kind: 'customers', content: 'id\n1\n2\n' },
  { name: 'formula.csv', ...customers('1,a@x.example,"=HYPERLINK(""http://x"")",DE,2026-01-01\n') },
];

const VALUES: NastyFile[] = [
  { name: 'nul-bytes.csv', ...customers('1,a@x.example,A\0nn,DE,2026-01-01\n') },
  {
    name: 'nul-bytes-rejected.csv',
    kind: 'customers',
    content: 'id,name\n1,A\u0001nn\n2,Bob\n',
    yaml: 'kind: customers\nfields: {id: id, name: name}\nrules: {controlCharacters: reject}',
  },
  {
    name: 'years-of-two-digits.csv',
    content: dated('1.2.26', '31.12.69', '1.1.70'),
    yaml: orders('dates: d.M.yy'),
  },
  {
    name: 'excel-days.csv',
    content: dated('45292', '45292.75', '59', '0', '2958466'),
    yaml: orders('dates: excel'),
  },
  {
    name: 'epochs.csv',
    content: dated('1767225600', '1767225600000', '-1', 'now'),
    yaml: orders('dates: epoch-s'),
  },
  {
    name: 'leap-days.csv',
    content: dated('2024-02-29', '2026-02-29', '1900-02-29', '2000-02-29'),
    yaml: orders('decimal: "."'),
  },
  {
    name: 'leap-days-mended.csv',
    content: dated('2026-02-29', '2026-04-31', '2026-04-32'),
    yaml: orders('', 'rules: {impossibleDate: mend}'),
  },
  {
    name: 'clock-change.csv',
    content: dated('2026-03-29 02:30', '2026-10-25 02:30'),
    yaml: orders('timeZone: Europe/Berlin'),
  },
  {
    name: 'mixed-dates.csv',
    content: dated('2026-01-02', '3.1.2026', '04/01/2026', 'soon', ''),
    yaml: orders('dates: [yyyy-MM-dd, d.M.yyyy]'),
  },
  {
    name: 'months-by-name.csv',
    content: dated('3. März 2026', '4 févr. 2026', '5 Dec 2026', '6 Foo 2026'),
    yaml: orders('dates: [d. MMM yyyy, d MMM yyyy]'),
  },
  {
    name: 'decimal-comma.csv',
    content: priced('1.234,56', '12,5', '1234', "1'234,50", '12.5'),
    yaml: orders("decimal: ',', delimiter: ;"),
  },
  {
    name: 'decimal-point.csv',
    content: priced('1,234.56', '.5', '1,23', '12.50 €', '(3.00)', '4.00-', '−5'),
    yaml: orders('delimiter: ;'),
  },
  {
    name: 'huge-numbers.csv',
    content: priced('1e308', '1e999', '999999999999', '1000000000000', '0.000001'),
    yaml: orders('delimiter: ;'),
  },
  { name: 'negative-zero.csv', content: priced('-0', '-0.00', '0'), yaml: orders('delimiter: ;') },
  {
    name: 'not-there.csv',
    content: priced('N/A', 'NULL', '-', 'NaN', 'Infinity', ''),
    yaml: orders('delimiter: ;, empty: [N/A, "NULL"]'),
  },
  { name: 'negative-quantity.csv', content: one('1,a,2026-01-01,S,-2,2.50,EUR') },
  { name: 'negative-price.csv', content: one('1,a,2026-01-01,S,1,-11062.06,EUR') },
  { name: 'long-id.csv', content: one(`${'9'.repeat(201)},a,2026-01-01,S,1,1,EUR`) },
  {
    name: 'bad-addresses.csv',
    ...customers(
      '1,nobody,A,DE,2026-01-01\n2,Bob <b@x.example>,B,DE,2026-01-01\n3,"c@x,example",C,DE,2026-01-01\n4,d@@x.example,D,DE,2026-01-01\n5,,E,DE,2026-01-01\n',
    ),
  },
  {
    name: 'same-mailbox.csv',
    ...customers('1,a@x.example,A,DE,2026-01-01\n2,A@X.example,A,DE,2026-01-01\n'),
  },
  { name: 'lines-twice.csv', content: `${O}\n${good}\n${good}\n1,a,2026-01-01, s ,1,2.50,EUR\n` },
  {
    name: 'forged-events.csv',
    kind: 'events',
    content:
      'event,customer,time\nMessages Settled,a,2026-01-01\nEvents Superseded,a,2026-01-01\nSeen,a,2026-01-01\n',
  },
  {
    name: 'prototype.ndjson',
    kind: 'customers',
    content: '{"id":"1","__proto__":{"admin":true},"constructor":"x"}\n',
  },
];

const CONTAINERS: NastyFile[] = [
  { name: 'cut.csv.gz', content: gz.subarray(0, gz.length - 2_000) },
  { name: 'cut-at-once.csv.gz', content: gz.subarray(0, 12) },
  {
    name: 'damaged.csv.gz',
    content: Buffer.concat([gz.subarray(0, 300), Buffer.alloc(50, 7), gz.subarray(350)]),
  },
  { name: 'members.csv.gz', content: Buffer.concat([gzipSync(`${O}\n`), gzipSync(`${good}\n`)]) },
  {
    name: 'trailing-bytes.csv.gz',
    content: Buffer.concat([gzipSync(one(good)), Buffer.alloc(100)]),
  },
  { name: 'not-packed.csv.gz', content: one(good) },
  { name: 'packed.csv', content: gzipSync(one(good)) },
  { name: 'zip.csv', content: Buffer.from('504b03041400000008000000', 'hex') },
  { name: 'zip.csv.gz', content: gzipSync(Buffer.from('504b03041400000008000000', 'hex')) },
  { name: 'old-excel.csv', content: Buffer.from('d0cf11e0a1b11ae1', 'hex') },
  { name: 'document.csv', content: '%PDF-1.7\n' },
  { name: 'log-in.csv', content: '<!DOCTYPE html><html><body>Log in</body></html>' },
  { name: 'array.csv', content: '[{"id":1}]' },
  { name: 'parquet-cut.parquet', content: 'PAR1\0\0\0' },
  { name: 'parquet-none.parquet', content: one(good) },
  {
    name: 'json.ndjson',
    content:
      '{"orderId":1,"customer":"a","date":"2026-01-01","price":1,"currency":"EUR"}\nnope\n[1]\n{"orderId":2\n"x"\nnull\n',
  },
  { name: 'json-array.ndjson', content: '[\n{"orderId":1}\n]\n' },
  {
    name: 'json-deep.ndjson',
    kind: 'customers',
    content: `{"id":1,"x":${'['.repeat(500)}${']'.repeat(500)}}\n`,
  },
  { name: 'json-empty.ndjson', content: '\n' },
  { name: 'wrong-columns.csv', content: 'colour,size\nred,7\n' },
  {
    name: 'binary.csv',
    content: Buffer.from(Array.from({ length: 4_096 }, (_, n) => (n * 7_919) % 256)),
  },
];

export const NASTY_FILES: readonly NastyFile[] = [
  ...ENCODINGS,
  ...LINES,
  ...QUOTES,
  ...VALUES,
  ...CONTAINERS,
];
