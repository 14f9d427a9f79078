import { backoffMs } from '../domain/retry.ts';

export interface LanePaceOptions {
  /** Messages in flight at most; the lane's concurrency. */
  most: number;
  log(event: string, detail?: Record<string, unknown>): void;
  nowMs?: () => number;
  random?: () => number;
}

const PAUSE_MS = { first: 5_000, max: 300_000 };
/** Share of a window that must be throttled before the lane is: one greylisting host among many is no reason. */
const SHARE = 0.1;
/** And so many of them, since a greylisted message that is tried again may be alone in its window. */
const LEAST = 3;

/**
 * How many messages of a lane may be in flight, by what the providers answer: congestion control as TCP does it. A
 * window that is throttled (421, 4.7.x) halves what is thought bearable and pauses the lane; then it begins again with
 * one message, doubles with each good window up to that half, and grows by one from there.
 */
export class LanePace {
  readonly #options: LanePaceOptions;
  readonly #nowMs: () => number;
  #limit: number;
  #threshold: number;
  #inFlight = 0;
  #untilMs = 0;
  #throttles = 0;
  #waiting: (() => void)[] = [];

  constructor(options: LanePaceOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#limit = options.most;
    this.#threshold = options.most;
  }

  /** Messages in flight at most, now. */
  get limit(): number {
    return this.#limit;
  }

  /** How long the lane still pauses; 0 where it does not. */
  pauseMs(): number {
    return Math.max(0, this.#untilMs - this.#nowMs());
  }

  /** Waits for room and takes up to `want` of it; 0 while the lane pauses. Each taken one must be given back. */
  async take(want: number): Promise<number> {
    for (;;) {
      if (this.pauseMs() > 0) return 0;
      const room = Math.min(want, this.#limit - this.#inFlight);
      if (room >= 1) {
        this.#inFlight += room;
        return room;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  give(taken: number): void {
    this.#inFlight -= taken;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** What a window brought; true where the lane is throttled by it. `closing`: the server has said 421. */
  record(answered: number, throttled: number, closing: boolean): boolean {
    const isMany = throttled >= Math.min(LEAST, this.#limit) && throttled >= answered * SHARE;
    if (throttled > 0 && (closing || isMany)) {
      this.#throttle(answered);
      return true;
    }
    if (answered > 0) this.#grow();
    return false;
  }

  #throttle(answered: number): void {
    // Windows that were under way together are one verdict.
    if (this.pauseMs() > 0) return;
    const bore = Math.min(this.#limit, Math.max(answered, this.#inFlight));
    this.#threshold = Math.max(1, Math.floor(bore / 2));
    this.#limit = 1;
    const random = this.#options.random ?? Math.random;
    const pauseMs = backoffMs(this.#throttles, PAUSE_MS.first, PAUSE_MS.max, random);
    this.#throttles += 1;
    this.#untilMs = this.#nowMs() + pauseMs;
    this.#options.log('lane is throttled', { pauseMs, thenAtMost: this.#threshold });
  }

  #grow(): void {
    const { most } = this.#options;
    if (this.#limit >= most) return;
    const isBelow = this.#limit < this.#threshold;
    const next = isBelow ? Math.min(this.#limit * 2, this.#threshold) : this.#limit + 1;
    this.#limit = Math.min(most, next);
    // It bears what it bore before: the next throttling is a new story.
    if (this.#limit > this.#threshold) this.#throttles = 0;
  }
}
