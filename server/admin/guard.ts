import type { Context, MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import { KairosError } from '../../domain/errors.ts';
import { bearerOf, secretCheck } from '../secrets.ts';
import { HOME_PAGE_POLICY, messagePage } from './home.ts';
import type { Sessions } from './session.ts';

const TOKEN_CHARS_MIN = 32;

/** Whether this address reaches only this machine. */
export function isLoopbackHost(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i.test(hostname);
}

/**
 * Call before listening: an admin listener that others can reach must have a real token.
 * @throws KairosError CONFIG_INVALID
 */
export function assertSafeBind(host: string, adminToken: string): void {
  if (isLoopbackHost(host) || adminToken.length >= TOKEN_CHARS_MIN) return;
  throw new KairosError(
    'CONFIG_INVALID',
    `The admin listener must not be reachable from other machines without a token of at least ${TOKEN_CHARS_MIN} characters: bind it to 127.0.0.1, or set the token.`,
  );
}

/**
 * Loopback is not trust: any web page can send requests to it. A foreign name in `Host` is DNS rebinding; a foreign
 * `Origin`, or a browser that says the request came from elsewhere, is another site's page.
 */
export function ownRequestsOnly(allowedHosts: readonly string[]): MiddlewareHandler {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  return async (context, next) => {
    const host = context.req.header('host') ?? new URL(context.req.url).host;
    const parsed = URL.parse(`http://${host}`);
    // Only the plain spelling: `http://host/` of a URL with a user, a path or an odd port would parse as well.
    const isPlain = parsed !== null && parsed.href === `http://${parsed.host}/`;
    if (!isPlain || !(isLoopbackHost(parsed.hostname) || allowed.has(parsed.hostname))) {
      return refuse(context, 421, 'HOST_REFUSED', 'This name is not the admin listener’s.');
    }
    const origin = context.req.header('origin');
    const ownOrigins = [`http://${parsed.host}`, `https://${parsed.host}`];
    if (origin !== undefined && !ownOrigins.includes(origin.toLowerCase())) {
      return refuse(context, 403, 'ORIGIN_REFUSED', 'Requests from other sites are refused.');
    }
    const site = context.req.header('sec-fetch-site');
    const isChange = !['GET', 'HEAD'].includes(context.req.method);
    if (isChange && site !== undefined && site !== 'same-origin' && site !== 'none') {
      return refuse(context, 403, 'ORIGIN_REFUSED', 'Requests from other sites are refused.');
    }
    return next();
  };
}

/** Reading: the bearer token or a session. */
export function readersOnly(adminToken: string, sessions: Sessions): MiddlewareHandler {
  const isToken = secretCheck([adminToken]);
  return async (context, next) => {
    const bearer = bearerOf(context.req.header('authorization'));
    if (bearer !== null && isToken(bearer)) return next();
    if (sessions.isOpen(getCookie(context, sessions.cookie))) return next();
    return unauthorized(context);
  };
}

/** Changing: the bearer token only, which no page of another port can make a browser send. */
export function bearersOnly(adminToken: string): MiddlewareHandler {
  const isToken = secretCheck([adminToken]);
  return async (context, next) => {
    const bearer = bearerOf(context.req.header('authorization'));
    if (bearer !== null && isToken(bearer)) return next();
    return unauthorized(context);
  };
}

const UNAUTHORIZED =
  'Open the link that “npm start” or “npm run kairos -- campaign report” prints, or send the admin token as "Authorization: Bearer …".';

/** A page for a person who lost the session, JSON for a program. */
function unauthorized(context: Context): Response | Promise<Response> {
  context.header('WWW-Authenticate', 'Bearer realm="Kairos admin"');
  if (context.req.header('accept')?.includes('text/html')) {
    context.header('Content-Security-Policy', HOME_PAGE_POLICY);
    return context.html(messagePage('Who is there?', UNAUTHORIZED), 401);
  }
  return refuse(context, 401, 'UNAUTHORIZED', UNAUTHORIZED);
}

export function refuse(
  context: Context,
  status: 400 | 401 | 403 | 404 | 409 | 413 | 415 | 421 | 422 | 500 | 503,
  code: string,
  message: string,
): Response {
  return context.json({ error: { code, message } }, status);
}
