import { createHash } from 'node:crypto';
import { KairosError } from '../domain/errors.ts';
import { type BodyEncoding, encodeBodyInto, encodedSizeMax, plainInto } from './mime-body.ts';
import { addressHeader, asciiHeader, textHeader } from './mime-header.ts';
import { checkAddress } from './smtp/transport.ts';
import { markWireForm } from './smtp/wire.ts';

export interface Mailbox {
  /** Shown to the reader; may be empty. */
  readonly name: string;
  /** In the strict grammar of `domain/address.ts`. */
  readonly address: string;
}

/** What is the same in all messages of one campaign and variant. */
export interface MimeSkeleton {
  readonly from: Mailbox;
  /** A bare address. */
  readonly replyTo?: string | undefined;
  /** Further headers, by the names of {@link FIXED_HEADERS} only. */
  readonly headers?: Readonly<Partial<Record<FixedHeader, string>>> | undefined;
  /** How to encode all bodies; by default each is written as it is where it may be, else quoted-printable. */
  readonly encoding?: BodyEncoding | undefined;
}

/** Headers that a campaign may add. Others would let a template or a setting change what a mail is. */
export const FIXED_HEADERS = [
  'Feedback-ID',
  'List-ID',
  'List-Help',
  'List-Owner',
  'Precedence',
  'Auto-Submitted',
  'X-Auto-Response-Suppress',
  'X-Kairos-Campaign',
] as const;
export type FixedHeader = (typeof FIXED_HEADERS)[number];

/** What differs from message to message. */
export interface MimeMessage {
  readonly to: Mailbox;
  readonly subject: string;
  /** `local@domain`, without angle brackets. */
  readonly messageId: string;
  /** For the Date header, in milliseconds since the Unix epoch. */
  readonly dateMs: number;
  /** One-click unsubscribe (RFC 8058) where there is one: marketing mail must have it. */
  readonly listUnsubscribe?: { readonly url: string } | undefined;
  /** Best with lines that end with CRLF: others have to be encoded. */
  readonly text: string;
  readonly html: string;
}

export interface PreparedMime {
  /**
   * The whole message in wire form, in bytes of its own. Throws `HEADER_INVALID` or `ADDRESS_INVALID` for a person
   * whose data must not become a header.
   */
  build(message: MimeMessage): Buffer;
}

const DOT_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*";
const MESSAGE_ID = new RegExp(`^${DOT_ATOM}@${DOT_ATOM}$`);
const MESSAGE_ID_MAX = 200;
/** Visible ASCII without the angle brackets and the comma that end a URL in List-Unsubscribe (RFC 2369). */
const WEB_URL = /^https?:\/\/[\x21-\x2b\x2d-\x3b\x3d\x3f-\x7e]{1,800}$/;

/** Builds all that is the same in a campaign's messages once: per message, its own headers and bodies are left. */
export function prepareMime(skeleton: MimeSkeleton): PreparedMime {
  checkAddress(skeleton.from.address, 'sender');
  const from = addressHeader('From', skeleton.from.name, skeleton.from.address);
  // `=_` cannot occur in quoted-printable, nor a hyphen in base64, nor `--=` at the start of a line that is written as it
  // is: no body can hold the boundary.
  const boundary = `=_kairos_${createHash('sha256').update(from).digest('hex').slice(0, 24)}`;
  const fixed = fixedHeaders(skeleton, boundary);
  const opening = (subtype: string, before: string): Openings => {
    const of = (encoding: string): Buffer =>
      Buffer.from(
        `${before}--${boundary}\r\nContent-Type: text/${subtype}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`,
      );
    return { plain: of('7bit'), encoded: of(skeleton.encoding ?? 'quoted-printable') };
  };
  const plainOpening = opening('plain', '');
  const htmlOpening = opening('html', '\r\n');
  const closing = `\r\n--${boundary}--\r\n`;

  return {
    build(message) {
      const head = from + messageHeaders(message) + fixed;
      reserve(head.length + encodedSizeMax(message.text) + encodedSizeMax(message.html) + 1_024);
      let end = scratch.write(head, 0, 'latin1');
      end = writePart(plainOpening, message.text, skeleton.encoding, end);
      end = writePart(htmlOpening, message.html, skeleton.encoding, end);
      end += scratch.write(closing, end, 'latin1');
      const mail = Buffer.allocUnsafe(end);
      scratch.copy(mail, 0, 0, end);
      return markWireForm(mail, 7);
    },
  };
}

