import { appendFileSync, existsSync, renameSync, statSync } from 'node:fs';

const MAX_BYTES = 5_000_000;
const TAIL_LINES = 40;

/**
 * The log of one process: a file of at most 5 MB and one older one, so that a process in a restart loop cannot fill the
 * disk. The last lines stay in memory, for messages that say why something failed.
 */
export class ProcessLog {
  readonly path: string;
  readonly #maxBytes: number;
  #bytes: number;
  #rest = '';
  #tail: string[] = [];

  constructor(path: string, maxBytes: number = MAX_BYTES) {
    this.path = path;
    this.#maxBytes = maxBytes;
    this.#bytes = existsSync(path) ? statSync(path).size : 0;
  }

  /** Takes output as it comes and gives back its complete lines. */
  write(text: string): string[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > 65_536) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    if (lines.length > 0) this.#append(lines);
    return lines;
  }

  /** A line of the supervisor itself. */
  note(text: string): void {
    this.#append([`--- ${new Date().toISOString()} ${text}`]);
  }

  /** The last lines, oldest first. */
  tail(): string[] {
    return this.#rest === '' ? [...this.#tail] : [...this.#tail, this.#rest];
  }

  #append(lines: readonly string[]): void {
    this.#tail = [...this.#tail, ...lines].slice(-TAIL_LINES);
    const text = `${lines.join('\n')}\n`;
    try {
      if (this.#bytes > 0 && this.#bytes + text.length > this.#maxBytes) {
        renameSync(this.path, `${this.path}.1`);
        this.#bytes = 0;
      }
      appendFileSync(this.path, text, { mode: 0o600 });
      this.#bytes += Buffer.byteLength(text);
    } catch {
      // A full disk or a deleted folder must not end the supervisor; the tail is kept.
    }
  }
}
