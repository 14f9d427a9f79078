import { loadConfig, type Config } from '../config.ts';
import { ours } from '../processes/ours.ts';
import { postgres } from '../processes/postgres.ts';
import { temporal } from '../processes/temporal.ts';
import { SupervisedProcess } from './child.ts';
import { isLast, PROCESS_NAMES, type ProcessDefinition, type ProcessName } from './definition.ts';
import { readState, writeState } from './files.ts';
import { claimFolder, endOrphans, releaseFolder } from './folder.ts';
import { isAlive, waitUntilGone } from './identity.ts';
import { choosePorts, type HeldPorts } from './ports.ts';

export interface StackOptions {
  shop?: string;
  /** Instead of the shop's folder under `KAIROS_HOME`; for tests and benches. */
  dataDir?: string;
  /** Which processes; all by default. */
  only?: readonly ProcessName[];
  /** `random` keeps tests of several checkouts apart. */
  ports?: 'preferred' | 'random';
  /** False: PostgreSQL does not wait for the disk. For tests. */
  durable?: boolean;
  /** Instead of the real ones; for tests of the supervisor itself. */
  definitions?: readonly ProcessDefinition[];
  /** Called when PostgreSQL works and before anything of ours that needs its tables is started. */
  migrate?: (config: Config) => Promise<string>;
  /** Called when the tables are there, while the rest still starts: whatever needs no more than PostgreSQL may begin. */
  onTables?: (config: Config) => void;
  readyTimeoutMs?: number;
  /** Gives up the start: what was started is ended, and the promise rejects. */
  signal?: AbortSignal;
  /** Each step of the start, as it is done. */
  onStep?: (step: Step) => void;
  /** What happens later: a process ended, works again. */
  onEvent?: (text: string) => void;
}

export interface Step {
  title: string;
  detail: string;
  ms: number;
}

/** A running stack: who is where, and how to end it. */
export interface Stack {
  config: Config;
  addresses: readonly { name: ProcessName; title: string; address: string }[];
  /** Null while it is down. */
  pid(name: ProcessName): number | null;
  /** How often the supervisor started it again. */
  restarts(name: ProcessName): number;
  /** The last lines of its log. */
  lastLog(name: ProcessName): readonly string[];
  /** Signals it and waits until it is gone; the supervisor starts it again. */
  kill(name: ProcessName, signal?: NodeJS.Signals): Promise<void>;
  whenReady(name: ProcessName, timeoutMs?: number): Promise<void>;
  /** Ends all in order. Safe to call twice. */
  stop(): Promise<void>;
  /** Ends all at once, as a second Ctrl-C does. */
  stopNow(): void;
}

const READY_TIMEOUT_MS = 60_000;

/** The processes of a stack, in the order of {@link PROCESS_NAMES}. */
export function processDefinitions(durable = true): ProcessDefinition[] {
  const all = [temporal, postgres(durable), ...ours];
  return PROCESS_NAMES.map((name) => all.find((each) => each.name === name)).filter(
    (each) => each !== undefined,
  );
}

/**
 * Starts a stack in a data folder and keeps it up until `stop()`. Ends the orphans of a killed supervisor first.
 * @throws ProcessFailure when a process does not become ready; everything that was started is ended again
 * @throws KairosError STATE_CONFLICT when another supervisor looks after the folder
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const all = options.definitions ?? processDefinitions(options.durable);
  const { dataDir } = loadConfig(options);
  claimFolder(dataDir);
  let held: HeldPorts;
  try {
    const orphans = await endOrphans(dataDir, all);
    if (orphans.length > 0) {
      options.onEvent?.(`ended what a killed supervisor left behind: ${orphans.join(', ')}`);
    }
    held = await choosePorts(readState(dataDir)?.ports ?? {}, options.ports);
    const shop = loadConfig(options).shop;
    writeState(dataDir, { shop, ports: held.ports, startedAt: new Date().toISOString() });
  } catch (error) {
    releaseFolder(dataDir);
    throw error;
  }
  const config = loadConfig(options);
  const wanted = all.filter(
    (each) => (options.only?.includes(each.name) ?? true) && each.isOurs(config),
  );
  const report = options.onEvent ?? (() => {});
  const processes = wanted.map((each) => new SupervisedProcess(each, config, report));
  const stack = new RunningStack(config, processes, held);
  try {
    await Promise.race([startInOrder(processes, config, options), rejectOnAbort(options.signal)]);
  } catch (error) {
    await stack.stop();
    throw error;
  }
  return stack;
}

/** Never resolves; rejects with the signal's reason. */
export function rejectOnAbort(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = (): void => reject(signal?.reason as Error);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}

