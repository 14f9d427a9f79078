import { createInterface } from 'node:readline/promises';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { KairosError } from '../domain/errors.ts';
import { loginLink } from '../server/admin/session.ts';
import { migrate } from '../store/migrate.ts';
import { connectPostgres } from '../store/postgres.ts';
import { loadConfig, SHOPS, type Config } from './config.ts';
import { runDemo } from './demo.ts';
import { loadShop } from './demo/shops.ts';
import { replaceLinkKeys } from './secrets.ts';
import { ProcessFailure } from './supervisor/child.ts';
import { resetFolder } from './supervisor/folder.ts';
import {
  processDefinitions,
  rejectOnAbort,
  startStack,
  type Stack,
  type Step,
} from './supervisor/stack.ts';

const HELP = `npm start -- [options]

Starts Kairos on this machine, loads the shop, runs its first campaign and stays up until Ctrl-C.

  --shop NAME   ${SHOPS.join(', ')} (default: sample)
  --exit        end after the report, with exit code 0
  --json        the last line of stdout is the report as one JSON object; all else goes to stderr
  --reset       delete this shop's data first (its secrets stay); asks, unless --exit is given
  --help

Example: npm start -- --shop sample --exit --json
`;

interface Flags {
  exit: boolean;
  json: boolean;
  reset: boolean;
  help: boolean;
  shop?: string | undefined;
}

/** Exit codes: 0 stopped in order, 1 failed, 2 wrong usage, 130 interrupted before it was ready. */
async function main(): Promise<number> {
  const flags = readFlags();
  if (flags.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const began = performance.now();
  const say = (text: string): void => {
    (flags.json ? process.stderr : process.stdout).write(`${text}\n`);
  };
  const config = loadConfig(flags.shop === undefined ? {} : { shop: flags.shop });
  if (flags.reset && !(await reset(config, flags, say))) return 0;
  const stopping = onSignals(say);
  say(`\nKairos, shop ${config.shop}, data in ${relative(process.cwd(), config.dataDir) || '.'}\n`);
  let stack: Stack | undefined;
  let isReady = false;
  let loaded = Promise.resolve();
  try {
    stack = await startStack({
      shop: config.shop,
      migrate: migrateTables,
      onTables(started) {
        if (started.shop === 'none') return;
        loaded = loadShop(started, say);
        // Awaited when all works; until then a failure of the start itself says more.
        loaded.catch(() => {});
      },
      signal: stopping.signal,
      onStep: (step) => say(stepLine(step)),
      onEvent: (text) => say(`  ${new Date().toLocaleTimeString('en-GB')}  ${text}`),
    });
    stopping.onSecond = () => stack?.stopNow();
    say(`\n  All works after ${seconds(performance.now() - began)}.\n`);
    // The shop, the campaign and its report: everything that a newcomer came for.
    const report = await Promise.race([
      runDemo(stack, { say, loaded }),
      rejectOnAbort(stopping.signal),
    ]);
    isReady = true;
    if (!flags.exit) {
      say(whereToLook(stack.config));
      if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
      await aborted(stopping.signal);
    }
    await stack.stop();
    if (flags.exit && flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else say('\n  Stopped; the data is kept.');
    return 0;
  } catch (error) {
    await stack?.stop();
    if (stopping.signal.aborted) {
      say('\n  Stopped; the data is kept.');
      return isReady ? 0 : 130;
    }
    say(`\n${explain(error)}`);
    return 1;
  }
}

function readFlags(): Flags {
  try {
    const { values } = parseArgs({
      options: {
        shop: { type: 'string' },
        exit: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        reset: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

/** False where the user thought better of it. */
async function reset(config: Config, flags: Flags, say: (text: string) => void): Promise<boolean> {
  if (!flags.exit) {
    if (!process.stdin.isTTY) {
      throw new KairosError(
        'CONFIG_INVALID',
        'There is nobody to ask whether --reset may delete the data: add --exit, or run it in a terminal.',
      );
    }
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question(`Delete all data of shop ${config.shop}? [y/N] `);
    terminal.close();
    if (!/^y(es)?$/i.test(answer.trim())) return false;
  }
  await resetFolder(config.dataDir, processDefinitions());
  // Campaigns and people are numbered anew: a token of an old mail must not name somebody else.
  replaceLinkKeys(config.dataDir);
  say(`  Deleted the data of shop ${config.shop}.`);
  return true;
}

async function migrateTables(config: Config): Promise<string> {
  const db = connectPostgres(config.database.url.reveal(), 'supervisor', 1);
  try {
    const applied = await migrate(db);
    return applied.length === 0 ? 'as they should be' : `${applied.length} migrations applied`;
  } finally {
    await db.end();
  }
}

interface Stopping {
  signal: AbortSignal;
  onSecond: () => void;
}

/**
 * The first Ctrl-C stops in order, a later one at once. npm passes the signal on that the terminal sent already, so one
 * that follows within a second is the same one.
 */
function onSignals(say: (text: string) => void): Stopping {
  const controller = new AbortController();
  const stopping: Stopping = { signal: controller.signal, onSecond: () => {} };
  let firstMs: number | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (firstMs === undefined) {
        firstMs = performance.now();
        say('\n  Stopping … (Ctrl-C again to stop at once)');
        controller.abort(new Error(`stopped by ${name}`));
      } else if (performance.now() - firstMs > 1_000) {
        stopping.onSecond();
        process.exit(130);
      }
    });
  }
  return stopping;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function stepLine({ title, detail, ms }: Step): string {
  return `  ${title.padEnd(11)} ${detail.padEnd(56)} ${seconds(ms).padStart(7)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function whereToLook(config: Config): string {
  return [
    '',
    ...(config.smtp.external ? [] : [`  The mails        ${config.inboxUrl}`]),
    ...(config.temporal.uiUrl ? [`  The runs         ${config.temporal.uiUrl}`] : []),
    `  Campaigns        ${loginLink(config.adminUrl, config.adminToken.reveal(), '/')}`,
    `  Public address   ${config.publicUrl}`,
    '  Command line     npm run kairos -- --help',
    '  Stop             Ctrl-C',
    '',
  ].join('\n');
}

function explain(error: unknown): string {
  if (error instanceof ProcessFailure) {
    return [
      `Kairos could not start: ${error.message}.`,
      `The last lines of ${error.logPath}:`,
      ...error.lastLines.map((line) => `    ${line}`),
      error.hint,
    ].join('\n');
  }
  if (error instanceof KairosError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

for (const stream of [process.stdout, process.stderr]) {
  // `npm start | head` closes the pipe; that must not end the processes out of order.
  stream.on('error', () => {});
}
try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}
