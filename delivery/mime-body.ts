/**
 * Encodes the text parts of a mail to 7 bits (RFC 2045 §6), so that no relay has to touch them, which would break a
 * signature. Lines end with CRLF and never begin with a dot, so that the result needs no dot stuffing either.
 *
 * A text that is in that form already stays as it is; else quoted-printable, which for Latin scripts is a fifth smaller
 * than base64, and every hop pays for size.
 */
export type BodyEncoding = 'quoted-printable' | 'base64';

const CR = 13;
const LF = 10;
const TAB = 9;
const SPACE = 32;
const DOT = 46;
const EQUALS = 61;
/** From the space to the tilde. */
const PRINTABLE_SPAN = 126 - SPACE;
/** A line has 76 characters, of which the last may have to be the `=` of a soft break. */
const QP_LINE = 75;
const BASE64_LINE = 76;
/** One UTF-16 unit is at most 3 bytes of UTF-8, each written as `=XX`, with a soft break every 25. */
const GROWTH_MAX = 11;

const HEX = Uint8Array.from(Buffer.from('0123456789ABCDEF'));

/** Bytes that the encoded text takes at most. */
export function encodedSizeMax(text: string): number {
  return text.length * GROWTH_MAX + 16;
}

/** Writes the encoded text at `offset` and returns where it ends. The target must have `encodedSizeMax` bytes left. */
export function encodeBodyInto(
  text: string,
  encoding: BodyEncoding,
  target: Buffer,
  offset: number,
): number {
  if (encoding === 'base64') return base64Into(text, target, offset);
  if (units.length < text.length) units = new Uint16Array(text.length * 2);
  // UTF-16 is how the engine holds the text, so this is a plain copy; the loop below makes UTF-8 where it must.
  Buffer.from(units.buffer).write(text, 'utf16le');
  return quotedPrintableInto(units, text.length, target, offset);
}

/** RFC 5322 §2.1.1: a line has at most 998 characters without its CRLF. */
const LINE_MAX = 998;
const HYPHEN = 45;
const ONES = 0x01010101;
const SPACES = 0x20202020;
const HIGH_BITS = 0x80808080 | 0;

/**
 * Writes a text as it is where RFC 5322 allows that: ASCII without control characters, lines that end with CRLF and have
 * at most 998 characters, none of which starts with a dot (which would need stuffing) or with what could be the boundary
 * (`--=`). Returns where it ends, or -1 where the text needs an encoding. Most mails pass, at a fifth of
 * quoted-printable's cost. The target must have as many bytes left as the text has characters, and memory of its own.
 */
export function plainInto(text: string, target: Buffer, offset: number): number {
  const { length } = text;
  // Anything beyond ASCII takes more bytes than characters: it is then cut off, and the check below sees its bytes.
  if (target.write(text, offset, length, 'utf8') !== length) return -1;
  return isPlain(target, offset, offset + length) ? offset + length : -1;
}

function isPlain(bytes: Buffer, start: number, end: number): boolean {
  if (wordsOf !== bytes) {
    words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    wordsOf = bytes;
  }
  const wordEnd = end >> 2;
  let line = start;
  let at = start;
  if (!isPlainStart(bytes, line)) return false;
  for (;;) {
    // Up to the next multiple of four by bytes, then four bytes at once while they are all visible ASCII.
    while (at < end && (at & 3) !== 0 && isVisible(bytes[at]!)) at += 1;
    if ((at & 3) === 0) {
      let word = at >> 2;
      for (; word < wordEnd; word += 1) {
        const four = words[word]!;
        // A byte above 126 (adding one sets its high bit), or below the space (the subtraction borrows into it).
        if (((four | (four + ONES) | ((four - SPACES) & ~four)) & HIGH_BITS) !== 0) break;
      }
      at = word << 2;
      while (at < end && isVisible(bytes[at]!)) at += 1;
    }
    if (at >= end) return at - line <= LINE_MAX && (at === line || !isBlank(bytes[at - 1]!));
    if (bytes[at] === TAB) {
      at += 1;
      continue;
    }
    if (bytes[at] !== CR || at + 1 >= end || bytes[at + 1] !== LF || at - line > LINE_MAX) {
      return false;
    }
    // Blanks at the end of a line may be dropped on the way.
    if (at > line && isBlank(bytes[at - 1]!)) return false;
    at += 2;
    line = at;
    if (line < end && !isPlainStart(bytes, line)) return false;
  }
}

/** The words of the target that was used last, which is nearly always the same one. */
let words: Int32Array = new Int32Array(0);
let wordsOf: Buffer | undefined;