async function startInOrder(
  processes: readonly SupervisedProcess[],
  config: Config,
  options: StackOptions,
): Promise<void> {
  const start = async (each: SupervisedProcess): Promise<void> => {
    const began = performance.now();
    await each.start(options.readyTimeoutMs ?? READY_TIMEOUT_MS);
    options.onStep?.({
      title: each.definition.title,
      detail: each.definition.address(config),
      ms: performance.now() - began,
    });
  };
  const { first, last } = split(processes);
  const migrate = async (): Promise<void> => {
    if (!options.migrate) return;
    const began = performance.now();
    const detail = await options.migrate(config);
    options.onStep?.({ title: 'Tables', detail, ms: performance.now() - began });
    options.onTables?.(config);
  };
  const isDatabaseOurs = first.some(({ definition }) => definition.name === 'postgres');
  await Promise.all([
    ...(isDatabaseOurs ? [] : [migrate()]),
    ...first.map(async (each) => {
      await start(each);
      if (each.definition.name === 'postgres') await migrate();
    }),
  ]);
  await Promise.all(last.map(start));
}

function split(processes: readonly SupervisedProcess[]) {
  return {
    first: processes.filter(({ definition }) => !isLast(definition.name)),
    last: processes.filter(({ definition }) => isLast(definition.name)),
  };
}

class RunningStack implements Stack {
  readonly config: Config;
  readonly #processes: readonly SupervisedProcess[];
  readonly #held: HeldPorts;
  readonly #abandon = (): void => {
    for (const each of this.#processes) each.abandon();
  };
  #stopping: Promise<void> | undefined;

  constructor(config: Config, processes: readonly SupervisedProcess[], held: HeldPorts) {
    this.config = config;
    this.#held = held;
    this.#processes = processes;
    // Whatever ends this process, short of SIGKILL, takes the others with it.
    process.once('exit', this.#abandon);
  }

  get addresses(): Stack['addresses'] {
    return this.#processes.map(({ definition }) => ({
      name: definition.name,
      title: definition.title,
      address: definition.address(this.config),
    }));
  }

  pid(name: ProcessName): number | null {
    const { identity } = this.#find(name);
    return identity && isAlive(identity) ? identity.pid : null;
  }

  restarts(name: ProcessName): number {
    return this.#find(name).restarts;
  }

  lastLog(name: ProcessName): readonly string[] {
    return this.#find(name).log.tail();
  }

  async kill(name: ProcessName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const identity = this.#find(name).signal(signal);
    if (identity) await waitUntilGone(identity, 30_000);
  }

  whenReady(name: ProcessName, timeoutMs: number = READY_TIMEOUT_MS): Promise<void> {
    return this.#find(name).whenReady(timeoutMs);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopInOrder();
    return this.#stopping;
  }

  stopNow(): void {
    for (const each of this.#processes) each.abandon('SIGKILL');
    this.#release();
  }

  async #stopInOrder(): Promise<void> {
    const { first, last } = split(this.#processes);
    await Promise.all(last.map((each) => each.stop()));
    await Promise.all(first.map((each) => each.stop()));
    this.#release();
  }

  #release(): void {
    process.off('exit', this.#abandon);
    this.#held.release();
    releaseFolder(this.config.dataDir);
  }

  #find(name: ProcessName): SupervisedProcess {
    const found = this.#processes.find(({ definition }) => definition.name === name);
    if (found) return found;
    throw new Error(`this stack has no process ${name}`);
  }
}
