import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import { describe, expect, it } from 'vitest';
import type { BodyEncoding } from '../../delivery/mime-body.ts';
import {
  type MimeMessage,
  type MimeSkeleton,
  type PreparedMime,
  prepareMime,
} from '../../delivery/mime.ts';
import { isEightBit, toWireForm } from '../../delivery/smtp/wire.ts';

const skeleton: MimeSkeleton = {
  from: { name: 'Der Lädchen & Co', address: 'shop@example.test' },
  replyTo: 'help@example.test',
  headers: { 'Feedback-ID': 'win-back:kairos', 'X-Kairos-Campaign': 'win-back' },
};
const message: MimeMessage = {
  to: { name: 'Ada Lovelace', address: 'ada@example.test' },
  subject: 'We miss you',
  messageId: '17.42.ab@mail.example.test',
  dateMs: Date.UTC(2026, 10, 24, 6, 38, 7),
  listUnsubscribe: { url: 'https://shop.example/u/AbC-_123' },
  text: 'Hello Ada\n',
  html: '<p class="x">Hello Ada</p>\n',
};
const NAMES = [
  'from',
  'to',
  'subject',
  'date',
  'message-id',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'reply-to',
  'feedback-id',
  'x-kairos-campaign',
  'mime-version',
  'content-type',
];

/** Text as a browser's form, a shop's database or an attacker would give it, without control characters. */
const headerText = fc
  .string({ unit: 'binary', maxLength: 200 })
  .map((text) => text.replace(/[\p{Cc}\u2028\u2029]/gu, '').toWellFormed());
const bodyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 90 }),
      fc.string({ unit: 'binary-ascii', maxLength: 90 }),
      fc.constantFrom(
        '.',
        '..',
        '\n.\n',
        '\r\n.\r\n',
        '--',
        '=',
        ' \n',
        '\t\n',
        '\r',
        'From ',
        ' ',
      ),
      fc.nat(180).map((length) => 'x'.repeat(length)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

describe('a prepared message, read back by an independent parser', () => {
  it('has exactly the headers that were asked for, with their values', async () => {
    const mail = await simpleParser(prepareMime(skeleton).build(message));
    expect(mail.headerLines.map((line) => line.key)).toEqual(NAMES);
    expect(mail.from?.value).toEqual([{ name: 'Der Lädchen & Co', address: 'shop@example.test' }]);
    expect(mail.to).toMatchObject({ value: [message.to] });
    expect(mail.replyTo?.text).toBe('help@example.test');
    expect(mail.subject).toBe(message.subject);
    expect(mail.date?.getTime()).toBe(message.dateMs);
    expect(mail.messageId).toBe(`<${message.messageId}>`);
    expect(mail.text).toBe(message.text);
    expect(mail.html).toBe(message.html);
    const list = mail.headers.get('list') as { unsubscribe: { url: string } };
    expect(list.unsubscribe.url).toBe(message.listUnsubscribe?.url);
  });

  it('keeps every subject and name, and lets none of them make a header', async () => {
    const prepared = prepareMime(skeleton);
    await fc.assert(
      fc.asyncProperty(headerText, headerText, async (subject, name) => {
        const raw = prepared.build({ ...message, subject, to: { ...message.to, name } });
        const mail = await simpleParser(raw);
        expect(mail.headerLines.map((line) => line.key)).toEqual(NAMES);
        expect(mail.subject ?? '').toBe(subject);
        expect(mail.to).toMatchObject({ value: [{ address: message.to.address, name }] });
        expectMailLines(raw);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses control characters in each text that becomes a header', () => {
    const prepared = prepareMime(skeleton);
    fc.assert(
      fc.property(
        headerText,
        fc.constantFrom(
          ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)),
          '\x7f',
        ),
        headerText,
        (before, control, after) => {
          const bad = before + control + after;
          expectRefused(() => prepared.build({ ...message, subject: bad }));
          expectRefused(() => prepared.build({ ...message, to: { ...message.to, name: bad } }));
          expectRefused(() => prepared.build({ ...message, messageId: bad }));
          expectRefused(() => prepared.build({ ...message, listUnsubscribe: { url: bad } }));
          expectRefused(() => prepareMime({ ...skeleton, headers: { 'Feedback-ID': bad } }));
        },
      ),
    );
  });

  it('refuses headers that are not on the list, and addresses beyond the grammar', () => {
    for (const name of [
      'Bcc',
      'From',
      'Subject',
      'Content-Type',
      'feedback-id',
      'X:Y',
      'X\r\nBcc',
    ]) {
      expectRefused(() => prepareMime({ ...skeleton, headers: { [name]: 'x' } }));
    }
    for (const address of ['a@b', 'a b@example.test', 'a@example.test>', 'ü@example.test', '']) {
      const to = { name: 'x', address };
      expect(() => prepareMime(skeleton).build({ ...message, to })).toThrow(/normal form/);
    }
    expectRefused(() => prepareMime(skeleton).build({ ...message, subject: 'x'.repeat(1_001) }));
    expectRefused(() =>
      prepareMime(skeleton).build({ ...message, listUnsubscribe: { url: 'javascript:alert(1)' } }),
    );
  });

  it.each<BodyEncoding | undefined>(['quoted-printable', 'base64', undefined])(
    'keeps every body, encoded as %s',
    async (encoding) => {
      const prepared = prepareMime({ ...skeleton, encoding });
      await fc.assert(
        fc.asyncProperty(bodyText, bodyText, fc.boolean(), async (first, second, isCanonical) => {
          // Only a body whose lines end with CRLF may stay as it is.
          const [text, html] = isCanonical
            ? [canonical(first), canonical(second)]
            : [first, second];
          const raw = prepared.build({ ...message, text, html });
          expectMailLines(raw, encoding === undefined ? 998 : 76);
          expect(decodedParts(raw)).toEqual([canonical(text), canonical(html)]);
          const mail = await simpleParser(raw);
          expect(mail.headerLines.map((line) => line.key)).toEqual(NAMES);
          // An empty part is a line break to this parser; the strict decoder above has the exact bytes.
          if (text !== '') expect(lineFeeds(mail.text ?? '')).toBe(lineFeeds(text));
        }),
        { numRuns: 200 },
      );
    },
  );

  it('takes bodies far longer than its buffers', async () => {
    const prepared = prepareMime(skeleton);
    const html = `<p>${'äöü€ = '.repeat(60_000)}</p>`;
    const mail = await simpleParser(prepared.build({ ...message, html }));
    expect(mail.html).toBe(html);
  });

  it.each([
    ['plain text', 'Hello = Ada,\r\n\tit is 5 o.clock\r\n\r\n~', '7bit'],
    ['nothing', '', '7bit'],
    ['a line of 998', `${'x'.repeat(998)}\r\ny`, '7bit'],
    ['a line of 999', `y\r\n${'x'.repeat(999)}`, 'quoted-printable'],
    ['a bare line feed', 'a\nb', 'quoted-printable'],
    ['a bare carriage return', 'a\rb', 'quoted-printable'],
    ['a carriage return at the end', 'abc\r', 'quoted-printable'],
    ['a dot at the start', '.a', 'quoted-printable'],
    ['a dot at the start of a line', 'ab\r\n.\r\nc', 'quoted-printable'],
    ['what looks like a boundary', 'ab\r\n--=_kairos_1\r\nc', 'quoted-printable'],
    ['a blank at the end of a line', 'ab \r\nc', 'quoted-printable'],
    ['a blank at the end', 'ab\t', 'quoted-printable'],
    ['a letter beyond ASCII', 'aé', 'quoted-printable'],
    ['as many bytes as characters, cut off', 'éa', 'quoted-printable'],
    ['a character whose low byte is a letter', 'Łabc', 'quoted-printable'],
    ['NUL', 'abcdefg\0hijk', 'quoted-printable'],
    ['DEL', 'abcdefg\x7fhijk', 'quoted-printable'],
  ])('writes %s as it is only where that is safe', async (_, text, encoding) => {
    const raw = prepareMime(skeleton).build({ ...message, text });
    const head = raw.toString('latin1').split('Content-Transfer-Encoding: ')[1]!;
    expect(head.slice(0, head.indexOf('\r\n'))).toBe(encoding);
    expect(decodedParts(raw)[0]).toBe(canonical(text));
  });

  it('returns bytes of its own: a later message does not change an earlier one', () => {
    const prepared: PreparedMime = prepareMime(skeleton);
    const first = prepared.build(message);
    const copy = Buffer.from(first);
    prepared.build({ ...message, subject: 'Another', html: 'y'.repeat(5_000) });
    expect(first.equals(copy)).toBe(true);
  });
});

/** RFC 5322 §2.1.1 and 2046: CRLF only, no line beyond its length, 7 bits, no leading dot. */
function expectMailLines(raw: Buffer, most = 76): void {
  const bodyAt = raw.toString('latin1').indexOf('\r\n\r\n');
  const text = raw.toString('latin1');
  expect(text.endsWith('\r\n')).toBe(true);
  expect(/[^\r]\n|\r[^\n]/.test(text)).toBe(false);
  // Encoded words (RFC 2047 §2) stand in headers only; `most` is for bodies.
  for (const line of text.slice(0, bodyAt).split('\r\n')) {
    expect(line.length).toBeLessThanOrEqual(line.includes('=?') ? 76 : 78);
  }
  for (const line of text.slice(bodyAt).split('\r\n')) {
    expect(line.length).toBeLessThanOrEqual(most);
  }
  for (const line of text.split('\r\n')) {
    expect(line.startsWith('.')).toBe(false);
    expect(/[ \t]$/.test(line) && !/^[A-Z][A-Za-z-]+: $/.test(line)).toBe(false);
  }
  expect(/^[\x20-\x7e\r\n\t]*$/.test(text)).toBe(true);
  expect(isEightBit(raw)).toBe(false);
  expect(toWireForm(Buffer.from(raw)).equals(raw)).toBe(true);
}

/** Decodes the parts by the letter of RFC 2045, without tolerance. */
function decodedParts(raw: Buffer): string[] {
  const text = raw.toString('latin1');
  const boundary = /boundary="([^"]+)"/.exec(text)![1]!;
  const parts = text.split(`\r\n--${boundary}`).slice(1, -1);
  return parts.map((part) => {
    const body = part.slice(part.indexOf('\r\n\r\n') + 4);
    const encoding = /Content-Transfer-Encoding: (\S+)/.exec(part)![1];
    if (encoding === '7bit') return body;
    if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
    const bytes = body
      .replace(/=\r\n/g, '')
      .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1').toString('utf8');
  });
}

const canonical = (text: string): string => text.toWellFormed().replace(/\r\n|\r|\n/g, '\r\n');
const lineFeeds = (text: string): string => canonical(text).replace(/\r\n/g, '\n');

function expectRefused(act: () => unknown): void {
  expect(act).toThrow(expect.objectContaining({ code: 'HEADER_INVALID' }) as Error);
}
