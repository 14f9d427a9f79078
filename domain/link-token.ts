import { hash, timingSafeEqual } from 'node:crypto';

/**
 * The signed token of one message, from which each of its links, its open pixel, its unsubscribe address and its
 * Message-ID are made. Signed once a message: link number `i` follows the token, and is only an index into the
 * campaign's frozen link table, so a changed number can reach nothing but another link of the same campaign.
 *
 * Layout before base64url: key id (1 byte), campaign number, step, person id (LEB128 each), MAC (10 bytes of
 * HMAC-SHA-256 over the bytes before it: the first ten for links, the next ten for the Message-ID, so that one MAC makes
 * both and neither tells the other). 80 bits are out of reach for guessing over HTTP.
 *
 * Not for workflows: it needs node:crypto.
 */
export interface TokenSubject {
  campaignNo: number;
  step: number;
  personId: number;
}

/** What a token may be used for; a Message-ID travels in replies, so it must not unsubscribe anyone. */
export type TokenPurpose = 'link' | 'message';

export interface LinkKey {
  /** 0–255, part of the token, so that old mails stay valid when the key is rotated. */
  id: number;
  secret: Uint8Array;
}

const MAC_BYTES = 10;

function writeVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

/**
 * HMAC-SHA-256 (RFC 2104) out of one-shot hashes: `createHmac` makes an object of the engine's for each token, which at
 * thousands a second took 23 µs each in a profile of the sender. A test holds it to `createHmac`.
 */
interface Pads {
  inner: Buffer;
  /** The outer pad, and room for the inner hash. */
  outer: Buffer;
}
const BLOCK_BYTES = 64;
const HASH_BYTES = 32;
const padsOfKeys = new WeakMap<Uint8Array, Pads>();

function padsOf(secret: Uint8Array): Pads {
  let pads = padsOfKeys.get(secret);
  if (!pads) {
    const block = Buffer.alloc(BLOCK_BYTES);
    block.set(secret.length > BLOCK_BYTES ? hash('sha256', secret, 'buffer') : secret);
    pads = {
      inner: Buffer.from(block.map((byte) => byte ^ 0x36)),
      outer: Buffer.concat([block.map((byte) => byte ^ 0x5c), Buffer.alloc(HASH_BYTES)]),
    };
    padsOfKeys.set(secret, pads);
  }
  return pads;
}

/** HMAC-SHA-256 of `head`, 32 bytes. */
export function macOf(key: LinkKey, head: Buffer): Buffer {
  const { inner, outer } = padsOf(key.secret);
  hash('sha256', Buffer.concat([inner, head]), 'buffer').copy(outer, BLOCK_BYTES);
  return hash('sha256', outer, 'buffer');
}

function partOf(mac: Buffer, purpose: TokenPurpose): Buffer {
  const start = purpose === 'link' ? 0 : MAC_BYTES;
  return mac.subarray(start, start + MAC_BYTES);
}

function headOf(key: LinkKey, subject: TokenSubject): Buffer {
  const bytes = [key.id];
  writeVarint(bytes, subject.campaignNo);
  writeVarint(bytes, subject.step);
  writeVarint(bytes, subject.personId);
  return Buffer.from(bytes);
}

/** The tokens of one message for both purposes. */
export function signTokens(key: LinkKey, subject: TokenSubject): Record<TokenPurpose, string> {
  const head = headOf(key, subject);
  const mac = macOf(key, head);
  const token = (purpose: TokenPurpose): string =>
    Buffer.concat([head, partOf(mac, purpose)]).toString('base64url');
  return { link: token('link'), message: token('message') };
}

export function signToken(key: LinkKey, purpose: TokenPurpose, subject: TokenSubject): string {
  return signTokens(key, subject)[purpose];
}

/** The subject of a token, or null where it was not signed by one of `keys` for this purpose. */
export function readToken(
  keys: readonly LinkKey[],
  purpose: TokenPurpose,
  token: string,
): TokenSubject | null {
  if (!/^[A-Za-z0-9_-]{19,60}$/.test(token)) return null;
  const bytes = Buffer.from(token, 'base64url');
  // Two spellings of one token would be two links: base64url must be in its only canonical form.
  if (bytes.toString('base64url') !== token) return null;
  const key = keys.find((candidate) => candidate.id === bytes[0]);
  if (!key || bytes.length < 4 + MAC_BYTES) return null;
  const head = bytes.subarray(0, bytes.length - MAC_BYTES);
  if (!timingSafeEqual(partOf(macOf(key, head), purpose), bytes.subarray(head.length))) return null;
  const numbers: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of head.subarray(1)) {
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte < 0x80) {
      numbers.push(value);
      value = 0;
      scale = 1;
    }
  }
  const [campaignNo, step, personId] = numbers;
  if (numbers.length !== 3) return null;
  return { campaignNo: campaignNo!, step: step!, personId: personId! };
}
