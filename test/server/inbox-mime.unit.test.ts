import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import nodemailer from 'nodemailer';
import { describe, expect, it } from 'vitest';
import { readMail } from '../../server/inbox/links.ts';
import { decodeWords, readHeaders, readParts } from '../../server/inbox/mime.ts';

const composer = nodemailer.createTransport({ streamTransport: true, buffer: true });

async function compose(options: object): Promise<Buffer> {
  const { message } = await composer.sendMail({
    from: 'news@shop.example.test',
    to: 'ada@mail.example.org',
    ...options,
  });
  return message as Buffer;
}

// Printable text of many scripts, in lines; what a mail can carry without being changed on the way.
const words = fc
  .array(fc.string({ unit: 'grapheme', maxLength: 60 }), { minLength: 1, maxLength: 20 })
  .map((lines) => lines.join(' \n').replaceAll(/(?![\t\n])[\p{Cc}\ufeff]/gu, ''));

describe('the inbox’s quick reading of mails', () => {
  it('reads the same text, HTML and subject as mailparser, in every transfer encoding', async () => {
    await fc.assert(
      fc.asyncProperty(
        words,
        words,
        words,
        fc.constantFrom('quoted-printable', 'base64', undefined),
        async (text, html, subject, textEncoding) => {
          const raw = await compose({
            text: `t${text}`,
            html: `<p>${html}</p>`,
            subject: `s ${subject.replaceAll(/\s+/g, ' ').trim()}`,
            ...(textEncoding && { textEncoding, encoding: textEncoding }),
          });
          const peer = await simpleParser(raw, { skipTextToHtml: true, skipHtmlToText: true });
          const parts = readParts(raw);
          const even = (part: string | undefined): string =>
            (part ?? '').replaceAll('\r\n', '\n').trimEnd();
          expect(even(parts.text)).toBe(even(peer.text));
          expect(even(parts.html)).toBe(even(peer.html as string));
          expect(decodeWords(parts.headers.get('subject')!)).toBe(peer.subject);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('never fails, whatever bytes come', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.string({ maxLength: 80 }),
        (bytes, line) => {
          readMail(Buffer.from(bytes));
          const head = `Content-Type: multipart/mixed; boundary="${line}"\r\nSubject: ${line}\r\n\r\n--${line}\r\n`;
          readMail(Buffer.concat([Buffer.from(head), Buffer.from(bytes)]));
          decodeWords(line);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is not kept busy by a mail made for it', () => {
    const evil = ['<a ', '<a href=', '<style', '<', '&#', '=?utf-8?Q?', '=\r\n'].map((piece) =>
      piece.repeat(300_000 / piece.length),
    );
    const startedAt = performance.now();
    for (const body of evil) {
      readMail(Buffer.from(`Subject: ${body}\r\nContent-Type: text/html\r\n\r\n${body}`));
    }
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  it('finds the links, pictures and the unsubscribe address of a mail', async () => {
    const raw = await compose({
      subject: 'Links',
      text: 'See https://a.example.test/text',
      html: `<head><style>a { color: red }</style></head><a class="x" href="https://a.example.test/?a=1&amp;b=2"><b>One</b>
        &rarr;</a> <A HREF='https://a.example.test/two'>Two</A><a href=https://a.example.test/three>3</a>
        <a name="top">none</a><a href="#top">up</a><abbr href="no">no</abbr>
        <img width="1" src="https://a.example.test/o/1" height="1">`,
      headers: {
        'List-Unsubscribe': '<https://a.example.test/u/1>, <mailto:leave@a.example.test>',
        'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
      },
    });
    const mail = readMail(raw);
    expect(mail.links).toEqual([
      { href: 'https://a.example.test/?a=1&b=2', text: 'One →' },
      { href: 'https://a.example.test/two', text: 'Two' },
      { href: 'https://a.example.test/three', text: '3' },
    ]);
    expect(mail.images).toEqual(['https://a.example.test/o/1']);
    expect(mail.unsubscribe).toEqual({
      url: 'https://a.example.test/u/1',
      mailto: 'mailto:leave@a.example.test',
      oneClick: true,
    });
    expect(mail.text.trim()).toBe('See https://a.example.test/text');
  });

  it('takes the first of two headers, unfolds, and leaves attachments alone', async () => {
    const { headers } = readHeaders(Buffer.from('Subject: a\r\n b\r\nSUBJECT: c\r\n\r\nbody: d'));
    expect(headers.get('subject')).toBe('a b');
    expect(headers.size).toBe(1);
    const raw = await compose({
      html: '<p>the mail</p>',
      attachments: [{ filename: 'x.html', content: '<p>not this</p>', contentType: 'text/html' }],
    });
    expect(readParts(raw).html.trim()).toBe('<p>the mail</p>');
  });
});
