import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KairosError } from '../../domain/errors.ts';
import { createAdminApp } from '../../server/admin/app.ts';
import type { CampaignControl } from '../../server/admin/control.ts';
import { createMetrics } from '../../server/admin/metrics.ts';
import { loginLink, mintLoginToken } from '../../server/admin/session.ts';
import { publicCounters } from '../../server/public/app.ts';
import { setStage } from '../../store/campaigns.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { postgresSource } from '../../store/report-source.ts';
import { buildReport } from '../../store/report.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { campaign, people, sentMail } from './shop.ts';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'admin test');
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query(
    'truncate person, consent, suppression, message, audience_member, campaign, event, message_key cascade',
  );
});

const TOKEN = 'an-admin-token-of-at-least-32-characters';
const bearer = { authorization: `Bearer ${TOKEN}` };

function listener(options: { isWarehouseUp?: boolean; tickets?: number } = {}) {
  const asked: unknown[][] = [];
  const say =
    (name: string, answer?: { takenBack: number; gone: number }) =>
    async (...args: unknown[]): Promise<never> => {
      asked.push([name, ...args]);
      return answer as never;
    };
  const control: CampaignControl = {
    pause: say('pause'),
    resume: say('resume'),
    setRate: say('setRate'),
    approve: (id) => {
      throw new KairosError('STATE_CONFLICT', `${id}: It does not wait for an approval.`);
    },
    recall: say('recall', { takenBack: 7, gone: 3 }),
    cancel: say('cancel', { takenBack: 0, gone: 0 }),
  };
  const logged: unknown[] = [];
  const counters = publicCounters();
  counters.unknownLinks = 4;
  const app = createAdminApp({
    db,
    adminToken: TOKEN,
    checks: {
      database: () => db.query('select 1'),
      warehouse: async () => options.isWarehouseUp ?? true,
    },
    metrics: createMetrics({
      db,
      queueDepth: async () => ({ other: options.tickets ?? 2 }),
      publicCounters: counters,
      reactionCounters: {
        queued: 1,
        written: 2,
        dropped: 3,
        forgotten: 0,
        rejected: 0,
        failures: 0,
      },
    }),
    control,
    report: (row) =>
      buildReport(db, postgresSource(db), row, { nowMs: Date.now(), reactions: 'real' }),
    places: {
      inboxUrl: 'http://127.0.0.1:8025',
      temporalUrl: 'http://127.0.0.1:8233/namespaces/d',
    },
    log: (event, detail) => void logged.push({ event, ...detail }),
  });
  const post = async (path: string, body: unknown, headers: Record<string, string> = bearer) =>
    app.request(`/api/campaigns/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  return { app, asked, logged, post };
}

/** The session's cookie, as a browser would send it. */
function cookieOf(answer: Response): string {
  return answer.headers.get('set-cookie')!.split(';')[0]!;
}

describe('the way in', () => {
  it('is a link that works once, and a cookie that only this site’s pages send', async () => {
    const { app } = listener();
    const url = loginLink('', TOKEN, '/reports/win-back');
    const answer = await app.request(url);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('set-cookie')).toMatch(
      /^kairos_[\w-]{8}=[^;]+; Max-Age=86400; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    expect(await answer.text()).toContain('content="0;url=/reports/win-back"');
    const cookie = cookieOf(answer);
    expect((await app.request('/', { headers: { cookie } })).status).toBe(200);
    expect((await app.request(url)).status).toBe(401);
    // Clicked again in the same browser it still leads on.
    const again = await app.request(url, { headers: { cookie } });
    expect([again.status, again.headers.get('set-cookie')]).toEqual([200, null]);
  });

  it('is closed to forged, old and other tokens', async () => {
    const { app } = listener();
    const good = mintLoginToken(TOKEN);
    const now = Date.now();
    for (const token of [
      '',
      'x',
      `${good.slice(0, -1)}${good.endsWith('A') ? 'B' : 'A'}`,
      good.replace(/^[^.]+/, (until) => `${until}0`),
      mintLoginToken('another-token-of-at-least-32-characters'),
      mintLoginToken(TOKEN, now - 13 * 3_600_000),
      TOKEN,
    ]) {
      const answer = await app.request(`/?token=${encodeURIComponent(token)}`);
      expect([token, answer.status]).toEqual([token, 401]);
      expect(answer.headers.get('set-cookie')).toBeNull();
    }
    // A link is no session, and a session opens no other.
    const [name, value] = cookieOf(await app.request(`/?token=${good}`)).split('=');
    expect((await app.request(`/?token=${value}`)).status).toBe(401);
    const cookie = `${name}=${mintLoginToken(TOKEN)}`;
    expect((await app.request('/', { headers: { cookie } })).status).toBe(401);
  });

  it.each([
    '/',
    '/metrics',
    '/api/campaigns',
    '/api/campaigns/win-back',
    '/reports/win-back',
    '/reports/win-back.json',
  ])('is asked for at %s', async (path) => {
    await campaign(db);
    const { app } = listener();
    expect((await app.request(path)).status).toBe(401);
    const page = await app.request(path, { headers: { accept: 'text/html,*/*' } });
    expect([page.status, page.headers.get('content-type')]).toEqual([
      401,
      'text/html; charset=UTF-8',
    ]);
    const wrong = { authorization: `Bearer ${TOKEN}x` };
    expect((await app.request(path, { headers: wrong })).status).toBe(401);
    expect((await app.request(path, { headers: bearer })).status).toBe(200);
  });
});

describe('campaigns by the API', () => {
  it('are listed with their ledger', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    await sentMail(db, no, person!);
    await db.query(
      'insert into audience_member (campaign_no, seq, person_id, eligible) values ($1, 1, $2, true)',
      [no, person],
    );
    const { app } = listener();
    const list = await (await app.request('/api/campaigns', { headers: bearer })).json();
    expect(list).toMatchObject({ campaigns: [{ id: 'win-back', stage: 'draft', paused: false }] });
    const one = await (await app.request('/api/campaigns/win-back', { headers: bearer })).json();
    expect(one).toMatchObject({
      id: 'win-back',
      counts: { audience: 1, sent: 1, planned: 0 },
      isBalanced: true,
      unknown: [],
    });
    const home = await (await app.request('/', { headers: bearer })).text();
    expect(home).toContain('href="/reports/win-back"');
    expect(home).toContain('namespaces/d/workflows/campaign%2Fwin-back');
  });

  it('are paused, resumed, slowed and recalled, with who asked for it', async () => {
    await campaign(db);
    const { asked, post } = listener();
    expect((await post('win-back/pause', { by: 'ada' })).status).toBe(200);
    expect((await post('win-back/resume', '')).status).toBe(200);
    expect((await post('win-back/rate', { by: 'ada', ratePerSecond: 2.5 })).status).toBe(200);
    expect((await post('win-back/rate', { ratePerSecond: null })).status).toBe(200);
    const recall = await post('win-back/recall', { by: 'ada' });
    expect(await recall.json()).toEqual({ done: true, takenBack: 7, gone: 3 });
    expect(asked).toEqual([
      ['pause', 'win-back', 'ada'],
      ['resume', 'win-back', 'api'],
      ['setRate', 'win-back', 'ada', 2.5],
      ['setRate', 'win-back', 'api', null],
      ['recall', 'win-back', 'ada'],
    ]);
  });

  it('are left alone by requests that make no sense', async () => {
    await campaign(db);
    const { asked, post, app } = listener();
    expect((await post('unknown/pause', {})).status).toBe(404);
    expect((await post('win-back/explode', {})).status).toBe(404);
    expect((await post('win-back/rate', {})).status).toBe(422);
    expect((await post('win-back/rate', { ratePerSecond: -1 })).status).toBe(422);
    expect((await post('win-back/rate', '{"ratePerSecond":1e999}')).status).toBe(422);
    expect((await post('win-back/pause', { by: 'a\nb' })).status).toBe(422);
    expect((await post('win-back/pause', '[1]')).status).toBe(422);
    expect((await post('win-back/pause', '{')).status).toBe(422);
    expect((await post('win-back/pause', { by: 'x'.repeat(5_000) })).status).toBe(413);
    expect((await post('win-back/approve', {})).status).toBe(422);
    const conflict = await post('win-back/approve', { hash: 'abc' });
    expect([conflict.status, await conflict.json()]).toEqual([
      409,
      { error: { code: 'STATE_CONFLICT', message: 'win-back: It does not wait for an approval.' } },
    ]);
    expect((await app.request('/api/campaigns/win-back/pause')).status).toBe(404);
    expect(asked).toEqual([]);
  });

  it('are changed by the bearer only: a session may look', async () => {
    await campaign(db);
    const { app, asked, post } = listener();
    const cookie = cookieOf(await app.request(loginLink('', TOKEN)));
    expect((await app.request('/api/campaigns', { headers: { cookie } })).status).toBe(200);
    expect((await post('win-back/pause', {}, { cookie })).status).toBe(401);
    expect((await post('win-back/pause', {}, {})).status).toBe(401);
    expect(asked).toEqual([]);
  });
});

describe('health and metrics', () => {
  it('say what works, to anyone on this machine, and no more', async () => {
    expect((await listener().app.request('/health/live')).status).toBe(200);
    const up = await listener().app.request('/health');
    expect([up.status, await up.json()]).toMatchObject([
      200,
      { ready: true, checks: { database: { ok: true }, warehouse: { ok: true } } },
    ]);
    const down = await listener({ isWarehouseUp: false }).app.request('/health/ready');
    expect([down.status, await down.json()]).toMatchObject([
      503,
      { ready: false, checks: { warehouse: { ok: false } } },
    ]);
  });

  it('count messages by state, tickets, the projector’s lag and what happened at the door', async () => {
    const [a, b] = await people(db, 2);
    const { no } = await campaign(db);
    await sentMail(db, no, a!);
    await sentMail(db, no, b!, { state: 14 });
    const answer = await listener().app.request('/metrics', { headers: bearer });
    const text = await answer.text();
    expect(answer.headers.get('content-type')).toContain('version=0.0.4');
    expect(text).toContain('kairos_messages{campaign="win-back",state="sent"} 1\n');
    expect(text).toContain('kairos_messages{campaign="win-back",state="unknown"} 1\n');
    expect(text).toContain('kairos_queue_tickets{lane="other"} 2\n');
    expect(text).toContain('kairos_projector_rows_behind 2\n');
    expect(text).toContain('kairos_reactions_total{outcome="dropped"} 3\n');
    expect(text).toContain('kairos_public_requests_total{kind="unknown_links"} 4\n');
    expect(text).toMatch(/^(# (HELP|TYPE) .+\n|[a-z_]+(\{[^{}]*\})? [0-9.e+]+\n)+$/);
  });
});

describe('the report page', () => {
  it('is one file without scripts, under a policy that allows its own style sheet only', async () => {
    const { no } = await campaign(db, { name: 'Win <script>alert(1)</script> back' });
    await setStage(db, no, 'sending');
    const { app } = listener();
    const answer = await app.request('/reports/win-back', { headers: bearer });
    const text = await answer.text();
    expect(answer.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
    );
    expect(text).not.toMatch(
      /<script|<img|<link|<iframe| style="| on\w+="|javascript:|@import|url\(/i,
    );
    expect(text).toContain('Win &lt;script&gt;alert(1)&lt;/script&gt; back');
    expect(text).toContain('not launched yet');
  });

  it('says that there is no such campaign', async () => {
    const answer = await listener().app.request('/reports/nothing', { headers: bearer });
    expect(answer.status).toBe(404);
  });
});
