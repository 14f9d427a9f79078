import { LIMITS } from '../domain/limits.ts';
import { backoffMs } from '../domain/retry.ts';
import {
  type LeasedMessage,
  type Settlement,
  claimMessages,
  handMessages,
  openLanes,
  reconcileLots,
  releaseLot,
  settleMessages,
} from '../store/ledger.ts';
import { type Db, isTransient } from '../store/postgres.ts';
import { shopNowMs } from '../store/clock.ts';
import { type Ticket, type TicketQueue, type TicketWorkers, ticketAgain } from './queue.ts';
import type { DeliveryResult, MailTransport } from './smtp/transport.ts';

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

/** A ticket with the fencing token of the lot that was leased for it. */
type Lease = Ticket & { token: number };

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
    const ended = await reconcileLots(this.#deps.db);
    if (ended.released + ended.unknown > 0) this.#deps.log('leases ended', ended);
    const lanes = await openLanes(this.#deps.db);
    if (lanes.length === 0) return;
    const now = await shopNowMs(this.#deps.db);
    // Later ones are issued when their time has come nearer: the shop clock may be moved.
    const due = lanes.filter((lane) => lane.nextDueMs - now < this.#options.reconcileMs);
    await this.#deps.queue.issue(due.map((lane) => ticketAgain(lane, now)));
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
      await this.#sendLot(campaign, { ...ticket, token: claim.token }, claim.messages);
    }
    // The next ticket: the reconciler's, or the one of a later batch that waits behind this.
  }

  /** Sends one lot in windows; returns when the last window has a slot, so that the next claim overlaps with it. */
  async #sendLot(
    campaign: PreparedCampaign,
    lease: Lease,
    messages: LeasedMessage[],
  ): Promise<void> {
    const { windowSize } = this.#options;
    const unhanded: number[] = [];
    const windows: Promise<void>[] = [];
    for (let at = 0; at < messages.length; at += windowSize) {
      const window = messages.slice(at, at + windowSize);
      await this.#slots.take();
      windows.push(
        this.#sendWindow(campaign, lease, window, unhanded).finally(() => this.#slots.give()),
      );
    }
    // A window that failed leaves the lease to run out; the reconciler then finds what became of its messages.
    void Promise.all(windows)
      .then(() => this.#retry(() => releaseLot(this.#deps.db, lease.token, unhanded)))
      .catch((error: Error) => this.#deps.log('window failed', { error: error.message }));
  }

  /** Hands, delivers and settles one window; who may not go now is put into `unhanded`. */
  async #sendWindow(
    campaign: PreparedCampaign,
    lease: Lease,
    window: LeasedMessage[],
    unhanded: number[],
  ): Promise<void> {
    const ids = window.map((message) => message.personId);
    if (this.#stopping) {
      unhanded.push(...ids);
      return;
    }
    const { built, failed } = buildAll(campaign, window);
    let asked = false;
    const { verdict, personIds } = await this.#retry(() => {
      const again = asked;
      asked = true;
      return handMessages(this.#deps.db, lease, ids, again);
    });
    if (verdict === 'paused') unhanded.push(...ids);
    if (verdict !== 'go') return;
    const handed = new Set(personIds);
    const settlements: Settlement[] = failed.filter((f) => handed.has(f.personId));
    await Promise.all(
      window.map(async (message) => {
        const data = built.get(message.personId);
        if (!data || !handed.has(message.personId)) return;
        settlements.push(await this.#deliver(campaign.from, message, data));
      }),
    );
    if (settlements.length === 0) return;
    const { retrySeconds } = this.#options;
    const moved = await this.#retry(() =>
      settleMessages(this.#deps.db, { ...lease, retrySeconds }, settlements),
    );
    this.sent += settlements.filter((s) => s.outcome === 'sent').length;
    if (moved < settlements.length) {
      this.#deps.log('settled fewer than handed', { moved, of: settlements.length });
    }
  }

  async #deliver(from: string, message: LeasedMessage, data: Buffer): Promise<Settlement> {
    const { personId } = message;
    try {
      const result = await this.#deps.transport.deliver({ from, to: message.address, data });
      return { personId, outcome: outcomeOf(result), reply: result.reply };
    } catch (error) {
      // The transport rejects only what it has not written a byte of.
      const code = (error as { code?: string }).code ?? 'TRANSPORT_FAILED';
      const outcome = code === 'ADDRESS_INVALID' ? 'refused' : 'deferred';
      return { personId, outcome, reply: `not sent: ${code}` };
    }
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

/** A "no" to the connection or to the sender says nothing of the recipient, who must not pay for it with a bounce. */
function outcomeOf(result: DeliveryResult): Settlement['outcome'] {
  if (result.outcome === 'lost') return 'unknown';
  const aboutRecipient = ['rcpt', 'data', 'content'].includes(result.stage);
  return result.outcome === 'refused' && !aboutRecipient ? 'deferred' : result.outcome;
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
