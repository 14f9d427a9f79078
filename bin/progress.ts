import type { Progress } from '../models/estimator.ts';

interface Screen {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
}

const EVERY_MS = 200;
/** Into a file or a pipe goes a line now and then, not one over the other. */
const EVERY_MS_PLAIN = 5_000;

/** Shows how far a long work is, how fast it goes and when it ends, on stderr. */
export class ProgressLine {
  readonly #screen: Screen;
  readonly #now: () => number;
  readonly #begin: number;
  #told = -Infinity;
  #wrote = false;

  constructor(screen: Screen = process.stderr, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#now = now;
    this.#begin = now();
  }

  tell({ fraction, note }: Progress): void {
    const now = this.#now();
    const every = this.#screen.isTTY ? EVERY_MS : EVERY_MS_PLAIN;
    if (now - this.#told < every) return;
    this.#told = now;
    const seconds = (now - this.#begin) / 1000;
    const rate = seconds > 0 ? fraction / seconds : 0;
    const left = rate > 0 ? `, ${span((1 - fraction) / rate)} left` : '';
    const text = `${(100 * fraction).toFixed(0).padStart(3)} %  ${(100 * rate).toFixed(1)} %/s${left}  ${note}`;
    this.#wrote = true;
    this.#screen.write(this.#screen.isTTY ? `\r\u001b[2K${text}` : `${text}\n`);
  }

  /** Leaves the screen clean. */
  end(): void {
    if (this.#wrote && this.#screen.isTTY) this.#screen.write('\r\u001b[2K');
  }
}

function span(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 90 ? `${whole} s` : `${Math.round(whole / 60)} min`;
}
