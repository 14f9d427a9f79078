import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ShopClock } from '../../domain/clock.ts';
import { type LinkKey, type TokenSubject, readToken } from '../../domain/link-token.ts';
import { backoffMs } from '../../domain/retry.ts';
import { type Db, isTransient } from '../../store/postgres.ts';
import type { Vault } from '../../store/sealed.ts';
import { unsubscribe } from '../../store/tracking.ts';
import { securityHeaders } from '../headers.ts';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { IntakeWriter } from '../../store/intake.ts';
import { BytesInFlight } from './body.ts';
import { answerIntake, type IntakeCounters, intakeKind } from './intake.ts';
import { PUBLIC_PAGE_POLICY, askPage, donePage, noticePage } from './pages.ts';
import type { ReactionLog } from './reaction-log.ts';
import { answerSnippet } from './snippet.ts';
import { LookupTimeout, Targets } from './targets.ts';
import {
  type WebhookCounters,
  WebhookSources,
  answerWebhook,
  webhookSourceOf,
} from './webhooks.ts';
import { type Words, wordsFor } from './words.ts';
import { WriteKeys } from './write-keys.ts';

/** What the public listener needs; built in `bin/server.ts`. */
export interface PublicDeps {
  db: Db;
  clock: ShopClock;
  /** All keys that ever signed a mail: links and unsubscribing work for years. */
  linkKeys: readonly LinkKey[];
  /** Keys that shops send events with. */
  writeKeys: readonly string[];
  /** Opens the secrets of webhook sources. */
  vault: Vault;
  reactions: ReactionLog;
  counters: PublicCounters;
  log(event: string, detail?: Record<string, unknown>): void;
}

export interface PublicCounters extends IntakeCounters, WebhookCounters {
  clicks: number;
  opens: number;
  unsubscribes: number;
  /** Requests whose token was not signed by us, or whose link is not in the table. */
  unknownLinks: number;
  failures: number;
}

export function publicCounters(): PublicCounters {
  return {
    clicks: 0,
    opens: 0,
    unsubscribes: 0,
    unknownLinks: 0,
    failures: 0,
    intakeAccepted: 0,
    intakeDuplicates: 0,
    intakeRejected: 0,
    intakeRefused: 0,
    intakeBusy: 0,
    webhooksTaken: 0,
    webhooksRefused: 0,
  };
}

/** One transparent pixel. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
/** RFC 8058's body has 26 bytes; a form of ours has fewer. */
const UNSUBSCRIBE_BODY_MAX = 4_096;
/** How long an unsubscribe waits for the database before it says that it was not done. */
const UNSUBSCRIBE_TRIES = 6;

/** Whoever got a mail, and the shop's own systems: tracking, unsubscribing, intake. No cookies, no sessions. */
export function createPublicApp(deps: PublicDeps): Hono {
  const app = new Hono();
  const targets = new Targets(deps.db);
  app.use(securityHeaders());
  app.onError((error, context) => {
    const mayPass = isTransient(error) || error instanceof LookupTimeout;
    deps.counters.failures += 1;
    deps.log('public request failed', { error: codeOf(error), mayPass });
    const words = wordsFor(context.req.header('accept-language'));
    return page(noticePage(words, 'later'), mayPass ? 503 : 500, { 'Retry-After': '5' });
  });
  app.notFound((context) => gone(wordsFor(context.req.header('accept-language'))));
  app.get('/robots.txt', (context) => context.text('User-agent: *\nDisallow: /\n'));
  app.get('/k.js', (context) => answerSnippet(context.req.header('if-none-match')));
  addTracking(app, deps, targets);
  addUnsubscribe(app, deps, targets);
  return app;
}

/** Bodies of events that are in hand at a time: about a second's work, and a tenth of the memory that it takes. */
const IN_FLIGHT_BYTES = 16 * 1024 * 1024;

export interface PublicListener {
  (request: IncomingMessage, response: ServerResponse): void;
  /** Resolves when everything that was acknowledged later than its commit is done. */
  idle(): Promise<void>;
}

/** The whole public listener: the intake on node's own server, everything else by {@link createPublicApp}. */
export function createPublicListener(
  deps: PublicDeps,
  options: { inFlightBytes?: number } = {},
): PublicListener {
  const others = getRequestListener(createPublicApp(deps).fetch);
  const writer = new IntakeWriter(deps.db);
  const intake = {
    ...deps,
    writer,
    keys: new WriteKeys(deps.db, deps.writeKeys),
    inFlight: new BytesInFlight(options.inFlightBytes ?? IN_FLIGHT_BYTES),
  };
  const webhooks = { ...intake, sources: new WebhookSources(deps) };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const kind = intakeKind(path);
    const source = webhookSourceOf(path);
    if (source !== null) void answerWebhook(webhooks, source, request, response);
    else if (kind === null) void others(request, response);
    else void answerIntake(intake, kind, request, response);
  };
  return Object.assign(listener, { idle: () => writer.idle() });
}