/** What stands before a body, by how it is written. */
interface Openings {
  readonly plain: Buffer;
  readonly encoded: Buffer;
}

/** Writes one part at `offset` and returns where it ends. */
function writePart(
  opening: Openings,
  body: string,
  encoding: BodyEncoding | undefined,
  offset: number,
): number {
  if (encoding === undefined) {
    const end = plainInto(body, scratch, offset + opening.plain.copy(scratch, offset));
    if (end >= 0) return end;
  }
  const start = offset + opening.encoded.copy(scratch, offset);
  return encodeBodyInto(body, encoding ?? 'quoted-printable', scratch, start);
}

function fixedHeaders(skeleton: MimeSkeleton, boundary: string): string {
  let headers = '';
  if (skeleton.replyTo !== undefined) {
    checkAddress(skeleton.replyTo, 'reply address');
    headers += asciiHeader('Reply-To', skeleton.replyTo);
  }
  for (const [name, value] of Object.entries(skeleton.headers ?? {})) {
    if (!(FIXED_HEADERS as readonly string[]).includes(name)) {
      throw new KairosError(
        'HEADER_INVALID',
        `A campaign may not set this header: use one of ${FIXED_HEADERS.join(', ')}.`,
      );
    }
    headers += asciiHeader(name, value);
  }
  return `${headers}MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="${boundary}"\r\n\r\n`;
}

function messageHeaders(message: MimeMessage): string {
  checkAddress(message.to.address, 'recipient');
  if (message.messageId.length > MESSAGE_ID_MAX || !MESSAGE_ID.test(message.messageId)) {
    throw new KairosError(
      'HEADER_INVALID',
      'The Message-ID is not of the form local@domain: make it of letters, digits, dots and hyphens.',
      { header: 'Message-ID' },
    );
  }
  return (
    addressHeader('To', message.to.name, message.to.address) +
    textHeader('Subject', message.subject) +
    `Date: ${dateText(message.dateMs)}\r\n` +
    asciiHeader('Message-ID', `<${message.messageId}>`) +
    unsubscribeHeaders(message.listUnsubscribe)
  );
}

function unsubscribeHeaders(unsubscribe: MimeMessage['listUnsubscribe']): string {
  if (unsubscribe === undefined) return '';
  if (!WEB_URL.test(unsubscribe.url)) {
    throw new KairosError(
      'HEADER_INVALID',
      'The List-Unsubscribe address is not an http(s) URL of visible ASCII characters: encode it.',
      { header: 'List-Unsubscribe' },
    );
  }
  return (
    asciiHeader('List-Unsubscribe', `<${unsubscribe.url}>`) +
    'List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n'
  );
}

let dateSecond = Number.NaN;
let dateCached = '';

/** RFC 5322 §3.3, in UTC; thousands of messages share a second. */
function dateText(ms: number): string {
  const second = Math.floor(ms / 1_000);
  if (second !== dateSecond) {
    dateCached = new Date(second * 1_000).toUTCString().replace('GMT', '+0000');
    dateSecond = second;
  }
  return dateCached;
}

/** Messages are put together here and copied out at their exact size; building never waits, so one is enough. */
let scratch = Buffer.allocUnsafeSlow(524_288);

function reserve(size: number): void {
  if (scratch.length < size) scratch = Buffer.allocUnsafeSlow(size * 2);
}
