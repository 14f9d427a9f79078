import { DISABLED_AFTER_DAYS, RETRY_SECONDS } from '../../domain/webhooks/outward.ts';
import type { Db } from '../../store/postgres.ts';
import type { Vault } from '../../store/sealed.ts';
import {
  type DueDelivery,
  activeEndpoints,
  endpointTarget,
  fillOutbox,
  leaseDeliveries,
  nextDueSeconds,
  settleDelivered,
  settleFailed,
} from '../../store/webhook-endpoints.ts';
import { guardedPost } from './guarded-post.ts';
import { webhookSignature } from './signing.ts';

export interface WebhookSenderOptions {
  /** Hosts inside the network, and without TLS. */
  allowPrivate?: boolean;
  timeoutMs?: number;
  /** Attempts at a time to one endpoint. */
  concurrency?: number;
  retrySeconds?: readonly number[];
  disableAfterSeconds?: number;
  /** How long it sleeps at most; it is woken when something happens. */
  sleepMs?: number;
}

/** Between two looks at the log, however often it is woken: many events are then one look. */
const BREATH_MS = 250;
const LEASE_SPARE_SECONDS = 30;
/** The answers by which a receiver asks for less. */
const TOO_MUCH: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const PAUSE_SECONDS = 30;

/**
 * Tells endpoints of message events, at least once, each under the same `webhook-id` at every attempt. Any number of
 * processes may run it. It sleeps until {@link WebhookSender.wake} or until something is due again.
 */
export class WebhookSender {
  readonly #db: Db;
  readonly #vault: Vault;
  readonly #log: (event: string, detail: Record<string, unknown>) => void;
  readonly #options: Required<WebhookSenderOptions>;
  readonly #stop = new AbortController();
  readonly #busy = new Map<string, Promise<void>>();
  #woken = true;
  #ring: () => void = () => {};
  #done: Promise<void> = Promise.resolve();

  constructor(
    deps: {
      db: Db;
      vault: Vault;
      log: (event: string, detail: Record<string, unknown>) => void;
    },
    options: WebhookSenderOptions = {},
  ) {
    this.#db = deps.db;
    this.#vault = deps.vault;
    this.#log = deps.log;
    this.#options = {
      allowPrivate: false,
      timeoutMs: 15_000,
      concurrency: 4,
      retrySeconds: RETRY_SECONDS,
      disableAfterSeconds: DISABLED_AFTER_DAYS * 86_400,
      sleepMs: 30_000,
      ...options,
    };
  }

  start(): this {
    this.#done = this.#run();
    return this;
  }

  /** Something happened: the log has grown. */
  wake(): void {
    this.#woken = true;
    this.#ring();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#ring();
    await this.#done;
    await Promise.all(this.#busy.values());
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#woken = false;
      let waitMs = this.#options.sleepMs;
      try {
        for (const id of await activeEndpoints(this.#db)) this.#serve(id);
        const seconds = await nextDueSeconds(this.#db);
        // What is due now is in hand, or waits behind an endpoint that is slow.
        if (seconds !== null) waitMs = Math.min(waitMs, Math.max(seconds * 1_000, BREATH_MS));
      } catch (error) {
        this.#fail(error);
        waitMs = Math.min(waitMs, 5_000);
      }
      await this.#pause(BREATH_MS);
      if (!this.#woken) await this.#pause(waitMs);
    }
  }

  /** Endpoints are served apart, so that one that hangs holds up nobody else. */
  #serve(id: string): void {
    if (this.#busy.has(id)) return;
    const work = this.#work(id)
      .catch((error: unknown) => {
        this.#fail(error);
        return false;
      })
      .then((didSomething) => {
        this.#busy.delete(id);
        // While it worked there may have come more; where there was nothing to do, the next wake is soon enough.
        if (didSomething) this.wake();
      });
    this.#busy.set(id, work);
  }

  /** Returns whether there was anything to do. */
  async #work(id: string): Promise<boolean> {
    const { concurrency, timeoutMs } = this.#options;
    const leaseSeconds = timeoutMs / 1_000 + LEASE_SPARE_SECONDS;
    let didSomething = false;
    while (!this.#stop.signal.aborted) {
      const more = await fillOutbox(this.#db, id);
      const due = await leaseDeliveries(this.#db, id, { limit: concurrency, leaseSeconds });
      if (due.length === 0 && !more) break;
      didSomething = true;
      if (due.length === 0) continue;
      const { url, secret } = await endpointTarget(this.#db, this.#vault, id);
      await Promise.all(due.map((one) => this.#attempt(id, { url, secret }, one)));
    }
    return didSomething;
  }

  async #attempt(
    endpointId: string,
    target: { url: string; secret: string },
    delivery: DueDelivery,
  ): Promise<void> {
    const { allowPrivate, timeoutMs, retrySeconds, disableAfterSeconds } = this.#options;
    const answer = await postWebhook(
      target,
      { id: delivery.webhookId, body: delivery.body },
      { allowPrivate, timeoutMs, signal: this.#stop.signal },
    );
    if (answer.error === null) return settleDelivered(this.#db, endpointId, delivery.id);
    // We end: the lease does too, and it was no failure of theirs.
    if (this.#stop.signal.aborted) return;
    const wait = retrySeconds[delivery.attempts + 1];
    const isTooMuch = answer.status !== null && TOO_MUCH.has(answer.status);
    await settleFailed(this.#db, endpointId, delivery.id, {
      status: answer.status,
      error: answer.error,
      retryInSeconds:
        wait === undefined
          ? null
          : Math.max(wait * (0.9 + 0.2 * Math.random()), answer.retryAfterSeconds ?? 0),
      pauseSeconds: isTooMuch
        ? (answer.retryAfterSeconds ?? Math.min(PAUSE_SECONDS, wait ?? 0))
        : null,
      disableAfterSeconds: answer.status === 410 ? null : disableAfterSeconds,
    });
    this.#log('webhook not taken', {
      endpoint: endpointId,
      status: answer.status,
      error: answer.error,
      attempt: delivery.attempts + 1,
    });
  }

  #fail(error: unknown): void {
    const { code, name } = error as { code?: string; name?: string };
    this.#log('webhooks failed', { error: code ?? name ?? 'UNKNOWN' });
  }

  #pause(ms: number): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#ring = () => {
        // A breath is taken in any case, a sleep ends.
        if (ms <= BREATH_MS && !this.#stop.signal.aborted) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** One attempt, signed by the Standard Webhooks spec. */
export function postWebhook(
  target: { url: string; secret: string },
  message: { id: string; body: string },
  options: { allowPrivate: boolean; timeoutMs: number; signal?: AbortSignal },
) {
  const seconds = Math.floor(Date.now() / 1_000);
  const headers = {
    'User-Agent': 'Kairos-Webhooks/1',
    'webhook-id': message.id,
    'webhook-timestamp': `${seconds}`,
    'webhook-signature': webhookSignature(target.secret, { ...message, seconds }),
  };
  return guardedPost(target.url, { headers, body: message.body }, options);
}
