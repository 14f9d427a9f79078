import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config.ts';
import type { ProcessDefinition } from './definition.ts';
import { logFile, removeRun, writeRun } from './files.ts';
import { endProcess, identify, signalProcess, type ProcessIdentity } from './identity.ts';
import { ProcessLog } from './log.ts';

const FIRST_BACKOFF_MS = 200;
const LAST_BACKOFF_MS = 10_000;
/** Up for so long, the next end counts as the first. */
const STEADY_MS = 30_000;
const PROBE_EVERY_MS = 40;

/** A process failed in a way that trying again did not mend; the last lines of its log come with it. */
export class ProcessFailure extends Error {
  readonly process: string;
  readonly logPath: string;
  readonly lastLines: readonly string[];
  readonly hint: string;

  constructor(title: string, reason: string, hint: string, log: ProcessLog) {
    super(`${title} ${reason}`);
    this.name = 'ProcessFailure';
    this.process = title;
    this.hint = hint;
    this.logPath = log.path;
    this.lastLines = log.tail().slice(-20);
  }
}

interface Waiter {
  resolve: () => void;
  reject: (error: Error) => void;
}

/** One process under supervision: started, seen ready, started again when it ends, and ended in order. */
export class SupervisedProcess {
  readonly definition: ProcessDefinition;
  readonly log: ProcessLog;
  readonly #config: Config;
  readonly #report: (text: string) => void;
  #child: ChildProcess | undefined;
  #identity: ProcessIdentity | undefined;
  #isReady = false;
  #isWanted = false;
  #wasReady = false;
  #startedAt = 0;
  #backoffMs = FIRST_BACKOFF_MS;
  #timer: NodeJS.Timeout | undefined;
  #spawning: Promise<void> = Promise.resolve();
  #waiters: Waiter[] = [];
  #restarts = 0;

  constructor(definition: ProcessDefinition, config: Config, report: (text: string) => void) {
    this.definition = definition;
    this.#config = config;
    this.#report = report;
    const path = logFile(config.dataDir, definition.name);
    mkdirSync(dirname(path), { recursive: true });
    this.log = new ProcessLog(path);
  }

