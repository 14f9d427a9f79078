import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * How a person gets from `npm start`'s terminal to the admin pages: a link with a token that works once, exchanged for
 * a session cookie. Both are signed with a key made of the admin token, so neither needs a table, a session outlives a
 * restart of the server, and a new admin token ends them all.
 */

/** Somebody may read the terminal hours after the start. */
const LINK_MS = 12 * 3_600_000;
const SESSION_MS = 24 * 3_600_000;

type Purpose = 'link' | 'session';

function sign(adminToken: string, purpose: Purpose, body: string): string {
  return createHmac('sha256', adminToken).update(`kairos ${purpose} ${body}`).digest('base64url');
}

function mint(adminToken: string, purpose: Purpose, untilMs: number): string {
  const body = `${Math.floor(untilMs).toString(36)}.${randomBytes(12).toString('base64url')}`;
  return `${body}.${sign(adminToken, purpose, body)}`;
}

/** When it ends, or null where it is forged or over. */
function verify(
  adminToken: string,
  purpose: Purpose,
  token: string,
  nowMs: number,
): { untilMs: number; body: string } | null {
  const match = /^(([0-9a-z]{1,11})\.[A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})$/.exec(token);
  if (!match) return null;
  const [, body, until, signature] = match as unknown as [string, string, string, string];
  const expected = Buffer.from(sign(adminToken, purpose, body));
  if (!timingSafeEqual(expected, Buffer.from(signature))) return null;
  const untilMs = Number.parseInt(until, 36);
  return untilMs > nowMs ? { untilMs, body } : null;
}

/** The token of a link that opens one session within twelve hours. */
export function mintLoginToken(adminToken: string, nowMs = Date.now()): string {
  return mint(adminToken, 'link', nowMs + LINK_MS);
}

/** A page's address that logs its first reader in: for a terminal to print. `path` is such as `/reports/win-back`. */
export function loginLink(adminUrl: string, adminToken: string, path = '/'): string {
  return `${adminUrl}${path}?token=${mintLoginToken(adminToken)}`;
}

/** Sessions of one server process; it remembers which links were used. */
export class Sessions {
  readonly #adminToken: string;
  readonly #used = new Map<string, number>();
  /** Of its own for each admin token: all ports of one host share their cookies. */
  readonly cookie: string;

  constructor(adminToken: string) {
    this.#adminToken = adminToken;
    this.cookie = `kairos_${sign(adminToken, 'session', 'name').slice(0, 8)}`;
  }

  /** The value of a new session's cookie, or null where the link is forged, over or used. */
  open(token: string, nowMs = Date.now()): { value: string; maxAgeSeconds: number } | null {
    const link = verify(this.#adminToken, 'link', token, nowMs);
    if (!link || this.#used.has(link.body)) return null;
    for (const [body, untilMs] of this.#used) if (untilMs <= nowMs) this.#used.delete(body);
    this.#used.set(link.body, link.untilMs);
    const value = mint(this.#adminToken, 'session', nowMs + SESSION_MS);
    return { value, maxAgeSeconds: SESSION_MS / 1000 };
  }

  isOpen(value: string | undefined, nowMs = Date.now()): boolean {
    return value !== undefined && verify(this.#adminToken, 'session', value, nowMs) !== null;
  }
}