function isVisible(byte: number): boolean {
  return byte >= SPACE && byte < 127;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

function isPlainStart(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at];
  return (
    first !== DOT && (first !== HYPHEN || bytes[at + 1] !== HYPHEN || bytes[at + 2] !== EQUALS)
  );
}

/** Used again for each message; encoding never waits, so no two texts are in it at once. */
let units = new Uint16Array(65_536);
const character = new Uint8Array(4);

function quotedPrintableInto(
  source: Uint16Array,
  length: number,
  out: Uint8Array,
  offset: number,
): number {
  let at = 0;
  let end = offset;
  let limit = end + QP_LINE;
  while (at < length) {
    if (source[at] !== DOT || end !== limit - QP_LINE) {
      // This loop sees nearly every character: one comparison for the range, and one counter.
      const stop = Math.min(length, at + limit - end);
      const shift = end - at;
      while (at < stop) {
        const unit = source[at]!;
        if (((unit - SPACE) & 0xffff) > PRINTABLE_SPAN || unit === EQUALS) break;
        out[at + shift] = unit;
        at += 1;
      }
      end = at + shift;
      if (at === length) break;
    }
    const unit = source[at]!;
    if (unit === LF || unit === CR) {
      at += unit === CR && source[at + 1] === LF ? 2 : 1;
      end = guardBlank(out, end, limit);
      out[end++] = CR;
      out[end++] = LF;
      limit = end + QP_LINE;
      continue;
    }
    if (end >= limit) {
      end = softBreak(out, end);
      limit = end + QP_LINE;
      continue;
    }
    if (unit === TAB) {
      out[end++] = TAB;
      at += 1;
      continue;
    }
    const bytes = utf8Of(source, at, length);
    at += bytes === 4 ? 2 : 1;
    for (let index = 0; index < bytes; index += 1) {
      if (end + 3 > limit) {
        end = softBreak(out, end);
        limit = end + QP_LINE;
      }
      end = escaped(out, end, character[index]!);
    }
  }
  return guardBlank(out, end, limit);
}

/** A space or tab at the end of a line would be dropped on the way: escapes the one just written, if it is one. */
function guardBlank(out: Uint8Array, end: number, limit: number): number {
  const last = out[end - 1];
  if (end === limit - QP_LINE || (last !== SPACE && last !== TAB)) return end;
  const start = end - 1;
  return escaped(out, start + 3 > limit ? softBreak(out, start) : start, last);
}

function softBreak(out: Uint8Array, end: number): number {
  out[end] = EQUALS;
  out[end + 1] = CR;
  out[end + 2] = LF;
  return end + 3;
}

function escaped(out: Uint8Array, end: number, byte: number): number {
  out[end] = EQUALS;
  out[end + 1] = HEX[byte >> 4]!;
  out[end + 2] = HEX[byte & 15]!;
  return end + 3;
}

/** Puts the UTF-8 bytes of the character at `at` into `character` and returns their number; 4 took two units. */
function utf8Of(source: Uint16Array, at: number, length: number): number {
  let code = source[at]!;
  if (code < 0x80) {
    character[0] = code;
    return 1;
  }
  if (code < 0x800) {
    character[0] = 0xc0 | (code >> 6);
    character[1] = 0x80 | (code & 63);
    return 2;
  }
  const next = at + 1 < length ? source[at + 1]! : 0;
  if (code >= 0xd800 && code <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) {
    code = 0x10000 + ((code - 0xd800) << 10) + (next - 0xdc00);
    character[0] = 0xf0 | (code >> 18);
    character[1] = 0x80 | ((code >> 12) & 63);
    character[2] = 0x80 | ((code >> 6) & 63);
    character[3] = 0x80 | (code & 63);
    return 4;
  }
  // Half a pair is no character: U+FFFD stands for it.
  if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
  character[0] = 0xe0 | (code >> 12);
  character[1] = 0x80 | ((code >> 6) & 63);
  character[2] = 0x80 | (code & 63);
  return 3;
}

function base64Into(text: string, out: Buffer, offset: number): number {
  // The line breaks of a text are CRLF before they are encoded (RFC 2045 §6.8).
  const canonical = /[\r\n]/.test(text) ? text.replace(/\r\n|\r|\n/g, '\r\n') : text;
  const encoded = Buffer.from(Buffer.from(canonical, 'utf8').toString('base64'), 'latin1');
  let end = offset;
  for (let at = 0; at < encoded.length; at += BASE64_LINE) {
    if (at > 0) {
      out[end++] = CR;
      out[end++] = LF;
    }
    end += encoded.copy(out, end, at, at + BASE64_LINE);
  }
  return end;
}