  /** Undefined while it is down. */
  get identity(): ProcessIdentity | undefined {
    return this.#identity;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** How often it was started again after an end that nobody asked for. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Starts it and waits until it is ready. Rejects when it ends before, or is not ready in time. */
  async start(timeoutMs: number): Promise<void> {
    this.#isWanted = true;
    const ready = this.whenReady(timeoutMs);
    // Without this a failure of #spawn leaves an unhandled rejection of the waiter behind.
    ready.catch(() => {});
    await this.#spawn();
    await ready;
  }

  /** Resolves when it is ready, at once if it is. */
  whenReady(timeoutMs: number): Promise<void> {
    if (this.#isReady) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(this.#failure(`was not ready after ${timeoutMs / 1_000} s`));
      }, timeoutMs);
      this.#waiters.push({
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
    });
  }

  /** Signals it, as a crash or an operator would; it is started again when that ends it. */
  signal(signal: NodeJS.Signals): ProcessIdentity | undefined {
    const identity = this.#identity;
    if (!identity) return undefined;
    // So that whoever waits for it from now on waits for the next one.
    if (signal === 'SIGKILL') this.#isReady = false;
    signalProcess(identity, signal);
    return identity;
  }

  /** Ends it in order, and for good. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    // It may be preparing its folder, which must not go on after we have said that all is stopped.
    await this.#spawning.catch(() => {});
    const identity = this.#identity;
    const child = this.#child;
    if (!identity || !child) return;
    await endProcess(identity, this.definition.stopSignal, this.definition.stopTimeoutMs);
    for (let waited = 0; this.#child === child && waited < 2_000; waited += 10) await pause(10);
  }

  /** Sends its last signal without waiting: for a supervisor that is itself about to end. */
  abandon(signal: NodeJS.Signals = this.definition.stopSignal): void {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    if (this.#identity) signalProcess(this.#identity, signal);
  }

  #spawn(): Promise<void> {
    this.#spawning = this.#spawnNow();
    return this.#spawning;
  }

  async #spawnNow(): Promise<void> {
    const { name, stopSignal } = this.definition;
    const command = await this.definition.command(this.#config);
    if (!this.#isWanted) return;
    this.log.note(`start ${name}`);
    const child = spawn(command.file, command.args, {
      cwd: command.cwd ?? this.#config.checkout,
      env: command.env,
      ...(command.uid === undefined ? {} : { uid: command.uid }),
      ...(command.gid === undefined ? {} : { gid: command.gid }),
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in the terminal must reach the supervisor only, which ends them in order.
      detached: true,
    });
    this.#child = child;
    this.#startedAt = Date.now();
    const identity = child.pid === undefined ? null : identify(child.pid);
    if (identity) {
      this.#identity = identity;
      writeRun(this.#config.dataDir, { ...identity, name, stopSignal });
    }
    child.stdin.on('error', () => {});
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        const lines = this.log.write(text);
        if (stream === child.stdout && !this.definition.probe && lines.some(isReadyLine)) {
          this.#becameReady(child);
        }
      });
      stream.on('error', () => {});
    }
    child.once('error', (error) => this.log.note(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      this.#isReady = false;
      // The last lines may still be in the pipes, and a grandchild may keep those open for ever.
      const closed = new Promise((resolve) => child.once('close', resolve));
      void Promise.race([closed, pause(500)]).then(() => {
        this.#ended(child, signal ?? `exit code ${code}`);
      });
    });
    if (this.definition.probe) void this.#probe(child);
  }

  async #probe(child: ChildProcess): Promise<void> {
    while (this.#child === child && !this.#isReady) {
      try {
        if (await this.definition.probe?.(this.#config)) {
          this.#becameReady(child);
          return;
        }
      } catch (error) {
        const failure = error instanceof Error ? error : new Error(String(error));
        this.log.note(`not ready: ${failure.message}`);
        if (!this.#wasReady) {
          this.#fail(failure);
          return;
        }
        await pause(1_000);
      }
      await pause(PROBE_EVERY_MS);
    }
  }

  #becameReady(child: ChildProcess): void {
    if (this.#child !== child || child.exitCode !== null || child.signalCode !== null) return;
    this.#isReady = true;
    if (this.#wasReady) this.#report(`${this.definition.title} works again`);
    this.#wasReady = true;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#identity = undefined;
    this.#isReady = false;
    removeRun(this.#config.dataDir, this.definition.name);
    this.log.note(`ended: ${how}`);
    if (!this.#isWanted) return;
    if (!this.#wasReady) {
      this.#isWanted = false;
      this.#fail(this.#failure(`ended before it was ready (${how})`));
      return;
    }
    if (Date.now() - this.#startedAt > STEADY_MS) this.#backoffMs = FIRST_BACKOFF_MS;
    const wait = this.#backoffMs;
    this.#backoffMs = Math.min(this.#backoffMs * 2, LAST_BACKOFF_MS);
    this.#restarts += 1;
    this.#report(`${this.definition.title} ended (${how}); starting it again in ${wait / 1_000} s`);
    this.#startAgainIn(wait);
  }

  #startAgainIn(waitMs: number): void {
    this.#timer = setTimeout(() => {
      this.#spawn().catch((error: unknown) => {
        this.log.note(`could not be started again: ${String(error)}`);
        if (this.#isWanted) this.#startAgainIn(LAST_BACKOFF_MS);
      });
    }, waitMs);
  }

  #failure(reason: string): ProcessFailure {
    const hint = this.definition.hint(this.#config);
    return new ProcessFailure(this.definition.title, reason, hint, this.log);
  }

  #fail(error: Error): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }
}

function isReadyLine(line: string): boolean {
  if (!line.startsWith('{') || !line.includes('"ready"')) return false;
  try {
    return (JSON.parse(line) as { ready?: unknown }).ready === true;
  } catch {
    return false;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
