import { MS_PER_DAY } from '../domain/clock.ts';
import {
  DEFAULT_LANES,
  LANES,
  type LaneName,
  type LaneTable,
  type WaitReason,
} from '../domain/lane.ts';
import { LIMITS } from '../domain/limits.ts';
import { shopNowMs } from '../store/clock.ts';
import { applyLanes, laneWaitReason } from '../store/lanes.ts';
import {
  type LeasedMessage,
  claimMessages,
  openLanes,
  reconcileLots,
  releaseLot,
} from '../store/ledger.ts';
import type { Db } from '../store/postgres.ts';
import { LanePace } from './lane-pace.ts';
import {
  type Ticket,
  type TicketQueue,
  type TicketWorkers,
  type Wait,
  ticketAgain,
} from './queue.ts';
import { type Permit, RelayGuard } from './relay-guard.ts';
import { Slots } from './slots.ts';
import type { MailTransport } from './smtp/transport.ts';
import { type Lease, type PreparedCampaign, Windows, untilDatabase } from './window.ts';

export type { PreparedCampaign } from './window.ts';

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
  lanes: LaneTable;
}

const DEFAULTS: SenderOptions = {
  windows: 6,
  windowSize: LIMITS.handedWindow,
  retrySeconds: 60,
  reconcileMs: 2_000,
  lanes: DEFAULT_LANES,
};

/** After this time a ticket gives its lane's place to the next one and is issued again. */
const TICKET_MS = 20_000;
/** How long a sender that stops lets the relay finish; what has no content on the wire then is taken back. */
const GRACE_MS = 4_000;
/** Longest sleep between two looks at a lane that waits: the shop clock may be moved, or the sender told to stop. */
const LOOK_MS = 1_000;
/** A lane whose day is spent by its bucket is counted anew by the ledger this often: what was returned frees it. */
const RECOUNT_MS = 60_000;

/** Takes tickets, leases due messages, hands them over and settles them. Holds no state that the ledger has not. */
export class Sender {
  readonly #deps: SenderDeps;
  readonly #options: SenderOptions;
  readonly #slots: Slots;
  readonly #prepared = new Map<number, Promise<PreparedCampaign>>();
  readonly #relay: RelayGuard;
  readonly #paces: Record<LaneName, LanePace>;
  readonly #windows: Windows;
  /** Day of the shop clock, and when, for which the lanes' volumes were last counted. */
  #counted = { day: -1, atMs: 0 };
  #daySpent = false;
  #workers: TicketWorkers | undefined;
  #stopping = false;
  #timer: NodeJS.Timeout | undefined;
  sent = 0;

