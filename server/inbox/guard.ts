import type { MiddlewareHandler } from 'hono';

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/**
 * Loopback is not trust: any page in the browser can send requests here, and a name that somebody else controls can
 * point here. So the Host must be a loopback name (against DNS rebinding), an Origin must be our own, and what another
 * site's page asks for is refused unless it is a plain link to a whole page. Nothing here changes anything: only GET.
 */
export function loopbackOnly(): MiddlewareHandler {
  return async (context, next) => {
    const { method } = context.req;
    const host = context.req.header('host') ?? '';
    if (!LOOPBACK.test(host)) {
      return context.text('The inbox answers to localhost and 127.0.0.1 only.\n', 421);
    }
    const origin = context.req.header('origin');
    if (origin !== undefined && origin !== `http://${host}`) {
      return context.text('Pages of other origins may not read the inbox.\n', 403);
    }
    const site = context.req.header('sec-fetch-site') ?? 'none';
    const isPage = context.req.header('sec-fetch-dest') === 'document';
    if (site !== 'none' && site !== 'same-origin' && !isPage) {
      return context.text('Pages of other sites may only link to the inbox.\n', 403);
    }
    if (method !== 'GET' && method !== 'HEAD') {
      return context.text('The inbox only shows what it has.\n', 405, { Allow: 'GET, HEAD' });
    }
    return next();
  };
}
