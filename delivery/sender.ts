import { LIMITS } from '../domain/limits.ts';
import { backoffMs } from '../domain/retry.ts';
import {
  type LeasedMessage,
  type Settlement,
  claimMessages,
  handMessages,
  openLanes,
  reconcileLeases,
  releaseLease,
  settleMessages,
} from '../store/ledger.ts';
import { type Db, isTransient } from '../store/postgres.ts';
import { shopNowMs } from '../store/clock.ts';
import type { Ticket, TicketQueue, TicketWorkers } from './queue.ts';
import type { MailTransport } from './smtp/transport.ts';

/** A campaign made ready once: what is left per message is to fill it in. Throws for a person it cannot render. */
export interface PreparedCampaign {
  campaignNo: number;
  campaignId: string;
  /** The envelope's sender. */
  from: string;
  build(message: LeasedMessage): Buffer;
}

export interface SenderDeps {
  db: Db;
  queue: TicketQueue;
  transport: MailTransport;
  prepare(campaignNo: number): Promise<PreparedCampaign>;
  /** Names this process in leases and logs. */
  name: string;
  log(event: string, detail?: Record<string, unknown>): void;
}

export interface SenderOptions {
  /** Windows of handed messages under way at once; their size is the most a crash can leave unknown. */
  windows: number;
  windowSize: number;
  /** First wait before a deferred message is tried again; doubles each time. */
  retrySeconds: number;
  reconcileMs: number;
}

const DEFAULTS: SenderOptions = {
  windows: 3,
  windowSize: LIMITS.handedWindow,
  retrySeconds: 60,
  reconcileMs: 2_000,
};

/** After this time a ticket gives its lane's place to the next one and is issued again. */
const TICKET_MS = 20_000;

/** Takes tickets, leases due messages, hands them over and settles them. Holds no state that the ledger has not. */
export class Sender {
  readonly #deps: SenderDeps;
  readonly #options: SenderOptions;
  readonly #slots: Slots;
  readonly #prepared = new Map<number, Promise<PreparedCampaign>>();
  #workers: TicketWorkers | undefined;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;
  sent = 0;

  constructor(deps: SenderDeps, options: Partial<SenderOptions> = {}) {
    this.#deps = deps;
    this.#options = { ...DEFAULTS, ...options };
    this.#slots = new Slots(this.#options.windows);
  }

  /** `onQueueError` hears of failures of the queue itself; the process should start anew when they go on. */
  async start(onQueueError: (error: Error) => void = () => {}): Promise<void> {
    this.#workers = await this.#deps.queue.work((ticket, wait) => this.#drain(ticket, wait), 2);
    this.#workers.onError(onQueueError);
    await this.reconcile();
    this.#scheduleReconcile();
  }

