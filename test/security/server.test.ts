import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readToken } from '../../domain/link-token.ts';
import { createAdminApp } from '../../server/admin/app.ts';
import { assertSafeBind, isLoopbackHost } from '../../server/admin/guard.ts';
import { loginLink } from '../../server/admin/session.ts';
import { saysUnsubscribe } from '../../server/public/app.ts';
import { Targets, webAddress } from '../../server/public/targets.ts';
import { basicUser, bearerOf, secretCheck } from '../../server/secrets.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import {
  BROWSER,
  KEY,
  LINKS,
  OLD_KEY,
  WRITE_KEY,
  campaign,
  people,
  products,
  publicListener,
  publicServer,
  sentMail,
  tokenOf,
} from '../server/shop.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';

let database: TestDatabase;
let db: Db;
let token: string;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'server security test');
  const [person] = await people(db, 1);
  await products(db);
  const { no } = await campaign(db);
  await sentMail(db, no, person!);
  token = tokenOf(no, person!);
});
afterAll(async () => {
  await db.end();
  await database.drop();
});

const ADMIN = 'an-admin-token-of-at-least-32-characters';

function admin(failure: Error | null = null) {
  const fails = async (): Promise<never> => {
    throw failure ?? new Error('not asked for here');
  };
  return createAdminApp({
    db,
    adminToken: ADMIN,
    allowedHosts: ['kairos.shop.example'],
    checks: { database: fails },
    metrics: fails,
    control: {
      pause: fails,
      resume: fails,
      setRate: fails,
      approve: fails,
      recall: fails,
      cancel: fails,
    },
    report: fails,
    places: { inboxUrl: null, temporalUrl: null },
    log: () => {},
  });
}

