import { KairosError } from '../../domain/errors.ts';
import { backoffMs } from '../../domain/retry.ts';
import type { PoolSession, SessionOwner, Transaction } from './pool-session.ts';
import {
  type DeliveryResult,
  type DeliveryStage,
  type MailTransport,
  type OutboundMail,
  type RelayFacts,
  type ResolvedSmtpOptions,
  type SmtpOptions,
  checkEnvelope,
  resolveSmtpOptions,
  silentResult,
} from './transport.ts';
import { toWireForm } from './wire.ts';

/** Connections that may fail under a message before its content was written; then it is deferred. */
const FAILURES_MAX = 2;
/** Failed attempts to connect, in a row, after which waiting messages are deferred instead of waiting on. */
const CONNECTS_MAX = 3;
const BACKOFF_MS = { first: 100, max: 30_000 };
const NOTHING = Buffer.alloc(0);

interface Waiting extends Transaction {
  readonly reject: (error: unknown) => void;
}

export type OpenSession = (options: ResolvedSmtpOptions, owner: SessionOwner) => PoolSession;

/**
 * Spreads messages over a few sessions: opens them when messages wait, replaces those that break, backs off from a
 * relay that is down, and settles each message once. How a session speaks SMTP is not its concern.
 * Its memory is bounded by `pendingMax`, and by two bodies a session where `data` is a function.
 */
export class SmtpPool implements MailTransport {
  readonly name: string;
  readonly #options: ResolvedSmtpOptions;
  readonly #open: OpenSession;
  readonly #sessions = new Set<PoolSession>();
  readonly #owner: SessionOwner;
  #queue: Waiting[] = [];
  #pending = 0;
  readonly #connecting = new Set<PoolSession>();
  #connectFailures = 0;
  #backoff: NodeJS.Timeout | undefined;
  #closed: Promise<void> | null = null;
  #forced = false;
  #onSettled: (() => void) | null = null;
  /** Signals that are listened to: many messages share one. */
  readonly #signals = new WeakSet<AbortSignal>();

