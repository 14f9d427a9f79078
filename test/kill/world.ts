import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SMTPServer } from 'smtp-server';
import { loadConfig, type Config } from '../../bin/config.ts';
import { readRun, supervisorFile } from '../../bin/supervisor/files.ts';
import { isAlive } from '../../bin/supervisor/identity.ts';
import { freePort } from '../support/ports.ts';
import { TEST_FOLDER_PREFIX, removeTestFolder } from '../support/services.ts';

const CHECKOUT = join(import.meta.dirname, '../..');
export const PARTS = ['temporal', 'postgres', 'warehouse', 'worker', 'sender', 'server'] as const;
export type Part = (typeof PARTS)[number] | 'supervisor';

/** What the relay got: recipients, in order, by a server that is never killed. */
export interface Relay {
  port: number;
  recipients: string[];
  close(): Promise<void>;
}

export async function startRelay(): Promise<Relay> {
  const recipients: string[] = [];
  const port = await freePort();
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    logger: false,
    onData(stream, session, callback) {
      stream.resume();
      stream.on('end', () => {
        recipients.push(...session.envelope.rcptTo.map((to) => to.address));
        // A real relay takes a moment, so that a kill can fall between the last dot and its reply.
        setTimeout(() => callback(null, 'OK: taken'), 5);
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    recipients,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A Kairos of its own, as `npm start -- --shop none` runs it, whose every process may be killed. */
export class World {
  readonly home = mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX));
  readonly #env: NodeJS.ProcessEnv;
  #up: ChildProcess | undefined;
  starts = 0;

  constructor(relayPort: number) {
    this.#env = {
      ...process.env,
      KAIROS_HOME: this.home,
      KAIROS_SHOP: 'none',
      SMTP_URL: `smtp://127.0.0.1:${relayPort}`,
      NODE_OPTIONS: '',
    };
    delete this.#env['VITEST'];
    mkdirSync(this.home, { recursive: true });
  }

  get config(): Config {
    return loadConfig({ env: this.#env });
  }

  get dataDir(): string {
    return join(this.home, 'none');
  }

  async start(): Promise<void> {
    this.starts += 1;
    const log = createWriteStream(join(this.home, `up-${this.starts}.log`));
    const child = spawn(process.execPath, [join(CHECKOUT, 'bin/up.ts')], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#up = child;
    child.stdout!.pipe(log);
    child.stderr!.pipe(log);
    let output = '';
    child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const until = Date.now() + 90_000;
    while (!/Command line/.test(output)) {
      if (child.exitCode !== null || Date.now() > until)
        throw new Error(`npm start failed:\n${output}`);
      await sleep(100);
    }
  }

  pid(part: Part): number | null {
    const record =
      part === 'supervisor'
        ? (JSON.parse(readFileSync(supervisorFile(this.dataDir), 'utf8')) as NonNullable<
            ReturnType<typeof readRun>
          >)
        : readRun(this.dataDir, part);
    return record && isAlive(record) ? record.pid : null;
  }

  /** SIGKILL; false where it was not running at this moment. */
  kill(part: Part): boolean {
    const pid = this.pid(part);
    if (pid === null) return false;
    process.kill(pid, 'SIGKILL');
    return true;
  }

  async kairos(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(CHECKOUT, 'bin/kairos.ts'), ...args],
      { env: this.#env, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 },
    );
    return stdout;
  }

  async stop(): Promise<void> {
    const child = this.#up;
    if (child && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await Promise.race([ended, sleep(30_000)]);
    }
    if (process.env['KAIROS_KEEP'] === undefined)
      await removeTestFolder(this.home).catch(() =>
        rmSync(this.home, { recursive: true, force: true }),
      );
  }
}
