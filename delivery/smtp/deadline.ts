/**
 * One deadline that moves with every reply. The timer beneath is only touched when it would fire too late; when it
 * fires too early it waits for the rest. So a busy session arms a timer a few times a minute, not per message.
 */
export class Deadline {
  readonly #onPassed: () => void;
  #atMs = 0;
  #firesAtMs = Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, onPassed: () => void) {
    this.#onPassed = onPassed;
    this.set(ms);
  }

  set(ms: number): void {
    const now = performance.now();
    this.#atMs = now + ms;
    if (this.#atMs < this.#firesAtMs) this.#arm(now, ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#firesAtMs = -Infinity;
  }

  #arm(now: number, ms: number): void {
    clearTimeout(this.#timer);
    this.#firesAtMs = now + ms;
    this.#timer = setTimeout(() => this.#onTimer(), ms);
  }

  #onTimer(): void {
    const now = performance.now();
    const left = this.#atMs - now;
    // Timers may fire a little early.
    if (left > 1) return this.#arm(now, Math.ceil(left));
    this.#firesAtMs = Infinity;
    this.#onPassed();
  }
}
