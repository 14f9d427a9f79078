import { isMachine } from '../../domain/machine.ts';
import { EVENT } from '../../domain/records.ts';
import { backoffMs } from '../../domain/retry.ts';
import { type NewEvent, appendEvents } from '../../store/events.ts';
import { type Db, isTransient } from '../../store/postgres.ts';
import { messageFacts } from '../../store/tracking.ts';

/** An open or a click as the request showed it. */
export interface Reaction {
  readonly kind: 'open' | 'click';
  readonly campaignNo: number;
  readonly step: number;
  readonly personId: number;
  /** Which link: its index, or `p` and the product's code. */
  readonly link: string | null;
  readonly method: string;
  readonly userAgent: string | null;
  readonly atMs: number;
}

export interface ReactionCounters {
  queued: number;
  written: number;
  /** Refused at the door because the queue was full: the database was away for long. */
  dropped: number;
  /** Of people who were erased: nothing is recorded of them. */
  forgotten: number;
  /** The database will never take them. */
  rejected: number;
  failures: number;
}

/** 20,000 reactions are some 10 MB, and minutes of a campaign's busiest hour. */
const QUEUE_MAX = 20_000;
const BATCH = 500;
const FLUSH_MS = 50;
/** A pixel or a link that is fetched again within this time is the same open or click. */
const SAME_OPEN_MS = 60_000;
const SAME_CLICK_MS = 10_000;

/**
 * Opens and clicks on their way to the log. A redirect must not wait for the database, so they are queued here and
 * written in batches; a crash loses those of the last moments, which is why nothing that was promised to anyone (an
 * unsubscribe, an intake's event) goes this way. Bounded: when full, new ones are counted and dropped.
 */
export class ReactionLog {
  readonly #db: Db;
  readonly #log: (event: string, detail: Record<string, unknown>) => void;
  readonly #max: number;
  #queue: Reaction[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #closing = false;
  readonly counters: ReactionCounters = {
    queued: 0,
    written: 0,
    dropped: 0,
    forgotten: 0,
    rejected: 0,
    failures: 0,
  };

  constructor(
    db: Db,
    log: (event: string, detail: Record<string, unknown>) => void = () => {},
    max = QUEUE_MAX,
  ) {
    this.#db = db;
    this.#log = log;
    this.#max = max;
  }

  add(reaction: Reaction): void {
    if (this.#queue.length >= this.#max || this.#closing) {
      this.counters.dropped += 1;
      return;
    }
    this.#queue.push(reaction);
    this.counters.queued = this.#queue.length;
    if (this.#timer || this.#writing) return;
    this.#timer = setTimeout(() => this.#start(), FLUSH_MS);
  }

  #start(): void {
    this.#timer = undefined;
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
      if (this.#queue.length > 0 && !this.#closing) this.#start();
    });
  }

  async #drain(): Promise<void> {
    for (let attempt = 0; this.#queue.length > 0;) {
      const batch = this.#queue.slice(0, BATCH);
      try {
        await this.#write(batch);
        attempt = 0;
      } catch (error) {
        this.counters.failures += 1;
        const lasting = !isTransient(error);
        this.#log('reactions not written', {
          error: (error as { code?: string }).code ?? 'unknown',
          attempt,
        });
        if (lasting && batch.length > 1) {
          await this.#writeEach(batch);
        } else if (lasting) {
          this.counters.rejected += 1;
        } else {
          if (this.#closing) return;
          await new Promise((resolve) =>
            setTimeout(resolve, backoffMs(attempt++, 100, 5_000, Math.random)),
          );
          continue;
        }
      }
      this.#queue.splice(0, batch.length);
      this.counters.queued = this.#queue.length;
    }
  }

  /** One of them spoils the batch: the others must not be lost with it. */
  async #writeEach(batch: readonly Reaction[]): Promise<void> {
    for (const reaction of batch) {
      try {
        await this.#write([reaction]);
      } catch {
        this.counters.rejected += 1;
      }
    }
  }

  async #write(batch: readonly Reaction[]): Promise<void> {
    const facts = await messageFacts(this.#db, batch);
    const events: NewEvent[] = [];
    batch.forEach((reaction, index) => {
      const fact = facts[index]!;
      if (!fact.known) {
        this.counters.forgotten += 1;
        return;
      }
      const machine = isMachine({ ...reaction, deliveredAtMs: fact.deliveredAtMs });
      events.push({
        messageId: reactionId(reaction, machine),
        type: reaction.kind === 'open' ? EVENT.emailOpened : EVENT.emailClicked,
        personId: reaction.personId,
        atMs: reaction.atMs,
        properties: {
          campaign: fact.campaign,
          step: reaction.step,
          variant: fact.variant,
          ...(reaction.link === null ? {} : { link: reaction.link }),
          machine,
        },
      });
    });
    this.counters.written += await appendEvents(this.#db, events);
  }

  /** Resolves when all that was added before has been written or given up. For tests and for the end. */
  async flush(): Promise<void> {
    while (this.#queue.length > 0 || this.#writing) {
      clearTimeout(this.#timer);
      this.#start();
      await this.#writing;
      if (this.#closing) return;
    }
  }

  /** Takes no more, writes what is there, and gives up after `timeoutMs` (the database may be away). */
  async close(timeoutMs = 3_000): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
    await Promise.race([this.flush(), late]);
    clearTimeout(timer);
    if (this.#queue.length > 0) this.#log('reactions lost', { count: this.#queue.length });
  }
}

/** The same within a short time is one event, so that one link cannot fill the log. */
function reactionId(reaction: Reaction, machine: boolean): string {
  const span = reaction.kind === 'open' ? SAME_OPEN_MS : SAME_CLICK_MS;
  const { kind, campaignNo, step, personId } = reaction;
  const slot = Math.floor(reaction.atMs / span);
  return `${kind}:${campaignNo}:${step}:${personId}:${reaction.link ?? ''}:${slot}:${machine ? 'm' : 'h'}`;
}
