import { type Config, loadConfig } from './config.ts';

/** What a process of the supervisor gives back once it works. */
export interface Running {
  /** Shown in the ready line: numbers and ids, nothing personal. */
  details?: Record<string, unknown>;
  /** Finishes what is in hand and closes everything, in under ten seconds. */
  stop(): Promise<void>;
}

const STOP_TIMEOUT_MS = 9_000;

/**
 * The main function of every process under the supervisor. It starts the part, prints one JSON line `{"ready":true,…}`
 * on stdout, and ends in order on SIGTERM, on SIGINT, and when stdin closes, which happens when the supervisor dies.
 * Exit codes: 0 stopped in order, 1 failed, 70 did not stop in time.
 */
export async function runProcess(
  name: string,
  start: (config: Config) => Promise<Running>,
): Promise<void> {
  const told = whenToldToStop();
  // A log that nobody reads any more must not end the process before it has finished what is in hand.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  let running: Running;
  try {
    running = await start(loadConfig());
  } catch (error) {
    console.error(`${name} could not start: ${describe(error)}`);
    process.exit(1);
  }
  process.stdout.write(`${JSON.stringify({ ready: true, name, ...running.details })}\n`);
  const why = await told;
  console.error(`${name} stops: ${why}`);
  setTimeout(() => {
    console.error(`${name} did not stop within ${STOP_TIMEOUT_MS / 1_000} s`);
    process.exit(70);
  }, STOP_TIMEOUT_MS).unref();
  try {
    await running.stop();
    process.exit(0);
  } catch (error) {
    console.error(`${name} failed while it stopped: ${describe(error)}`);
    process.exit(1);
  }
}

function whenToldToStop(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      process.once(signal, () => resolve(signal));
    }
    // Started by hand in a terminal there is no supervisor whose end could be seen.
    if (process.stdin.isTTY) return;
    process.stdin.once('end', () => resolve('the supervisor is gone'));
    process.stdin.once('error', () => resolve('the supervisor is gone'));
    process.stdin.resume();
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
