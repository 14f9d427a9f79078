import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PROCESS_NAMES } from '../../bin/supervisor/definition.ts';
import { readRun } from '../../bin/supervisor/files.ts';
import { isAlive } from '../../bin/supervisor/identity.ts';
import { removeTestFolder, TEST_FOLDER_PREFIX } from '../support/services.ts';

const UP = fileURLToPath(new URL('../../bin/up.ts', import.meta.url));

let home: string;
let up: ChildProcessByStdio<null, Readable, Readable>;
let said: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX));
  said = '';
});
afterEach(async () => {
  up.kill('SIGKILL');
  await removeTestFolder(join(home, 'none'));
  rmSync(home, { recursive: true, force: true });
});

function start(...flags: string[]): void {
  up = spawn(process.execPath, [UP, '--shop', 'none', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, KAIROS_HOME: home },
  });
  for (const stream of [up.stdout, up.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
}

/** How it ended, with what it said where that is not as expected. */
async function expectEnd(code: number): Promise<void> {
  const [found] = (await once(up, 'exit')) as [number | null];
  expect(found, said).toBe(code);
}

const running = () => {
  const dataDir = join(home, 'none');
  return PROCESS_NAMES.map((name) => readRun(dataDir, name)).filter((run) => run !== undefined);
};

it('starts every process, and Ctrl-C leaves none behind', { timeout: 180_000 }, async () => {
  start();
  await expect.poll(() => said, { timeout: 120_000, interval: 100 }).toContain('Ctrl-C');
  const processes = running();
  expect(processes.map(({ name }) => name).sort()).toEqual([...PROCESS_NAMES].sort());
  expect(processes.every(isAlive)).toBe(true);
  for (const title of ['Temporal', 'PostgreSQL', 'Warehouse', 'Dev inbox', 'Worker', 'Tables']) {
    expect(said).toMatch(new RegExp(`^  ${title} +\\S.* \\d+\\.\\d s$`, 'm'));
  }
  const ended = expectEnd(0);
  up.kill('SIGINT');
  // npm passes on the signal that the terminal has sent already; that is not a second Ctrl-C.
  up.kill('SIGINT');
  await ended;
  expect(processes.filter(isAlive)).toEqual([]);
  expect(running()).toEqual([]);
  expect(existsSync(join(home, 'none/supervisor.json'))).toBe(false);
});

it('stopped while it starts leaves none behind', { timeout: 120_000 }, async () => {
  start();
  const log = join(home, 'none/log');
  const hasStarted = () => existsSync(log) && readdirSync(log).includes('temporal.log');
  await expect.poll(hasStarted, { timeout: 30_000, interval: 20 }).toBe(true);
  const ended = expectEnd(130);
  up.kill('SIGTERM');
  await ended;
  expect(running()).toEqual([]);
});

it('with --exit ends by itself, with --json in one line, and asks for --reset', async () => {
  start('--reset');
  await expectEnd(1);
  expect(said).toContain('add --exit');
  said = '';
  start('--reset', '--exit', '--json');
  const stdout: string[] = [];
  up.stdout.on('data', (text: string) => stdout.push(text));
  await expectEnd(0);
  // The shop "none" has nothing to report.
  expect(stdout.join('')).toBe('null\n');
  const secrets = readFileSync(join(home, 'none/secrets.json'), 'utf8');
  start('--reset', '--exit', '--no-such-flag');
  await expectEnd(2);
  expect(readFileSync(join(home, 'none/secrets.json'), 'utf8')).toBe(secrets);
}, 180_000);
