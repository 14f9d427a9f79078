import { createHash, createHmac, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type IntakeCall, parseIntake } from '../../domain/intake.ts';
import { EVENT } from '../../domain/records.ts';
import type { News, NewsCall, Obj } from '../../domain/webhooks/inward.ts';
import { newsOf } from '../../domain/webhooks/news.ts';
import { erasePerson } from '../../store/erasure.ts';
import type { IntakeWriter } from '../../store/intake.ts';
import { loadProducts, readAddress } from '../../store/people.ts';
import { type Db, isTransient } from '../../store/postgres.ts';
import type { Vault } from '../../store/sealed.ts';
import {
  type WebhookSource,
  buyersOf,
  secretOf,
  webhookSources,
} from '../../store/webhook-sources.ts';
import { SECURITY_HEADERS } from '../headers.ts';
import { BodyProblem, type BytesInFlight, readBytes, textOfBytes } from './body.ts';
import { isSigned } from './signatures.ts';

export interface WebhookCounters {
  /** Webhooks that were taken: written, known already, or of no use to us. */
  webhooksTaken: number;
  /** Without a right signature. */
  webhooksRefused: number;
}

export interface WebhookDeps {
  db: Db;
  vault: Vault;
  writer: IntakeWriter;
  inFlight: BytesInFlight;
  clock: { nowMs(): number };
  counters: WebhookCounters & { failures: number };
  log(event: string, detail?: Record<string, unknown>): void;
}

interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers?: Record<string, string>;
}

/** Orders of a thousand lines have half a megabyte. */
const BODY_BYTES_MAX = 2 * 1024 * 1024;
const REFRESH_MS = 5_000;

/** The source that a path names, or null where it is no path of a webhook. */
export function webhookSourceOf(path: string): string | null {
  return /^\/v1\/webhooks\/([A-Za-z0-9-]{1,40})\/?$/.exec(path)?.[1] ?? null;
}

type KnownSource = WebhookSource & { secret: string };

/** The sources in force, read again every five seconds while webhooks come, and at once for one that is not known. */
export class WebhookSources {
  readonly #deps: { db: Db; vault: Vault; log: WebhookDeps['log'] };
  #known = new Map<string, KnownSource>();
  #readAt = -Infinity;
  #reading: Promise<void> | undefined;

  constructor(deps: { db: Db; vault: Vault; log: WebhookDeps['log'] }) {
    this.#deps = deps;
  }

