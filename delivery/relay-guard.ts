import { backoffMs } from '../domain/retry.ts';

/** Why the relay cannot be used: where the handshake failed, and with which code (0: without a reply). */
export interface RelayTrouble {
  stage: string;
  code: number;
}

export interface RelayGuardDeps {
  /** Makes one connection ready and ends it again; rejects where that fails. */
  verify(): Promise<unknown>;
  log(event: string, detail?: Record<string, unknown>): void;
  nowMs?: () => number;
  random?: () => number;
}

/** Whether messages may be claimed now. */
export interface Permit {
  /** 0, or how long to wait before looking again. */
  waitMs: number;
  /** How many may be claimed; 0 while it waits. */
  most: number;
  /** The one message that tries a relay out; must be ended by `endTrial` or by an outcome. */
  trial: boolean;
  /** What is wrong with the relay; null where nothing is known to be. */
  why: RelayTrouble | null;
}

/** Waits after a failure; a relay that refuses credentials is asked rarely, since each "no" brings a lock-out nearer. */
const WAIT_MS = { first: 1_000, max: 60_000 };
const WAIT_AUTH_MS = { first: 30_000, max: 900_000 };
/** A look at the guard costs nothing, and a sender that is told to stop must not sleep on. */
const LOOK_MS = { least: 20, most: 1_000 };

/**
 * The circuit breaker before the relay. Closed: messages go. Open: nothing is claimed, so no message pays for a relay
 * that is down. When the wait is over one connection is tried; if it gets ready, one message goes as a trial, and its
 * reply closes the circuit. Knows only what this process saw: another sender finds out by itself.
 */
export class RelayGuard {
  readonly #deps: RelayGuardDeps;
  readonly #nowMs: () => number;
  #state: 'unproven' | 'closed' | 'open' | 'half-open' = 'unproven';
  #failures = 0;
  #untilMs = 0;
  #why: RelayTrouble | null = null;
  #probing = false;
  #trial = false;
  #epoch = 0;

  constructor(deps: RelayGuardDeps) {
    this.#deps = deps;
    this.#nowMs = deps.nowMs ?? (() => performance.now());
  }

  /** Changes with each trip: what was begun before it says nothing of the relay after it. */
  get epoch(): number {
    return this.#epoch;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Whether messages may be claimed now; starts the probe that is due. */
  permit(): Permit {
    if (this.#state === 'closed') {
      return { waitMs: 0, most: Infinity, trial: false, why: null };
    }
    if (this.#state === 'half-open') {
      if (this.#trial) return this.#wait(0);
      this.#trial = true;
      return { waitMs: 0, most: 1, trial: true, why: this.#why };
    }
    const left = this.#untilMs - this.#nowMs();
    if (left > 0) return this.#wait(left);
    this.#probe();
    return this.#wait(0);
  }

  /** The trial is over, or found nothing to send: another lane may have it. */
  endTrial(): void {
    this.#trial = false;
  }

  /** The relay has answered to a message, whatever it said. */
  answered(epoch: number): void {
    if (epoch !== this.#epoch || this.#state !== 'half-open') return;
    this.#close();
  }

  /** Connections got ready and then broke under their messages: the trial has failed, else it may be the messages. */
  unanswered(epoch: number): void {
    if (this.#state === 'half-open') this.failed(epoch, { stage: 'session', code: 0 });
  }

  /** The relay could not be used. */
  failed(epoch: number, why: RelayTrouble): void {
    if (epoch !== this.#epoch || this.#state === 'open') return;
    this.#trip(why);
  }

  #wait(leftMs: number): Permit {
    const waitMs = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, leftMs));
    return { waitMs, most: 0, trial: false, why: this.#why };
  }

  #probe(): void {
    if (this.#probing) return;
    this.#probing = true;
    this.#deps.verify().then(
      () => {
        this.#probing = false;
        // A first look that succeeds needs no trial: nothing has gone wrong yet.
        if (this.#failures === 0) this.#close();
        else this.#state = 'half-open';
        this.#trial = false;
      },
      (error: unknown) => {
        this.#probing = false;
        this.#trip(troubleOf(error));
      },
    );
  }

  #close(): void {
    if (this.#failures > 0) this.#deps.log('relay is back', { after: this.#failures });
    this.#state = 'closed';
    this.#failures = 0;
    this.#why = null;
    this.#trial = false;
  }

  #trip(why: RelayTrouble): void {
    const { first, max } = isCredentials(why) ? WAIT_AUTH_MS : WAIT_MS;
    const waitMs = backoffMs(this.#failures, first, max, this.#deps.random ?? Math.random);
    this.#failures += 1;
    this.#epoch += 1;
    this.#state = 'open';
    this.#untilMs = this.#nowMs() + waitMs;
    this.#why = why;
    this.#trial = false;
    this.#deps.log(isCredentials(why) ? 'relay refuses the credentials' : 'relay is down', {
      ...why,
      failures: this.#failures,
      nextTryMs: waitMs,
      ...(isCredentials(why) ? { mend: 'check the user and password in SMTP_URL' } : {}),
    });
  }
}

function isCredentials({ stage, code }: RelayTrouble): boolean {
  return stage === 'auth' && code >= 500;
}

function troubleOf(error: unknown): RelayTrouble {
  const { details } = error as { details?: Partial<RelayTrouble> };
  return { stage: details?.stage ?? 'connect', code: details?.code ?? 0 };
}