  /** Takes no more tickets, finishes the windows under way, releases the rest. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    await this.#workers?.close();
    await this.#slots.idle();
  }

  #scheduleReconcile(): void {
    this.#timer = setTimeout(() => {
      void this.reconcile()
        .catch((error: Error) => this.#deps.log('reconcile failed', { error: error.message }))
        .finally(() => {
          if (!this.#stopping) this.#scheduleReconcile();
        });
    }, this.#options.reconcileMs);
  }

  /** Ends expired leases, and issues the tickets that should exist: an id that waits already is not doubled. */
  async reconcile(): Promise<void> {
    const ended = await reconcileLeases(this.#deps.db);
    if (ended.released + ended.unknown > 0) this.#deps.log('leases ended', ended);
    const lanes = await openLanes(this.#deps.db);
    if (lanes.length === 0) return;
    const now = await shopNowMs(this.#deps.db);
    // Later ones are issued when their time has come nearer: the shop clock may be moved.
    const due = lanes.filter((lane) => lane.nextDueMs - now < this.#options.reconcileMs);
    await this.#deps.queue.issue(
      due.map((lane) => ({
        ticket: { ...lane, dueMs: lane.nextDueMs },
        options: {
          id: `again.${lane.campaignNo}.${lane.step}.${lane.lane}`,
          delayMs: lane.nextDueMs - now,
        },
      })),
    );
  }

  #campaign(campaignNo: number): Promise<PreparedCampaign> {
    let prepared = this.#prepared.get(campaignNo);
    if (!prepared) {
      prepared = this.#deps.prepare(campaignNo);
      prepared.catch(() => this.#prepared.delete(campaignNo));
      this.#prepared.set(campaignNo, prepared);
    }
    return prepared;
  }

  async #drain(ticket: Ticket, wait: (reason: string) => Promise<void>): Promise<void> {
    const until = Date.now() + TICKET_MS;
    const campaign = await this.#campaign(ticket.campaignNo);
    while (!this.#stopping && Date.now() < until) {
      const claim = await claimMessages(this.#deps.db, {
        campaignNo: ticket.campaignNo,
        step: ticket.step,
        lane: ticket.lane,
        want: LIMITS.leaseBatch,
        sender: this.#deps.name,
      });
      if (claim.token === null) {
        if (claim.reason === 'empty' || claim.reason === 'stopped') return;
        await wait(claim.reason);
        if (claim.reason === 'paused') return;
        await sleep(claim.waitMs);
        continue;
      }
      await this.#sendLease(campaign, ticket, claim.token, claim.messages);
    }
    // The next ticket: the reconciler's, or the one of a later batch that waits behind this.
  }

  /** Sends one lease in windows; returns when the last window has a slot, so that the next claim overlaps with it. */
  async #sendLease(
    campaign: PreparedCampaign,
    ticket: Ticket,
    token: number,
    messages: LeasedMessage[],
  ): Promise<void> {
    const { windowSize } = this.#options;
    let open = Math.ceil(messages.length / windowSize);
    let clean = true;
    for (let at = 0; at < messages.length; at += windowSize) {
      await this.#slots.take();
      if (this.#stopping) {
        this.#slots.give();
        await this.#retry(() => releaseLease(this.#deps.db, token));
        return;
      }
      const window = messages.slice(at, at + windowSize);
      void this.#sendWindow(campaign, ticket, token, window)
        .catch((error: Error) => {
          clean = false;
          this.#deps.log('window failed', { error: error.message });
        })
        .finally(() => {
          this.#slots.give();
          open -= 1;
          if (open === 0 && clean) {
            // Nothing is leased under it any more. Otherwise it runs out, and the reconciler ends it.
            void releaseLease(this.#deps.db, token).catch(() => {});
          }
        });
    }
  }

  async #sendWindow(
    campaign: PreparedCampaign,
    ticket: Ticket,
    token: number,
    window: LeasedMessage[],
  ): Promise<void> {
    const { built, failed } = buildAll(campaign, window);
    let again = false;
    const handed = new Set(
      await this.#retry(async () => {
        const mayRepeat = again;
        again = true;
        return handMessages(
          this.#deps.db,
          ticket.campaignNo,
          ticket.step,
          token,
          [...built.keys(), ...failed.map((f) => f.personId)],
          mayRepeat,
        );
      }),
    );
    const settlements: Settlement[] = failed.filter((f) => handed.has(f.personId));
    await Promise.all(
      window.map(async (message) => {
        const data = built.get(message.personId);
        if (!data || !handed.has(message.personId)) return;
        settlements.push(await this.#deliver(campaign.from, message, data));
      }),
    );
    if (settlements.length === 0) return;
    const moved = await this.#retry(() =>
      settleMessages(
        this.#deps.db,
        {
          campaignId: ticket.campaignId,
          campaignNo: ticket.campaignNo,
          step: ticket.step,
          token,
          retrySeconds: this.#options.retrySeconds,
        },
        settlements,
      ),
    );
    this.sent += moved;
    if (moved < settlements.length) {
      this.#deps.log('settled fewer than handed', { moved, of: settlements.length, token });
    }
  }

  async #deliver(from: string, message: LeasedMessage, data: Buffer): Promise<Settlement> {
    const result = await this.#deps.transport.deliver({ from, to: message.address, data });
    const outcome = result.outcome === 'lost' ? 'unknown' : result.outcome;
    return { personId: message.personId, outcome, reply: result.reply };
  }

  /** Repeats while PostgreSQL is away: what was handed must be settled, however long that takes. */
  async #retry<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (!isTransient(error)) throw error;
        await sleep(backoffMs(attempt, 50, 1_000, Math.random));
      }
    }
  }
}

/** Renders a window; a person whose mail cannot be built is refused by us, so that the campaign still balances. */
function buildAll(
  campaign: PreparedCampaign,
  window: readonly LeasedMessage[],
): { built: Map<number, Buffer>; failed: Settlement[] } {
  const built = new Map<number, Buffer>();
  const failed: Settlement[] = [];
  for (const message of window) {
    try {
      built.set(message.personId, campaign.build(message));
    } catch (error) {
      const code = (error as { code?: string }).code ?? 'RENDER_FAILED';
      failed.push({ personId: message.personId, outcome: 'refused', reply: `not sent: ${code}` });
    }
  }
  return { built, failed };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A counting semaphore that can be waited on until nothing is under way. */
class Slots {
  #free: number;
  readonly #size: number;
  readonly #waiting: (() => void)[] = [];
  #idle: (() => void)[] = [];

  constructor(size: number) {
    this.#size = size;
    this.#free = size;
  }

  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
    if (this.#free === this.#size) {
      this.#idle.forEach((resolve) => resolve());
      this.#idle = [];
    }
  }

  async idle(): Promise<void> {
    if (this.#free === this.#size) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}
