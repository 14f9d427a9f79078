import { createHash, timingSafeEqual } from 'node:crypto';

const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();

/**
 * Makes the check of a secret against those that are valid. The comparison takes the same time however much of it is
 * right, and however long it is: hashes are compared, and always all of them.
 */
export function secretCheck(secrets: readonly string[]): (given: string) => boolean {
  const known = secrets.filter((secret) => secret !== '').map(digest);
  return (given) => {
    const hash = digest(given);
    let isKnown = false;
    for (const candidate of known) isKnown = timingSafeEqual(candidate, hash) || isKnown;
    return isKnown && given !== '';
  };
}

/** The bearer token of an `Authorization` header, or null. */
export function bearerOf(header: string | undefined): string | null {
  return /^Bearer +([!-~]{1,500})$/i.exec(header ?? '')?.[1] ?? null;
}

/** The user name of HTTP basic authentication: where the Segment spec puts the write key. */
export function basicUser(header: string | undefined): string | null {
  const encoded = /^Basic +([A-Za-z0-9+/=_-]{1,700})$/i.exec(header ?? '')?.[1];
  if (!encoded) return null;
  return Buffer.from(encoded, 'base64').toString('utf8').split(':')[0] || null;
}