  constructor(deps: SenderDeps, options: Partial<SenderOptions> = {}) {
    this.#deps = deps;
    this.#options = { ...DEFAULTS, ...options };
    this.#slots = new Slots(this.#options.windows);
    const log: SenderDeps['log'] = (event, detail) => deps.log(event, detail);
    this.#relay = new RelayGuard({ verify: () => deps.transport.verify(), log });
    const pace = (lane: LaneName): [LaneName, LanePace] => [
      lane,
      new LanePace({
        most: this.#options.lanes[lane].concurrency ?? Infinity,
        log: (event, detail) => log(event, { lane, ...detail }),
      }),
    ];
    this.#paces = Object.fromEntries(LANES.map(pace)) as Record<LaneName, LanePace>;
    this.#windows = new Windows({
      db: deps.db,
      transport: deps.transport,
      log,
      relay: this.#relay,
      paces: this.#paces,
      retrySeconds: this.#options.retrySeconds,
      onSent: (count) => (this.sent += count),
    });
  }

  /** `onQueueError` hears of failures of the queue itself; the process should start anew when they go on. */
  async start(onQueueError: (error: Error) => void = () => {}): Promise<void> {
    // Before the first claim: a lane's limits may have changed while no sender ran.
    await this.#countLanes(await shopNowMs(this.#deps.db));
    this.#workers = await this.#deps.queue.work((ticket, wait) => this.#drain(ticket, wait), 2);
    this.#workers.onError(onQueueError);
    await this.reconcile();
    this.#scheduleReconcile();
  }

  /** Takes no more tickets, finishes the windows under way, releases the rest. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#windows.stop();
    clearTimeout(this.#timer);
    const timer = setTimeout(() => this.#windows.takeBack(), GRACE_MS);
    await this.#workers?.close();
    await this.#slots.idle();
    clearTimeout(timer);
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
    const now = await shopNowMs(this.#deps.db);
    await this.#countLanes(now);
    const lanes = await openLanes(this.#deps.db);
    if (lanes.length === 0) return;
    // Later ones are issued when their time has come nearer: the shop clock may be moved.
    const due = lanes.filter((lane) => lane.nextDueMs - now < this.#options.reconcileMs);
    await this.#deps.queue.issue(due.map((lane) => ticketAgain(lane, now)));
  }

  /** Limits of the lanes: when this process starts, when the shop's day turns, and while a day is spent. */
  async #countLanes(nowMs: number): Promise<void> {
    const day = Math.floor(nowMs / MS_PER_DAY);
    const again = this.#daySpent && performance.now() - this.#counted.atMs > RECOUNT_MS;
    if (day === this.#counted.day && !again) return;
    await applyLanes(this.#deps.db, this.#options.lanes);
    this.#counted = { day, atMs: performance.now() };
    this.#daySpent = false;
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

  async #drain(ticket: Ticket, wait: Wait): Promise<void> {
    const until = Date.now() + TICKET_MS;
    const campaign = await this.#campaign(ticket.campaignNo);
    while (!this.#stopping && (Date.now() < until || this.#relay.isOpen)) {
      const permit = this.#permit(ticket.lane);
      if (permit.waitMs > 0) {
        if (permit.reason) await wait(permit.reason);
        await sleep(permit.waitMs);
        continue;
      }
      let underWay = false;
      try {
        const claim = await claimMessages(this.#deps.db, {
          campaignNo: ticket.campaignNo,
          step: ticket.step,
          lane: ticket.lane,
          want: permit.most,
          sender: this.#deps.name,
        });
        if (claim.token === null) {
          const { reason, waitMs } = claim;
          if (reason === 'empty' || reason === 'stopped') return;
          await this.#await(wait, reason, waitMs);
          if (reason === 'paused') return;
          continue;
        }
        const lease = { ...ticket, token: claim.token };
        underWay = await this.#sendLot(campaign, lease, claim.messages);
        await wait(null);
      } finally {
        if (permit.trial && !underWay) this.#relay.endTrial();
      }
    }
    // The next ticket: the reconciler's, or the one of a later batch that waits behind this.
  }

  async #await(wait: Wait, reason: string, waitMs: number): Promise<void> {
    const told = reason === 'lane rate' ? laneWaitReason(waitMs) : reason;
    if (told === 'warm-up') this.#daySpent = true;
    await wait(told);
    if (reason !== 'paused') await sleep(Math.min(waitMs, LOOK_MS));
  }

  /** How many messages of a lane may be claimed now, by the relay and by what its providers answered. */
  #permit(lane: LaneName): Permit & { reason: WaitReason | null } {
    const pace = this.#paces[lane];
    const waitMs = Math.min(pace.pauseMs(), LOOK_MS);
    if (waitMs > 0) return { waitMs, most: 0, trial: false, why: null, reason: 'throttled' };
    const permit = this.#relay.permit();
    // A lease must not run out behind a lane that goes slowly.
    const most = Math.min(LIMITS.leaseBatch, permit.most, 4 * pace.limit);
    return { ...permit, most, reason: permit.why ? 'relay' : null };
  }

  /**
   * Sends one lot in windows; returns when the last window has a slot, so that the next claim overlaps with it. True where
   * a window was begun.
   */
  async #sendLot(
    campaign: PreparedCampaign,
    lease: Lease,
    messages: LeasedMessage[],
  ): Promise<boolean> {
    const pace = this.#paces[lease.lane];
    const unhanded: number[] = [];
    const windows: Promise<void>[] = [];
    for (let at = 0; at < messages.length;) {
      const mayGo = !this.#stopping && !this.#relay.isOpen;
      const want = Math.min(this.#options.windowSize, messages.length - at);
      const size = mayGo ? await pace.take(want) : 0;
      if (size === 0) {
        unhanded.push(...messages.slice(at).map((message) => message.personId));
        break;
      }
      await this.#slots.take();
      const window = messages.slice(at, at + size);
      at += size;
      const sent = this.#windows.send(campaign, lease, window).finally(() => {
        pace.give(size);
        this.#slots.give();
      });
      windows.push(sent.then((back) => void unhanded.push(...back)));
    }
    // A window that failed leaves the lease to run out; the reconciler then finds what became of its messages.
    void Promise.all(windows)
      .then(() => untilDatabase(() => releaseLot(this.#deps.db, lease.token, unhanded)))
      .catch((error: Error) => this.#deps.log('window failed', { error: error.message }));
    return windows.length > 0;
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
