/**
 * Just enough of MIME to list mails and to find their links, in a tenth of a millisecond; a mail that somebody opens is
 * read by `mailparser`. Understands folded and encoded headers (RFC 2047), multiparts, base64 and quoted-printable.
 */
export interface MimeParts {
  readonly headers: ReadonlyMap<string, string>;
  /** The first text/plain part that is no attachment; '' where there is none. */
  readonly text: string;
  readonly html: string;
}

/** Headers beyond this are not looked at. */
const HEADER_MAX = 65_536;
const DEPTH_MAX = 8;

/** Headers by lower-case name, the first of each, unfolded; bytes beyond ASCII are read as UTF-8. */
export function readHeaders(raw: Buffer): { headers: Map<string, string>; bodyAt: number } {
  const { end, bodyAt } = endOfHeaders(raw);
  const headers = new Map<string, string>();
  const text = raw.toString('utf8', 0, Math.min(end, HEADER_MAX)).replaceAll(/\r?\n(?=[ \t])/g, '');
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return { headers, bodyAt };
}

function endOfHeaders(raw: Buffer): { end: number; bodyAt: number } {
  const crlf = raw.indexOf('\r\n\r\n');
  if (crlf >= 0) return { end: crlf, bodyAt: crlf + 4 };
  const lf = raw.indexOf('\n\n');
  return lf >= 0 ? { end: lf, bodyAt: lf + 2 } : { end: raw.length, bodyAt: raw.length };
}

/** A header's text with its encoded words decoded; a charset that is not known stays as it is written. */
export function decodeWords(value: string): string {
  return value
    .replaceAll(/(=\?[^?\s]+\?[BbQq]\?[^?\s]*\?=)\s+(?==\?)/g, '$1')
    .replaceAll(
      /=\?([^?\s]+)\?([BbQq])\?([^?\s]*)\?=/g,
      (word, charset: string, encoding: string, data: string) => {
        const bytes =
          encoding.toUpperCase() === 'B'
            ? Buffer.from(data, 'base64')
            : unquote(Buffer.from(data.replaceAll('_', ' '), 'latin1'));
        return decode(bytes, charset) ?? word;
      },
    );
}

export function readParts(raw: Buffer): MimeParts {
  const found = { text: '', html: '' };
  const { headers } = readHeaders(raw);
  walk(raw, found, 0);
  return { headers, ...found };
}

function walk(raw: Buffer, found: { text: string; html: string }, depth: number): void {
  const { headers, bodyAt } = readHeaders(raw);
  const body = raw.subarray(bodyAt);
  const type = headers.get('content-type') ?? 'text/plain';
  const boundary = parameter(type, 'boundary');
  if (/^multipart\//i.test(type) && boundary && depth < DEPTH_MAX) {
    for (const part of split(body, boundary)) walk(part, found, depth + 1);
    return;
  }
  if (/^attachment/i.test(headers.get('content-disposition') ?? '')) return;
  const kind = /^text\/(plain|html)\b/i.exec(type)?.[1]?.toLowerCase();
  if (kind === undefined) return;
  const key = kind === 'html' ? 'html' : 'text';
  if (found[key] !== '') return;
  const bytes = transferDecode(body, headers.get('content-transfer-encoding') ?? '7bit');
  const charset = parameter(type, 'charset') ?? 'utf-8';
  found[key] = decode(bytes, charset) ?? bytes.toString('latin1');
}

function parameter(header: string, name: string): string | null {
  const match = new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]*)"|([^;\\s]+))`, 'i').exec(header);
  return match?.[1] ?? match?.[2] ?? null;
}

/** The parts between the boundary's lines (RFC 2046 §5.1.1). */
function split(body: Buffer, boundary: string): Buffer[] {
  const mark = Buffer.from(`--${boundary}`, 'latin1');
  const parts: Buffer[] = [];
  let start = -1;
  for (let at = body.indexOf(mark); at >= 0; at = body.indexOf(mark, at + mark.length)) {
    if (at > 0 && body[at - 1] !== 10) continue;
    if (start >= 0) {
      const end = body[at - 2] === 13 ? at - 2 : at - 1;
      parts.push(body.subarray(start, Math.max(start, end)));
    }
    const after = at + mark.length;
    if (body[after] === 45 && body[after + 1] === 45) return parts;
    const newline = body.indexOf(10, after);
    if (newline < 0) return parts;
    start = newline + 1;
  }
  // The last boundary is missing: what there is counts.
  if (start >= 0) parts.push(body.subarray(start));
  return parts;
}

function transferDecode(body: Buffer, encoding: string): Buffer {
  switch (encoding.trim().toLowerCase()) {
    case 'base64':
      return Buffer.from(body.toString('latin1'), 'base64');
    case 'quoted-printable':
      return unquote(body);
    default:
      return body;
  }
}

/** The value of a hexadecimal digit by its byte; −1 for everything else. */
const HEX = Int8Array.from({ length: 256 }, (_, byte) => {
  return '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase());
});
const [EQUALS, CR, LF] = [61, 13, 10];

/** Quoted-printable (RFC 2045 §6.7); what is not valid stays as it is. */
function unquote(bytes: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  const end = bytes.length;
  let length = 0;
  for (let at = 0; at < end; at += 1) {
    const byte = bytes[at]!;
    if (byte !== EQUALS) {
      out[length++] = byte;
      continue;
    }
    const next = at + 1 < end ? bytes[at + 1]! : 0;
    const after = at + 2 < end ? bytes[at + 2]! : 0;
    if (next === LF) {
      at += 1;
    } else if (next === CR && after === LF) {
      at += 2;
    } else if (HEX[next]! >= 0 && HEX[after]! >= 0) {
      out[length++] = HEX[next]! * 16 + HEX[after]!;
      at += 2;
    } else {
      out[length++] = byte;
    }
  }
  return out.subarray(0, length);
}

function decode(bytes: Buffer, charset: string): string | null {
  try {
    return new TextDecoder(charset.trim()).decode(bytes);
  } catch {
    return null;
  }
}
