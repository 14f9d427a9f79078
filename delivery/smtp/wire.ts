/**
 * Wire form (RFC 5321 §2.3.8, §4.5.2): every line ends with CRLF, the last one too, no CR or LF stands alone, and no
 * line begins with an unstuffed dot. A lone LF or CR around a dot would end the message early for some servers and
 * smuggle a second one in.
 */
const WIRE = Symbol('wire form');

const CR = 13;
const LF = 10;
const DOT = 46;

/** Bytes in wire form carry how many bits they use: beyond 7, the server must take 8BITMIME. */
type Marked = Buffer & { [WIRE]?: 7 | 8 };

/** Marks bytes that are in wire form by construction, so that the hot path need not look at each of them again. */
export function markWireForm(data: Buffer, bits: 7 | 8): Buffer {
  (data as Marked)[WIRE] = bits;
  return data;
}

/** Whether a message in wire form has bytes beyond ASCII. */
export function isEightBit(wire: Buffer): boolean {
  return (wire as Marked)[WIRE] !== 7;
}

/** The same message in wire form; `data` itself where it is marked. A lone CR or LF becomes a line end. */
export function toWireForm(data: Buffer): Buffer {
  if ((data as Marked)[WIRE] !== undefined) return data;
  // At worst each byte is a line end or a dot at a line's beginning: two bytes for one, and the last line's end.
  const out = Buffer.allocUnsafe(data.length * 2 + 2);
  let size = 0;
  let lineStart = true;
  let seen = 0;
  for (let at = 0; at < data.length; at += 1) {
    const byte = data[at]!;
    seen |= byte;
    if (byte === CR || byte === LF) {
      if (byte === CR && data[at + 1] === LF) at += 1;
      out[size] = CR;
      out[size + 1] = LF;
      size += 2;
      lineStart = true;
      continue;
    }
    if (lineStart && byte === DOT) {
      out[size] = DOT;
      size += 1;
    }
    out[size] = byte;
    size += 1;
    lineStart = false;
  }
  if (!lineStart) {
    out[size] = CR;
    out[size + 1] = LF;
    size += 2;
  }
  return markWireForm(out.subarray(0, size), seen > 127 ? 8 : 7);
}

/** Undoes the dot stuffing, for a transport that stuffs by itself. Returns `wire` itself where there is none. */
export function unstuffed(wire: Buffer): Buffer {
  if (wire[0] !== DOT && !wire.includes('\n.')) return wire;
  return Buffer.from(wire.toString('latin1').replace(/^\.\./gm, '.'), 'latin1');
}
