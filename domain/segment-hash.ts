/**
 * SipHash-2-4 with a key of zeros over the UTF-8 bytes of `text`: the same number as ClickHouse's `sipHash64`, so that a
 * random share is the same people in the warehouse and in memory.
 */
export function sipHash64(text: string): bigint {
  const bytes = new TextEncoder().encode(text);
  const v: State = [
    0x736f6d6570736575n,
    0x646f72616e646f6dn,
    0x6c7967656e657261n,
    0x7465646279746573n,
  ];
  const view = new DataView(bytes.buffer);
  const whole = bytes.length - (bytes.length % 8);
  const take = (word: bigint): void => {
    v[3] ^= word;
    round(v);
    round(v);
    v[0] ^= word;
  };
  for (let at = 0; at < whole; at += 8) take(view.getBigUint64(at, true));
  let last = BigInt(bytes.length & 0xff) << 56n;
  for (let at = whole; at < bytes.length; at += 1)
    last |= BigInt(bytes[at]!) << BigInt(8 * (at - whole));
  take(last);
  v[2] ^= 0xffn;
  for (let times = 0; times < 4; times += 1) round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

type State = [bigint, bigint, bigint, bigint];
const MASK = (1n << 64n) - 1n;
const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & MASK;

function round(v: State): void {
  v[0] = (v[0] + v[1]) & MASK;
  v[1] = rotate(v[1], 13n) ^ v[0];
  v[0] = rotate(v[0], 32n);
  v[2] = (v[2] + v[3]) & MASK;
  v[3] = rotate(v[3], 16n) ^ v[2];
  v[0] = (v[0] + v[3]) & MASK;
  v[3] = rotate(v[3], 21n) ^ v[0];
  v[2] = (v[2] + v[1]) & MASK;
  v[1] = rotate(v[1], 17n) ^ v[2];
  v[2] = rotate(v[2], 32n);
}

/** Between salt and person, so that no pair of them reads like another. */
const SEPARATOR = '\u001f';

/** A person's draw under a salt: a whole number of hundredths of a percent, 0 to 9,999. */
export function drawOf(salt: string, personId: number): number {
  return Number(sipHash64(`${salt}${SEPARATOR}${personId}`) % 10_000n);
}
