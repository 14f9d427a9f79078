import { type Context, Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { KairosError } from '../../domain/errors.ts';
import { isBalanced } from '../../domain/ledger.ts';
import type { CampaignReport } from '../../domain/report.ts';
import { type CampaignRow, campaignById, listCampaigns } from '../../store/campaigns.ts';
import { unknownMessages } from '../../store/ledger.ts';
import { type Db, isTransient } from '../../store/postgres.ts';
import { audienceAndSent, ledgerSummary } from '../../store/report.ts';
import { securityHeaders } from '../headers.ts';
import { codeOf } from '../public/app.ts';
import { REPORT_PAGE_POLICY, reportPage } from '../report/page.ts';
import { type CampaignControl, createControl } from './control.ts';
import { bearersOnly, ownRequestsOnly, readersOnly, refuse } from './guard.ts';
import { type HealthCheck, createHealth } from './health.ts';
import { HOME_PAGE_POLICY, type Places, homePage, messagePage, runAddress } from './home.ts';
import { Sessions } from './session.ts';

/** What the admin listener needs; built in `bin/server.ts`, which calls `assertSafeBind` before it listens. */
export interface AdminDeps {
  db: Db;
  adminToken: string;
  /** Names beside loopback's under which the listener may be reached; none by default. */
  allowedHosts?: readonly string[];
  checks: Readonly<Record<string, HealthCheck>>;
  metrics: () => Promise<string>;
  control: CampaignControl;
  /** The report as of now; the stored one is shown once the campaign has closed. */
  report: (row: CampaignRow) => Promise<CampaignReport>;
  places: Places;
  log(event: string, detail?: Record<string, unknown>): void;
}

/** Operators and their tools: reports, campaigns, health, metrics. */
export function createAdminApp(deps: AdminDeps): Hono {
  const app = new Hono();
  const sessions = new Sessions(deps.adminToken);
  const readers = readersOnly(deps.adminToken, sessions);
  app.use(securityHeaders());
  app.use(ownRequestsOnly(deps.allowedHosts ?? []));
  app.onError((error, context) => failed(deps, context, error));
  app.notFound((context) => refuse(context, 404, 'NOT_FOUND', 'There is nothing at this address.'));
  app.route('/health', createHealth(deps.checks));

  for (const path of ['/', '/reports/:file']) {
    app.get(path, async (context, next) => {
      const token = context.req.query('token');
      return token === undefined ? next() : logIn(context, sessions, token);
    });
  }
  app.get('/', readers, async (context) => {
    const [rows, counts] = await Promise.all([listCampaigns(deps.db), audienceAndSent(deps.db)]);
    const campaigns = rows.map((row) => ({
      row,
      ...(counts.get(row.no) ?? { audience: 0, sent: 0 }),
    }));
    return page(context, homePage(campaigns, deps.places), HOME_PAGE_POLICY);
  });
  app.get('/metrics', readers, async (context) =>
    context.body(await deps.metrics(), 200, { 'Content-Type': 'text/plain; version=0.0.4' }),
  );
  addReports(app, deps, readers);
  addApi(app, deps, readers);
  return app;
}

/**
 * The cookie is `Strict`, so the way on is a page of ours and no redirect: browsers would not send it along. A used link
 * still leads on where its session is open.
 */
function logIn(context: Context, sessions: Sessions, token: string): Response | Promise<Response> {
  const session = sessions.open(token);
  if (!session && !sessions.isOpen(getCookie(context, sessions.cookie))) {
    return page(context, messagePage('This link no longer works', STALE), HOME_PAGE_POLICY, 401);
  }
  if (session) {
    setCookie(context, sessions.cookie, session.value, {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      maxAge: session.maxAgeSeconds,
    });
  }
  // The path only: nothing of a query may choose where it goes on.
  const next = new URL(context.req.url).pathname.replace(/^\/+/, '/');
  return page(context, messagePage('Welcome', 'One moment …', next), HOME_PAGE_POLICY);
}

const STALE =
  'It was used before, or it is too old. “npm start” prints a new one at its end, and so does “npm run kairos -- campaign report”.';

type Guard = ReturnType<typeof readersOnly>;

function addReports(app: Hono, deps: AdminDeps, readers: Guard): void {
  app.get('/reports/:file', readers, async (context) => {
    const file = context.req.param('file');
    const asJson = file.endsWith('.json');
    const row = await campaignById(deps.db, asJson ? file.slice(0, -5) : file);
    const report = stored(row) ?? (await deps.report(row));
    if (asJson) return context.json(report);
    const run = runAddress(deps.places, row.id);
    const links = [
      { label: 'All campaigns', href: '/' },
      { label: 'As JSON', href: `/reports/${row.id}.json` },
      ...(run === null ? [] : [{ label: 'Run in Temporal UI', href: run }]),
      ...(deps.places.inboxUrl === null
        ? []
        : [{ label: 'Dev inbox', href: deps.places.inboxUrl }]),
    ];
    return page(context, reportPage(report, links), REPORT_PAGE_POLICY);
  });
}

/** The report that the campaign closed with; null while there is none, or where it was made by an older version. */
function stored(row: CampaignRow): CampaignReport | null {
  const report = row.report as Partial<CampaignReport> | null;
  const isReport =
    typeof report === 'object' && report !== null && Array.isArray(report.daily) && report.waiting;
  return isReport && report.isFinal ? (report as CampaignReport) : null;
}

function addApi(app: Hono, deps: AdminDeps, readers: Guard): void {
  app.get('/api/campaigns', readers, async (context) =>
    context.json({ campaigns: (await listCampaigns(deps.db)).map(summaryOf) }),
  );
  app.get('/api/campaigns/:id', readers, async (context) => {
    const row = await campaignById(deps.db, context.req.param('id'));
    const [{ counts, skipped }, unknown] = await Promise.all([
      ledgerSummary(deps.db, row.no),
      unknownMessages(deps.db, row.no),
    ]);
    return context.json({
      ...summaryOf(row),
      definition: row.definition,
      counts,
      skippedByReason: skipped,
      isBalanced: isBalanced(counts),
      unknown,
    });
  });
  app.post('/api/*', bearersOnly(deps.adminToken));
  app.route('/api/campaigns', createControl(deps.db, deps.control));
}

function summaryOf(row: CampaignRow): Record<string, unknown> {
  const iso = (ms: number | null): string | null =>
    ms === null ? null : new Date(ms).toISOString();
  return {
    id: row.id,
    name: row.definition.name,
    mode: row.mode,
    stage: row.stage,
    waiting: row.waiting,
    paused: row.paused,
    stop: row.stop,
    hash: row.hash,
    ratePerSecond: row.ratePerSecond,
    expectedCount: row.expectedCount,
    approvedBy: row.approvedBy,
    launchedAt: iso(row.launchedAtMs),
    deadlineAt: iso(row.deadlineAtMs),
    closedAt: iso(row.closedAtMs),
  };
}

function page(
  context: Context,
  body: string,
  policy: string,
  status: 200 | 401 = 200,
): Response | Promise<Response> {
  return context.html(body, status, { 'Content-Security-Policy': policy });
}

/** One clear sentence for what was expected to fail; for the rest only that it did. */
function failed(deps: AdminDeps, context: Context, error: Error): Response {
  if (error instanceof KairosError) {
    return context.json(
      { error: { code: error.code, message: error.message } },
      error.status as 404,
    );
  }
  const mayPass = isTransient(error);
  deps.log('admin request failed', { error: codeOf(error), path: context.req.routePath });
  return refuse(
    context,
    mayPass ? 503 : 500,
    mayPass ? 'UNAVAILABLE' : 'INTERNAL',
    mayPass
      ? 'The database does not answer now; ask again in a moment.'
      : 'This failed in a way that was not foreseen; the server’s log says more.',
  );
}