  async find(id: string): Promise<KnownSource | null> {
    const age = performance.now() - this.#readAt;
    if (age > REFRESH_MS || (!this.#known.has(id) && age > 250)) await this.#read();
    return this.#known.get(id) ?? null;
  }

  #read(): Promise<void> {
    const { db, vault, log } = this.#deps;
    this.#reading ??= webhookSources(db)
      .then((rows) => {
        const known = new Map<string, KnownSource>();
        for (const { sealed, ...source } of rows) {
          try {
            known.set(source.id, { ...source, secret: secretOf(vault, { ...source, sealed }) });
          } catch {
            log('webhook source not readable', { source: source.id });
          }
        }
        this.#known = known;
        this.#readAt = performance.now();
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }
}

/** `POST /v1/webhooks/<source>`: an order, a customer or a product of a shop's system. 200 means committed. */
export async function answerWebhook(
  deps: WebhookDeps & { sources: WebhookSources },
  sourceId: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const answer = await answerOf(deps, sourceId, request).catch((error: unknown) =>
    failure(deps, sourceId, error),
  );
  if (response.destroyed) return;
  const body = JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    ...SECURITY_HEADERS,
    ...answer.headers,
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
  if (!request.readableEnded) request.resume();
}

async function answerOf(
  deps: WebhookDeps & { sources: WebhookSources },
  sourceId: string,
  request: IncomingMessage,
): Promise<Answer> {
  if (request.method !== 'POST') {
    return refusal(405, 'Webhooks are sent by POST.', { Allow: 'POST' });
  }
  const source = await deps.sources.find(sourceId);
  if (source === null) {
    return refusal(
      404,
      'There is no webhook source of this name; `kairos webhook-source list` shows them.',
    );
  }
  const held = deps.inFlight.take(Number(request.headers['content-length'] ?? 0));
  if (held === null) {
    return refusal(429, 'Too much is under way; send it again in a moment.', {
      'Retry-After': '1',
    });
  }
  try {
    const bytes = await readBytes(request, BODY_BYTES_MAX, (more) => held.grow(more));
    if (isPing(source, bytes)) return { status: 200, body: { success: true } };
    const { headers } = request;
    if (!isSigned(source.kind, source.secret, { headers, body: bytes, nowMs: Date.now() })) {
      deps.counters.webhooksRefused += 1;
      deps.log('webhook refused', { source: source.id });
      return refusal(
        401,
        `The signature is missing, old or wrong; expected one by the secret of the webhook source ${source.id}.`,
      );
    }
    return await take(deps, source, headers, bytes);
  } finally {
    held.done();
  }
}

/** WooCommerce tries the address, unsigned, before it saves a webhook. */
function isPing(source: WebhookSource, bytes: Buffer): boolean {
  return (
    source.kind === 'woocommerce' &&
    bytes.length < 40 &&
    /^webhook_id=\d{1,20}$/.test(bytes.toString('latin1'))
  );
}

async function take(
  deps: WebhookDeps,
  source: KnownSource,
  headers: IncomingMessage['headers'],
  bytes: Buffer,
): Promise<Answer> {
  const body = parse(bytes);
  const topic = topicOf(source, headers, body);
  const news = newsOf(source.kind, {
    topic,
    body,
    options: source.options,
    guestId: (email) => guestId(source.secret, email),
  });
  const { calls, rejected } = await callsOf(
    deps,
    source,
    news,
    deliveryKey(source, topic, body, bytes),
  );
  const receipt = await deps.writer.write(calls);
  if (news.products.length > 0) await loadProducts(deps.db, news.products);
  for (const id of news.erase)
    await erasePerson(deps.db, id, { actor: `webhook/${source.id}` }, true);
  deps.counters.webhooksTaken += 1;
  if (rejected.length > 0) deps.log('webhook with a problem', { source: source.id, topic });
  return {
    status: 200,
    body: {
      success: true,
      ...receipt,
      ...(news.products.length > 0 ? { products: news.products.length } : {}),
      ...(rejected.length > 0 ? { rejected } : {}),
      ...(news.ignored === null ? {} : { ignored: `Not used: it ${news.ignored}.` }),
    },
  };
}

function parse(bytes: Buffer): Obj {
  let body: unknown;
  try {
    body = JSON.parse(textOfBytes(bytes));
  } catch {
    body = null;
  }
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Obj;
  throw new BodyProblem(400, 'The body is no JSON object.');
}

function topicOf(source: WebhookSource, headers: IncomingMessage['headers'], body: Obj): string {
  const topic = {
    shopify: headers['x-shopify-topic'],
    woocommerce: headers['x-wc-webhook-topic'],
    stripe: body['type'],
  }[source.kind];
  if (typeof topic === 'string' && /^[a-z_./]{1,100}$/.test(topic)) return topic;
  throw new BodyProblem(400, 'The webhook does not say its topic.');
}

/**
 * What a repeat is known by. Only what is signed counts, or whoever saw one webhook could send it again under another
 * delivery id: Stripe signs its event's id; of the others the body itself stands for it, which a repeat has in common.
 */
function deliveryKey(source: WebhookSource, topic: string, body: Obj, bytes: Buffer): string {
  if (source.kind === 'stripe' && typeof body['id'] === 'string' && body['id'].length < 100) {
    return body['id'];
  }
  return createHash('sha256').update(topic).update('\0').update(bytes).digest('hex').slice(0, 32);
}

/** The same for the same mailbox at one source, and of no use to whoever does not know its secret. */
function guestId(secret: string, email: string): string {
  const read = readAddress(email);
  const unit = 'problem' in read ? email.trim().toLowerCase() : read.unit;
  return `guest-${createHmac('sha256', secret).update(`guest:${unit}`).digest('hex').slice(0, 24)}`;
}

async function callsOf(
  deps: WebhookDeps,
  source: KnownSource,
  news: News,
  delivery: string,
): Promise<{ calls: IntakeCall[]; rejected: { pointer: string; message: string }[] }> {
  const calls: IntakeCall[] = [];
  const rejected: { pointer: string; message: string }[] = [];
  const told = await withBuyers(deps.db, news.calls);
  told.forEach(({ once, call }, index) => {
    const messageId = messageIdOf(source, once ?? `${delivery}:${index}`);
    const result = parseIntake(
      { ...withoutBadAddress(call), messageId },
      {
        kind: null,
        nowMs: deps.clock.nowMs(),
        newId: randomUUID,
      },
    );
    if ('problem' in result) rejected.push(result.problem);
    else calls.push(result.call);
  });
  return { calls, rejected };
}

/** Keyed, so that nobody with another key to the intake can take an id beforehand and keep an order out by it. */
function messageIdOf(source: KnownSource, name: string): string {
  const hmac = createHmac('sha256', source.secret).update(`message:${source.id}:${name}`);
  return `webhook:${source.id}:${hmac.digest('hex').slice(0, 32)}`;
}

/** An address that cannot be mailed to must not lose the rest of what is told of a customer. */
function withoutBadAddress(call: Record<string, unknown>): Record<string, unknown> {
  const { traits } = call as { traits?: Record<string, unknown> };
  if (typeof traits?.['email'] !== 'string' || !('problem' in readAddress(traits['email'])))
    return call;
  const { email: _, ...rest } = traits;
  return { ...call, traits: rest };
}

/** Refunds that name the order only are of whoever bought it. */
async function withBuyers(db: Db, calls: readonly NewsCall[]): Promise<readonly NewsCall[]> {
  const orderOf = ({ call }: NewsCall): string | null =>
    call['event'] === EVENT.orderRefunded && call['userId'] === undefined
      ? (call['properties'] as { orderId: string }).orderId
      : null;
  const wanted = calls.map(orderOf).filter((id) => id !== null);
  if (wanted.length === 0) return calls;
  const buyers = await buyersOf(db, wanted);
  return calls.map((one) => {
    const userId = buyers.get(orderOf(one) ?? '');
    if (userId === undefined) return one;
    const { anonymousId: _, ...call } = one.call;
    return { ...one, call: { ...call, userId } };
  });
}

function failure(deps: WebhookDeps, source: string, error: unknown): Answer {
  if (error instanceof BodyProblem) return refusal(error.status, error.message);
  deps.counters.failures += 1;
  const { code, name } = error as { code?: string; name?: string };
  deps.log('webhook failed', { source, error: code ?? name ?? 'UNKNOWN' });
  return refusal(
    isTransient(error) ? 503 : 500,
    'Nothing of this webhook was acknowledged; send it again in a moment.',
    { 'Retry-After': '5' },
  );
}

function refusal(status: number, message: string, headers: Record<string, string> = {}): Answer {
  return { status, body: { error: { code: 'WEBHOOK_INVALID', message } }, headers };
}
