import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { SourceKind } from '../../domain/webhooks/inward.ts';

/** How far a signed time may be from ours: what Stripe's own libraries allow. */
const TOLERANCE_MS = 5 * 60_000;
const SIGNATURES_MAX = 10;

/**
 * Whether a webhook was signed with the secret, over the bytes as they came. `nowMs` is the machine's time, not the
 * shop's: the sender signs by real clocks.
 */
export function isSigned(
  kind: SourceKind,
  secret: string,
  request: { headers: IncomingHttpHeaders; body: Buffer; nowMs: number },
): boolean {
  const { headers, body, nowMs } = request;
  switch (kind) {
    case 'shopify':
      return isHmac(secret, [body], 'base64', headers['x-shopify-hmac-sha256']);
    case 'woocommerce':
      return isHmac(secret, [body], 'base64', headers['x-wc-webhook-signature']);
    case 'stripe':
      return isStripes(secret, body, headers['stripe-signature'], nowMs);
    default:
      return kind satisfies never;
  }
}

function isHmac(
  secret: string,
  parts: readonly (string | Buffer)[],
  encoding: 'base64' | 'hex',
  given: string | string[] | undefined,
): boolean {
  if (typeof given !== 'string') return false;
  const hmac = createHmac('sha256', secret);
  for (const part of parts) hmac.update(part);
  // As text: decoding would take several spellings for one signature.
  const expected = Buffer.from(hmac.digest(encoding));
  const actual = Buffer.from(given.trim());
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/** `t=<seconds>,v1=<hex>[,v1=<hex>]`: one of them must fit; the time is a part of what is signed. */
function isStripes(
  secret: string,
  body: Buffer,
  header: string | string[] | undefined,
  nowMs: number,
): boolean {
  if (typeof header !== 'string' || header.length > 2_000) return false;
  const parts = header.split(',').map((part) => part.trim().split('=', 2));
  const time = parts.find(([name]) => name === 't')?.[1] ?? '';
  if (!/^\d{1,12}$/.test(time) || Math.abs(nowMs - Number(time) * 1_000) > TOLERANCE_MS) {
    return false;
  }
  const signatures = parts.filter(([name]) => name === 'v1').slice(0, SIGNATURES_MAX);
  let isOne = false;
  for (const [, signature] of signatures) {
    isOne = isHmac(secret, [`${time}.`, body], 'hex', signature) || isOne;
  }
  return isOne;
}