  constructor(name: string, options: SmtpOptions, open: OpenSession) {
    this.name = name;
    this.#options = resolveSmtpOptions(options);
    this.#open = open;
    this.#owner = {
      next: () => this.#next(),
      again: (transaction, why) => this.#again(transaction as Waiting, why),
      ready: (session) => {
        this.#connecting.delete(session);
      },
      free: (session) => {
        if (session.delivered > 0) this.#connectFailures = 0;
        session.work();
      },
      ended: (session, failure) => this.#onEnded(session, failure),
    };
  }

  deliver(mail: OutboundMail): Promise<DeliveryResult> {
    return new Promise((resolve, reject) => {
      checkEnvelope(mail);
      this.#checkRoom();
      this.#pending += 1;
      this.#listen(mail.signal);
      this.#queue.push({
        mail,
        data: NOTHING,
        failures: 0,
        settle: (result) => {
          this.#settled();
          resolve(result);
        },
        reject: (error) => {
          this.#settled();
          reject(error);
        },
      });
      this.#fill();
    });
  }

  verify(): Promise<RelayFacts> {
    return verifyRelay(this.#options, this.#open);
  }

  pendingCount(): number {
    return this.#pending;
  }

  /** Whether another message would be begun at once, rather than wait. */
  isIdle(): boolean {
    return this.#closed === null && this.#queue.length < this.#options.sessions;
  }

  close(options: { force?: boolean } = {}): Promise<void> {
    this.#closed ??= this.#drain();
    if (options.force === true) {
      this.#forced = true;
      this.#flush(closed());
      for (const session of this.#sessions) session.destroy('the transport was closed');
    }
    return this.#closed;
  }

  // --- The queue -----------------------------------------------------------------------------------------------------

  #checkRoom(): void {
    if (this.#closed !== null) {
      throw new KairosError('STATE_CONFLICT', 'The mail transport is closed: make a new one.');
    }
    if (this.#pending >= this.#options.pendingMax) {
      throw new KairosError(
        'TRANSPORT_FULL',
        `${this.#pending} messages wait for the relay already: hand over fewer at once.`,
      );
    }
  }

  #next(): Waiting | undefined {
    for (;;) {
      const waiting = this.#queue.shift();
      if (waiting === undefined) return undefined;
      if (waiting.mail.signal?.aborted === true) {
        waiting.settle(aborted());
        continue;
      }
      try {
        const { data } = waiting.mail;
        waiting.data = toWireForm(typeof data === 'function' ? data() : data);
        return waiting;
      } catch (error) {
        waiting.reject(error);
      }
    }
  }

  #again(waiting: Waiting, why: DeliveryResult): void {
    waiting.failures += 1;
    if (waiting.mail.signal?.aborted === true) waiting.settle(aborted());
    else if (this.#forced) waiting.settle(closed());
    else if (waiting.failures > FAILURES_MAX) waiting.settle({ ...why, outcome: 'deferred' });
    else this.#queue.unshift(waiting);
  }

  #settled(): void {
    this.#pending -= 1;
    if (this.#pending === 0) this.#onSettled?.();
  }

  #listen(signal: AbortSignal | undefined): void {
    if (signal === undefined || this.#signals.has(signal)) return;
    this.#signals.add(signal);
    const sweep = (): void => {
      for (const waiting of this.#queue.splice(0)) {
        if (waiting.mail.signal?.aborted === true) waiting.settle(aborted());
        else this.#queue.push(waiting);
      }
    };
    if (signal.aborted) setImmediate(sweep);
    else signal.addEventListener('abort', sweep, { once: true });
  }

  #flush(result: DeliveryResult): void {
    for (const waiting of this.#queue.splice(0)) waiting.settle(result);
  }

  async #drain(): Promise<void> {
    if (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
    clearTimeout(this.#backoff);
    this.#backoff = undefined;
    for (const session of this.#sessions) session.quit();
  }

  // --- Sessions ------------------------------------------------------------------------------------------------------

  /** Opens as many sessions as there are messages that no session has time for. */
  #fill(): void {
    for (const session of this.#sessions) {
      if (this.#queue.length === 0) return;
      if (session.isFree) session.work();
    }
    while (
      this.#backoff === undefined &&
      this.#sessions.size < this.#options.sessions &&
      // A relay in trouble is asked by one connection at a time: wrong credentials in many lock an account.
      this.#connecting.size < (this.#connectFailures > 0 ? 1 : this.#queue.length)
    ) {
      const session = this.#open(this.#options, this.#owner);
      this.#sessions.add(session);
      this.#connecting.add(session);
    }
  }

  #onEnded(session: PoolSession, failure: DeliveryResult | null): void {
    this.#sessions.delete(session);
    this.#connecting.delete(session);
    if (failure === null) this.#connectFailures = 0;
    else this.#onUselessConnection(failure);
    if (this.#pending > 0) this.#fill();
  }

  /** A relay that ends each session before its first reply is as good as down: wait, then defer what waits. */
  #onUselessConnection(failure: DeliveryResult): void {
    this.#connectFailures += 1;
    const working = this.#sessions.size - this.#connecting.size;
    if (this.#connectFailures >= CONNECTS_MAX && working === 0)
      this.#flush({ ...failure, untried: true });
    if (this.#closed !== null && this.#pending === 0) return;
    this.#backoff ??= setTimeout(
      () => {
        this.#backoff = undefined;
        this.#fill();
      },
      backoffMs(this.#connectFailures - 1, BACKOFF_MS.first, BACKOFF_MS.max, Math.random),
    );
  }
}

const closed = (): DeliveryResult => untried('the transport was closed');
const aborted = (): DeliveryResult => untried('aborted before it began');

function untried(words: string): DeliveryResult {
  return { ...silentResult('deferred', 'queue', words), untried: true };
}

/** Makes one session ready and ends it again. */
function verifyRelay(options: ResolvedSmtpOptions, open: OpenSession): Promise<RelayFacts> {
  return new Promise((resolve, reject) => {
    open(options, {
      next: () => undefined,
      again: () => {},
      ready: (_, facts) => resolve(facts),
      free: (session) => session.quit(),
      ended: (_, failure) => {
        if (failure === null) return;
        reject(relayDown(failure));
      },
    });
  });
}

/** Says what an operator can do, by where the handshake failed. */
function relayDown({ stage, code }: DeliveryResult): KairosError {
  const said = code > 0 ? `with code ${code}` : 'without a reply';
  const credentials = stage === 'auth' && code >= 500;
  const sentence = credentials
    ? `The SMTP relay refused the credentials (code ${code}): check the user and password in SMTP_URL.`
    : `The SMTP relay could not be used, it failed at ${stage} ${said}: ${ADVICE[stage] ?? 'check its host, port, security and credentials'}.`;
  return new KairosError('RELAY_DOWN', sentence, { stage, code });
}

const ADVICE: Partial<Record<DeliveryStage, string>> = {
  connect: 'check that it runs, and the host and port in SMTP_URL',
  greeting: 'it accepts connections but takes no mail now; look at its own log',
  tls: 'check the security in SMTP_URL, and the relay’s certificate',
  auth: 'check the user and password in SMTP_URL, and which AUTH ways the relay offers',
};
