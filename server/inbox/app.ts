import { type Context, Hono } from 'hono';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SECURITY_HEADERS } from '../headers.ts';
import { loopbackOnly } from './guard.ts';
import {
  type ListState,
  type ListView,
  PAGE_POLICY,
  emptyPane,
  missingPane,
  shell,
} from './layout.ts';
import { readMail } from './links.ts';
import type { MailHead, MailLog } from './mail-log.ts';
import { FRAME_POLICY, VIEWS, framed, mailPane } from './mail-pane.ts';
import { SCRIPT, STYLE } from './style.ts';

const PAGE_SIZE = 50;
/** One answer of the API: with parts a mail takes some 10 KB. */
const API_LIMIT_MAX = 500;
const API_PARTS_LIMIT_MAX = 200;

/** The web side of the dev inbox: pages for people, JSON for the sample shop and for tests. */
export function createInboxApp(log: MailLog, smtpPort: number): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!context.res.headers.has(name)) context.res.headers.set(name, value);
    }
  });
  app.use(loopbackOnly());
  app.get('/health', (context) => context.json({ ok: true, mails: log.count, last: log.lastSeq }));
  addApi(app, log);
  addPages(app, log, smtpPort);
  return app;
}

function addApi(app: Hono, log: MailLog): void {
  app.get('/api/mails', async (context) => {
    const hasParts = context.req.query('parts') === '1';
    const after = whole(context.req.query('after'), 0);
    const most = hasParts ? API_PARTS_LIMIT_MAX : API_LIMIT_MAX;
    const limit = whole(context.req.query('limit'), 100);
    if (after === null || limit === null) {
      return context.json({ error: 'after and limit must be whole numbers, 0 or more' }, 422);
    }
    const heads = log.after(after, Math.min(limit, most)).map(withoutPlace);
    const mails = hasParts ? await withParts(log, heads) : heads;
    return context.json({ mails, last: log.lastSeq, total: log.count });
  });
  app.get('/api/mails/:seq{[0-9]+}', async (context) => {
    const head = log.head(seqOf(context));
    const raw = head && (await log.raw(head.seq));
    if (!raw) return context.json({ error: 'no such mail' }, 404);
    return context.json({ ...withoutPlace(head), ...readMail(raw), raw: raw.toString('utf8') });
  });
}

async function withParts(log: MailLog, heads: readonly MailHead[]): Promise<object[]> {
  const mails: object[] = [];
  for (const head of heads) {
    const raw = await log.raw(head.seq);
    if (!raw) continue;
    const { html: _, ...read } = readMail(raw);
    mails.push({ ...head, ...read });
  }
  return mails;
}

/** The head alone: where it stands on the disk is nobody's business. */
function withoutPlace({
  seq,
  receivedAtMs,
  from,
  to,
  subject,
  messageId,
  bytes,
}: MailHead): MailHead {
  return { seq, receivedAtMs, from, to, subject, messageId, bytes };
}

function addPages(app: Hono, log: MailLog, smtpPort: number): void {
  const viewOf = (context: Context, openSeq: number | null): ListView =>
    listView(log, context, openSeq, smtpPort);
  app.get('/style.css', (context) =>
    context.body(STYLE, 200, { 'Content-Type': 'text/css; charset=utf-8' }),
  );
  app.get('/script.js', (context) =>
    context.body(SCRIPT, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }),
  );
  app.get('/', (context) => {
    const view = viewOf(context, null);
    return page(context, shell(view, 'Dev inbox', emptyPane(view)));
  });
  app.get('/mail/:seq{[0-9]+}', async (context) => {
    const seq = seqOf(context);
    const head = log.head(seq);
    const raw = head && (await log.raw(seq));
    const view = viewOf(context, seq);
    if (!raw) {
      return page(context, shell(view, 'Dev inbox', missingPane(seq)), 404);
    }
    const parsed = await parse(raw);
    const chosen = VIEWS.find((each) => each === context.req.query('view'));
    const shown = chosen ?? (typeof parsed.html === 'string' ? 'html' : 'text');
    const isPhone = context.req.query('width') === 'phone';
    const pane = mailPane({ head, parsed, links: readMail(raw), raw }, shown, isPhone, view.state);
    return page(context, shell(view, `${head.subject || 'Mail'} · Dev inbox`, pane));
  });
  app.get('/mail/:seq{[0-9]+}/html', async (context) => {
    const raw = await log.raw(seqOf(context));
    const parsed = raw && (await parse(raw));
    if (!parsed || typeof parsed.html !== 'string') return context.notFound();
    context.header('Content-Security-Policy', FRAME_POLICY);
    context.header('X-Frame-Options', 'SAMEORIGIN');
    return context.html(framed(parsed.html));
  });
  app.get('/mail/:seq{[0-9]+}/raw', async (context) => {
    const seq = seqOf(context);
    const raw = await log.raw(seq);
    if (!raw) return context.notFound();
    context.header('Content-Type', 'message/rfc822');
    context.header('Content-Disposition', `attachment; filename="mail-${seq}.eml"`);
    return context.body(new Uint8Array(raw));
  });
}

function seqOf(context: Context): number {
  return Number(context.req.param('seq'));
}

/** Both parts as they came; one is never made from the other. */
function parse(raw: Buffer): Promise<ParsedMail> {
  return simpleParser(raw, { skipTextToHtml: true, skipHtmlToText: true });
}

function page(context: Context, text: string, status: 200 | 404 = 200): Response {
  context.header('Content-Security-Policy', PAGE_POLICY);
  return context.html(text, status);
}

function listView(
  log: MailLog,
  context: Context,
  openSeq: number | null,
  smtpPort: number,
): ListView {
  // A mail that is opened by its address stands in the list, however old it is.
  const isOld = openSeq !== null && openSeq <= log.lastSeq - PAGE_SIZE;
  const before = whole(context.req.query('before'), isOld ? openSeq + 4 : Infinity);
  const state: ListState = {
    query: (context.req.query('q') ?? '').slice(0, 200),
    before: before ?? Infinity,
  };
  // One more than is shown tells whether there is another page.
  const found = log.find(state.query, state.before, PAGE_SIZE + 1);
  const mails = found.slice(0, PAGE_SIZE);
  return {
    state,
    mails,
    olderBefore: found.length > PAGE_SIZE ? mails.at(-1)!.seq : null,
    total: log.count,
    lastSeq: log.lastSeq,
    openSeq,
    smtpPort,
  };
}

/** A whole number of 0 or more; `fallback` where there is none, null where it is something else. */
function whole(text: string | undefined, fallback: number): number | null {
  if (text === undefined || text === '') return fallback;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}
