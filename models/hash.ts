import type { Matrix, Target } from './matrix.ts';

/** SHA-256 (FIPS 180-4) in plain arithmetic: models import no I/O, and the platform's own is asynchronous. */

const ROUND = new Int32Array(64);
const START = new Int32Array(8);
{
  // The constants are the fractional parts of the roots of the first primes.
  let prime = 2;
  for (let found = 0; found < 64; prime++) {
    let isPrime = true;
    for (let d = 2; d * d <= prime; d++) if (prime % d === 0) isPrime = false;
    if (!isPrime) continue;
    if (found < 8) START[found] = fraction(Math.sqrt(prime));
    ROUND[found] = fraction(Math.cbrt(prime));
    found++;
  }
}

function fraction(value: number): number {
  return ((value - Math.floor(value)) * 4_294_967_296) | 0;
}

/** The digest of the bytes, in lower-case hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  const padded = new Uint8Array(((bytes.length + 8) >> 6) * 64 + 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 0x2000_0000));
  view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0);
  const state = START.slice();
  const schedule = new Int32Array(64);
  for (let at = 0; at < padded.length; at += 64) compress(state, schedule, view, at);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function compress(state: Int32Array, w: Int32Array, view: DataView, at: number): void {
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(at + t * 4);
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15]!;
    const y = w[t - 2]!;
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[t] = (w[t - 16]! + s0 + w[t - 7]! + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let t = 0; t < 64; t++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[t]! + w[t]!) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const next = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) state[i] = (state[i]! + next[i]!) | 0;
}

function rotate(value: number, by: number): number {
  return (value >>> by) | (value << (32 - by));
}

/** Names the very data a model was trained on: its column names, its values bit by bit, and its target. */
export function dataHash(X: Matrix, y?: Target): string {
  const head = new TextEncoder().encode(JSON.stringify([X.rows, X.columns, X.names]));
  const target = y ? Float64Array.from(y) : new Float64Array(0);
  const bytes = new Uint8Array(head.length + 8 * (X.data.length + target.length));
  bytes.set(head);
  const view = new DataView(bytes.buffer, head.length);
  // All NaNs are one "missing", and −0 is 0.
  for (let i = 0; i < X.data.length; i++) view.setFloat64(i * 8, canonical(X.data[i]!), true);
  for (let i = 0; i < target.length; i++) {
    view.setFloat64((X.data.length + i) * 8, canonical(target[i]!), true);
  }
  return sha256(bytes);
}

function canonical(value: number): number {
  return Number.isNaN(value) ? Number.NaN : value + 0;
}
