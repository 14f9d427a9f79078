import type { LaneName } from '../domain/lane.ts';
import { backoffMs } from '../domain/retry.ts';
import { returnMessages } from '../store/lanes.ts';
import {
  type LeasedMessage,
  type Settlement,
  handMessages,
  settleMessages,
} from '../store/ledger.ts';
import { type Db, isTransient } from '../store/postgres.ts';
import type { LanePace } from './lane-pace.ts';
import type { Ticket } from './queue.ts';
import type { RelayGuard } from './relay-guard.ts';
import type { MailTransport } from './smtp/transport.ts';
import { type Judged, byKind, verdictOf, verdictOfError } from './verdict.ts';

/** A campaign made ready once: what is left per message is to fill it in. Throws for a person it cannot render. */
export interface PreparedCampaign {
  campaignNo: number;
  campaignId: string;
  /** The envelope's sender. */
  from: string;
  build(message: LeasedMessage): Buffer;
}

/** A ticket with the fencing token of the lot that was leased for it. */
export type Lease = Ticket & { token: number };

export interface WindowDeps {
  db: Db;
  transport: MailTransport;
  relay: RelayGuard;
  paces: Readonly<Record<LaneName, LanePace>>;
  /** First wait before a deferred message is tried again. */
  retrySeconds: number;
  log(event: string, detail?: Record<string, unknown>): void;
  onSent(count: number): void;
}

/**
 * Hands, delivers and settles messages, a window at a time: the most that a crash can leave unknown. What the relay or a
 * whole lane refuses goes back to the ledger, and nobody's attempts are spent by it.
 */
export class Windows {
  readonly #deps: WindowDeps;
  readonly #takeBack = new AbortController();
  #stopped = false;

  constructor(deps: WindowDeps) {
    this.#deps = deps;
  }

  /** Hands nothing more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes back what has no content on the wire yet. */
  takeBack(): void {
    this.#takeBack.abort();
  }

  /** Returns the people who were not handed, and may not go now. */
  async send(
    campaign: PreparedCampaign,
    lease: Lease,
    window: readonly LeasedMessage[],
  ): Promise<number[]> {
    try {
      return await this.#send(campaign, lease, window);
    } finally {
      this.#deps.relay.endTrial();
    }
  }

  async #send(
    campaign: PreparedCampaign,
    lease: Lease,
    window: readonly LeasedMessage[],
  ): Promise<number[]> {
    const ids = window.map((message) => message.personId);
    if (this.#stopped || this.#deps.relay.isOpen) return ids;
    const { epoch } = this.#deps.relay;
    const { built, failed } = buildAll(campaign, window);
    let asked = false;
    const { verdict, personIds } = await untilDatabase(() => {
      const again = asked;
      asked = true;
      return handMessages(this.#deps.db, lease, ids, again);
    });
    if (verdict !== 'go') return verdict === 'paused' ? ids : [];
    const handed = new Set(personIds);
    const results: Judged[] = [];
    await Promise.all(
      window.map(async (message) => {
        const data = built.get(message.personId);
        if (!data || !handed.has(message.personId)) return;
        results.push(await this.#deliver(campaign.from, message, data));
      }),
    );
    await this.#settle(
      lease,
      results,
      failed.filter((f) => handed.has(f.personId)),
      epoch,
    );
    return [];
  }

  async #deliver(from: string, message: LeasedMessage, data: Buffer): Promise<Judged> {
    const { personId, address } = message;
    const { signal } = this.#takeBack;
    try {
      const result = await this.#deps.transport.deliver({ from, to: address, data, signal });
      return { personId, verdict: verdictOf(result) };
    } catch (error) {
      return { personId, verdict: verdictOfError(error) };
    }
  }

  /** Tells relay and lane what a window brought, and writes it down. */
  async #settle(
    lease: Lease,
    results: readonly Judged[],
    failed: readonly Settlement[],
    epoch: number,
  ): Promise<void> {
    const { settled, throttled, untried } = byKind(results);
    const answered = throttled.length + settled.filter(({ verdict }) => verdict.answered).length;
    const { relay } = this.#deps;
    const trouble = untried.find(({ verdict }) => verdict.trouble !== null)?.verdict.trouble;
    if (trouble) relay.failed(epoch, trouble);
    else if (answered > 0) relay.answered(epoch);
    else if (settled.length > 0) relay.unanswered(epoch);
    const closing = throttled.some(({ verdict }) => verdict.closing);
    const slowed = this.#deps.paces[lease.lane].record(answered, throttled.length, closing);
    // One that is deferred among many that go is not the lane's affair but its own: a greylisting host, mostly.
    if (slowed) await this.#return(lease, throttled, this.#deps.retrySeconds);
    await this.#return(lease, untried, 0);
    const deferred = (slowed ? [] : throttled).map(({ personId, verdict }): Settlement => ({
      personId,
      outcome: 'deferred',
      reply: verdict.reply,
    }));
    await this.#write(lease, [
      ...failed,
      ...settled.map(({ personId, verdict: { outcome, reply } }) => ({ personId, outcome, reply })),
      ...deferred,
    ]);
  }

  async #write(lease: Lease, settlements: readonly Settlement[]): Promise<void> {
    if (settlements.length === 0) return;
    const { db, retrySeconds } = this.#deps;
    const moved = await untilDatabase(() =>
      settleMessages(db, { ...lease, retrySeconds }, settlements),
    );
    this.#deps.onSent(settlements.filter((s) => s.outcome === 'sent').length);
    if (moved < settlements.length) {
      this.#deps.log('settled fewer than handed', { moved, of: settlements.length });
    }
  }

  async #return(lease: Lease, back: readonly Judged[], afterSeconds: number): Promise<void> {
    if (back.length === 0) return;
    const ids = back.map(({ personId }) => personId);
    const { reply } = back[0]!.verdict;
    await untilDatabase(() => returnMessages(this.#deps.db, lease, ids, { afterSeconds, reply }));
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

/** Repeats while PostgreSQL is away: what was handed must be settled, however long that takes. */
export async function untilDatabase<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error)) throw error;
      const waitMs = backoffMs(attempt, 50, 1_000, Math.random);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