function addTracking(app: Hono, deps: PublicDeps, targets: Targets): void {
  const note = (
    kind: 'open' | 'click',
    subject: TokenSubject,
    link: string | null,
    request: { method: string; header(name: string): string | undefined },
  ): void =>
    deps.reactions.add({
      kind,
      ...subject,
      link,
      method: request.method,
      userAgent: request.header('user-agent')?.slice(0, 500) ?? null,
      atMs: deps.clock.nowMs(),
    });

  app.get('/c/:token/:ref', async (context) => {
    const subject = readToken(deps.linkKeys, 'link', context.req.param('token'));
    // As it stands in the address: the router would decode a product's code half.
    const ref = new URL(context.req.url).pathname.split('/')[3] ?? '';
    const target = subject ? await targets.resolve(subject, ref) : null;
    if (!subject || !target) {
      deps.counters.unknownLinks += 1;
      return gone(wordsFor(context.req.header('accept-language')));
    }
    deps.counters.clicks += 1;
    note('click', subject, ref, context.req);
    return new Response(null, { status: 302, headers: { Location: target } });
  });

  app.get('/o/:file{.+\\.gif}', (context) => {
    const subject = readToken(deps.linkKeys, 'link', context.req.param('file').slice(0, -4));
    if (!subject) {
      deps.counters.unknownLinks += 1;
      return gone(wordsFor(context.req.header('accept-language')));
    }
    deps.counters.opens += 1;
    note('open', subject, null, context.req);
    return new Response(PIXEL, {
      headers: {
        'Content-Type': 'image/gif',
        // Mail programs on the web show pictures of other sites.
        'Cross-Origin-Resource-Policy': 'cross-origin',
        'Cache-Control': 'no-store, private, max-age=0',
      },
    });
  });
}

function addUnsubscribe(app: Hono, deps: PublicDeps, targets: Targets): void {
  app.get('/u/:token', async (context) => {
    const words = wordsFor(context.req.header('accept-language'));
    const subject = readToken(deps.linkKeys, 'link', context.req.param('token'));
    if (!subject) return unknown(deps, words);
    return page(askPage(words, await senderOf(targets, subject)), 200);
  });

  const limit = bodyLimit({
    maxSize: UNSUBSCRIBE_BODY_MAX,
    onError: (context) =>
      page(noticePage(wordsFor(context.req.header('accept-language')), 'unclear'), 413),
  });
  app.post('/u/:token', limit, async (context) => {
    const words = wordsFor(context.req.header('accept-language'));
    const subject = readToken(deps.linkKeys, 'link', context.req.param('token'));
    if (!subject) return unknown(deps, words);
    const body = await context.req.text();
    if (!saysUnsubscribe(context.req.header('content-type') ?? '', body)) {
      return page(noticePage(words, 'unclear'), 400);
    }
    await patiently(() => unsubscribe(deps.db, subject));
    deps.counters.unsubscribes += 1;
    return page(donePage(words, await senderOf(targets, subject)), 200);
  });
}

/** RFC 8058's `List-Unsubscribe=One-Click`, as a form or as multipart, or the button of our own page. */
export function saysUnsubscribe(contentType: string, body: string): boolean {
  if (/^multipart\/form-data/i.test(contentType)) {
    return /name="?List-Unsubscribe"?\s*(?:;[^\r\n]*)?\r?\n(?:[^\r\n]+\r?\n)*\r?\n\s*One-Click\s*\r?\n/i.test(
      body,
    );
  }
  const form = new URLSearchParams(body.trim());
  for (const [name, value] of form) {
    const word = value.trim().toLowerCase();
    if (name.toLowerCase() === 'list-unsubscribe' && word === 'one-click') return true;
    if (name === 'confirm' && word === 'yes') return true;
  }
  return false;
}

/** An acknowledged unsubscribe is committed; so it is tried for some seconds, and "try again" is said after that. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || attempt >= UNSUBSCRIBE_TRIES) throw error;
      await new Promise((resolve) =>
        setTimeout(resolve, backoffMs(attempt, 100, 2_000, Math.random)),
      );
    }
  }
}

/** The name on the page is a courtesy: without it the page works too. */
async function senderOf(targets: Targets, subject: TokenSubject): Promise<string | null> {
  try {
    return (await targets.campaign(subject.campaignNo))?.senderName ?? null;
  } catch {
    return null;
  }
}

function unknown(deps: PublicDeps, words: Words): Response {
  deps.counters.unknownLinks += 1;
  return gone(words);
}

function gone(words: Words): Response {
  return page(noticePage(words, 'gone'), 404);
}

function page(body: string, status: number, headers: Record<string, string> = {}): Response {
  return new Response(body, {
    status,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': PUBLIC_PAGE_POLICY,
      Vary: 'Accept-Language',
      ...headers,
    },
  });
}

/** A code for the log: messages of drivers may quote values. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'UNKNOWN';
  return (error as { code?: string }).code ?? error.name;
}