let seed = 20_261_124;
function random(below: number): number {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed % below;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** One to three letters replaced or put in. */
function mutated(text: string): string {
  let changed = text;
  for (let edits = 1 + random(3); edits > 0; edits -= 1) {
    const at = random(changed.length);
    const letter = ALPHABET[random(64)]!;
    changed = changed.slice(0, at) + letter + changed.slice(at + random(2));
  }
  return changed;
}

const refs = [
  '0',
  '1',
  '2',
  '9999',
  'pcup-1',
  'pevil',
  'pnowhere',
  'https:%2f%2fevil.example',
  '%2f%2fevil.example',
  '..%2f..%2f',
  '0?url=https://evil.example',
  '0%00',
  '0%0d%0aX:1',
];

describe('tracked links', () => {
  it('lead nowhere but into the table, by 100,000 changed tokens and addresses', async () => {
    const { app, counters, reactions } = publicListener(db);
    const targets = new Targets(db);
    const table = new Set([...LINKS.plain, 'https://shop.test/p/cup-1', 'https://shop.test/p/odd']);
    const isOff = (location: string | null): boolean => location !== null && !table.has(location);
    let redirects = 0;
    let known = 0;
    for (let round = 0; round < 100_000; round += 1) {
      const changed = round % 100 === 0 ? token : mutated(token);
      const ref = refs[random(refs.length)]!;
      const subject = readToken([KEY, OLD_KEY], 'link', changed);
      if (subject !== null) {
        known += 1;
        expect(changed).toBe(token);
        const location = await targets.resolve(subject, ref);
        if (isOff(location)) expect({ ref, location }).toBe('in the table');
      }
      // The whole way through the front door is slower: a part of them takes it.
      if (round % 25 !== 0) continue;
      const answer = await app.request(`/c/${changed}/${ref}`, {
        headers: { 'user-agent': BROWSER },
      });
      const location = answer.headers.get('location');
      if (location !== null) redirects += 1;
      if (isOff(location) || answer.status !== (location ? 302 : 404)) {
        expect({ changed, ref, location, status: answer.status }).toBe('in the table or a 404');
      }
    }
    // The unchanged ones: the test must be able to see a redirect.
    expect(known).toBeGreaterThanOrEqual(1_000);
    expect(redirects).toBeGreaterThan(100);
    expect(counters.clicks).toBe(redirects);
    await reactions.close();
  });

  it('lead to the web only, whatever the table says', () => {
    for (const target of [
      'javascript:alert(1)',
      'data:text/html,x',
      'file:///etc/passwd',
      'ftp://shop.test/',
      '//evil.example',
      '/relative',
      ' ',
      '',
      'https://',
    ]) {
      expect([target, webAddress(target)]).toEqual([target, null]);
    }
    fc.assert(
      fc.property(fc.string(), (tail) => {
        const target = webAddress(`https://shop.test/${tail}`);
        // eslint-disable-next-line no-control-regex
        if (target !== null) expect(target).toMatch(/^https?:\/\/[\u0021-\u007e]+$/);
      }),
    );
  });
});

describe('answers', () => {
  it('carry no header that a request made up, and show nothing of it', async () => {
    const { app } = publicListener(db);
    const evil = '"><script>alert(1)</script>';
    const paths = [
      `/c/${encodeURIComponent(evil)}/0`,
      `/c/${token}/${encodeURIComponent(`0\r\nSet-Cookie: a=b\r\n\r\n${evil}`)}`,
      `/u/${encodeURIComponent(`\r\nX-Evil: 1${evil}`)}`,
      `/o/${encodeURIComponent(evil)}.gif`,
      `/${encodeURIComponent(evil)}`,
      `/u/${token}?next=${encodeURIComponent(evil)}`,
    ];
    for (const path of paths) {
      const answer = await app.request(path, {
        headers: {
          'accept-language': `${evil},de;q=1`,
          'user-agent': evil,
          'x-forwarded-host': evil,
        },
      });
      const names = [...answer.headers.keys()];
      expect(names).not.toContain('set-cookie');
      expect(names).not.toContain('x-evil');
      expect(await answer.text()).not.toContain('<script');
    }
  });

  it.each([
    ['GET', '/', {}],
    ['GET', '/nothing', {}],
    ['GET', '/c/x/0', {}],
    ['GET', '/u/x', {}],
    ['POST', '/v1/track', {}],
    ['PUT', '/v1/track', {}],
    ['DELETE', '/u/x', {}],
    ['GET', '/robots.txt', {}],
  ])('to %s %s name their rules', async (method, path) => {
    const { app } = publicListener(db);
    const answer = await app.request(path, { method });
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(answer.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(answer.headers.get('content-security-policy')).not.toContain('unsafe');
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('tell nothing of how a failure came about', async () => {
    const failing = connectPostgres(database.url, 'fails', 1);
    const fail = (): never => {
      throw new TypeError(`cannot read person ada@mail.test at ${import.meta.url}`);
    };
    Object.assign(failing, { query: fail, connect: fail });
    const server = await publicServer(failing);
    const { app, logged } = server;
    const auth = `Basic ${Buffer.from(`${WRITE_KEY}:`).toString('base64')}`;
    const answers = await Promise.all([
      app.request(`/c/${token}/1`),
      app.request(`/u/${token}`, { method: 'POST', body: 'confirm=yes' }),
      server.request('/v1/track', {
        method: 'POST',
        headers: { authorization: auth },
        body: '{"userId":"u","event":"X"}',
      }),
      admin(new TypeError('secret at /srv/file.ts:1')).request('/metrics', {
        headers: { authorization: `Bearer ${ADMIN}` },
      }),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(500);
      expect(await answer.text()).not.toMatch(/ada@|TypeError|\.ts|at .+:\d|secret/);
    }
    expect(JSON.stringify(logged)).not.toContain('ada@');
    await server.close();
    await failing.end();
  });
});

describe('the admin listener', () => {
  it.each([
    'evil.example',
    'evil.example:8081',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'localhost@evil.example',
    'evil.example/127.0.0.1',
    '0.0.0.0',
    '169.254.169.254',
    '[::ffff:10.0.0.1]',
    '127.0.0.1#',
    '127.0.0.1\\evil.example',
    '',
  ])('refuses the name %j', async (host) => {
    const answer = await admin().request('/health/live', { headers: { host } });
    expect(answer.status).toBe(421);
  });

  it.each([
    '127.0.0.1:8081',
    'localhost:8081',
    'LOCALHOST',
    '[::1]:8081',
    '127.8.9.1',
    'kairos.shop.example',
  ])('answers to the name %j', async (host) => {
    expect((await admin().request('/health/live', { headers: { host } })).status).toBe(200);
  });

  it('refuses the pages of other sites, though they know the token or ride on a session', async () => {
    const app = admin();
    const host = '127.0.0.1:8081';
    const authorization = `Bearer ${ADMIN}`;
    for (const origin of [
      'https://evil.example',
      'http://127.0.0.1:8025',
      'http://localhost:8081',
      'null',
      'http://127.0.0.1:8081.evil.example',
    ]) {
      const headers = { host, origin, authorization };
      expect((await app.request('/api/campaigns', { headers })).status).toBe(403);
      const post = { method: 'POST', headers };
      expect((await app.request('/api/campaigns/win-back/pause', post)).status).toBe(403);
    }
    for (const site of ['cross-site', 'same-site']) {
      const headers = { host, authorization, 'sec-fetch-site': site };
      const post = { method: 'POST', headers };
      expect((await app.request('/api/campaigns/win-back/pause', post)).status).toBe(403);
    }
    const own = { host, origin: 'http://127.0.0.1:8081', authorization };
    expect((await app.request('/api/campaigns', { headers: own })).status).toBe(200);
    const cookie = (await app.request(loginLink('', ADMIN), { headers: { host } })).headers
      .get('set-cookie')!
      .split(';')[0]!;
    const ridden = { method: 'POST', headers: { host, cookie } };
    expect((await app.request('/api/campaigns/win-back/pause', ridden)).status).toBe(401);
  });

  it('is not opened to others without a token', () => {
    expect(() => assertSafeBind('0.0.0.0', '')).toThrow(/token of at least 32/);
    expect(() => assertSafeBind('192.168.0.5', 'short')).toThrow(/token/);
    expect(() => assertSafeBind('::', 'short')).toThrow(/token/);
    expect(() => assertSafeBind('0.0.0.0', ADMIN)).not.toThrow();
    expect(() => assertSafeBind('127.0.0.1', '')).not.toThrow();
    expect(isLoopbackHost('127.0.0.1.evil')).toBe(false);
  });

  it('names no route that is open but health and the way in', async () => {
    const app = admin();
    const open = app.routes.filter(({ method }) => method !== 'ALL');
    for (const { method, path } of open) {
      const address = path.replaceAll(/:\w+/g, 'win-back').replace('*', 'x');
      if (address.startsWith('/health')) continue;
      const answer = await app.request(address, { method });
      expect([method, path, answer.status]).toEqual([method, path, 401]);
    }
    expect(open.length).toBeGreaterThan(10);
  });
});

describe('secrets at the door', () => {
  it('are compared whole, whatever is sent', () => {
    const isKnown = secretCheck(['first-secret', 'second-secret', '']);
    expect([isKnown('first-secret'), isKnown('second-secret')]).toEqual([true, true]);
    expect(isKnown('')).toBe(false);
    fc.assert(
      fc.property(fc.string(), (given) => {
        expect(isKnown(given)).toBe(given === 'first-secret' || given === 'second-secret');
        expect(isKnown(`first-secret${given}`)).toBe(given === '');
      }),
    );
    expect(secretCheck([])('')).toBe(false);
  });

  it('are read from their header in one way only', () => {
    expect(bearerOf('Bearer abc')).toBe('abc');
    expect(bearerOf('bearer  abc')).toBe('abc');
    for (const wrong of [undefined, '', 'abc', 'Bearer', 'Bearer ', 'Bearer a b', 'Basic abc']) {
      expect(bearerOf(wrong)).toBeNull();
    }
    expect(basicUser(`Basic ${Buffer.from('key:').toString('base64')}`)).toBe('key');
    expect(basicUser(`Basic ${Buffer.from('key:x:y').toString('base64')}`)).toBe('key');
    for (const wrong of [undefined, '', 'Basic', 'Basic !!', 'Basic Og==', 'Bearer a2V5Og==']) {
      expect(basicUser(wrong)).toBeNull();
    }
  });
});

describe('bodies', () => {
  it('only unsubscribe where they say so, and are judged quickly', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 4_096 }), fc.boolean(), (body, isMultipart) => {
        const type = isMultipart ? 'multipart/form-data; boundary=x' : 'text/plain';
        if (saysUnsubscribe(type, body)) expect(body.toLowerCase()).toMatch(/one-click|yes/);
      }),
    );
    const began = performance.now();
    const long = 'name="List-Unsubscribe"\r\n'.repeat(170) + 'a\r\n'.repeat(20);
    for (let index = 0; index < 200; index += 1) saysUnsubscribe('multipart/form-data', long);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it('without a length are cut off at the limit, on the wire', async () => {
    const server = await publicServer(db);
    const port = Number(new URL(server.origin).port);
    const auth = Buffer.from(`${WRITE_KEY}:`).toString('base64');
    const send = async (head: string, chunk: string, times: number): Promise<string> => {
      const socket = connect(port, '127.0.0.1');
      let got = '';
      socket.on('data', (data: Buffer) => (got += data.toString('latin1')));
      socket.on('error', () => {});
      socket.write(head);
      for (let n = 0; n < times && !socket.destroyed; n += 1) socket.write(chunk);
      socket.end(times > 0 ? '0\r\n\r\n' : '');
      await once(socket, 'close');
      return got;
    };
    const kilobytes = `10000\r\n${' '.repeat(65_536)}\r\n`;
    const head = (path: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic ${auth}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    expect(await send(head('/v1/batch'), kilobytes, 20)).toMatch(/^HTTP\/1\.1 413 /);
    expect(await send(head(`/u/${token}`), kilobytes, 1)).toMatch(/^HTTP\/1\.1 413 /);
    const smuggled = `POST /u/${token} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nPOST /u/${token} HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nconfirm=yes`;
    expect(await send(smuggled, '', 0)).toMatch(/^HTTP\/1\.1 400 /);
    const { rows } = await db.query<{ n: number }>('select count(*) as n from suppression');
    expect(rows[0]!.n).toBe(0);
    await server.close();
  });
});
