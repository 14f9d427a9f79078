import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clusterDirectory } from '../../bin/postgres-home.ts';
import type { ProcessDefinition } from '../../bin/supervisor/definition.ts';
import { identify, isAlive, type ProcessIdentity } from '../../bin/supervisor/identity.ts';
import { startStack, type Stack, type StackOptions } from '../../bin/supervisor/stack.ts';
import { connectPostgres } from '../../store/postgres.ts';
import { removeTestFolder, TEST_FOLDER_PREFIX } from '../support/services.ts';
import { startServices } from '../support/stack.ts';

const SUPERVISOR = fileURLToPath(new URL('./supervisor-process.ts', import.meta.url));
const REAL = ['temporal', 'postgres', 'warehouse'] as const;

let dataDir: string;
let stack: Stack | undefined;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX));
  stack = undefined;
});
afterEach(async () => {
  await stack?.stop();
  await removeTestFolder(dataDir);
});

async function start(options: Partial<StackOptions> = {}): Promise<Stack> {
  stack = await startStack({ dataDir, shop: 'none', ports: 'random', durable: false, ...options });
  return stack;
}

function identities(of: Stack): ProcessIdentity[] {
  return REAL.map((name) => identify(of.pid(name) ?? 0)).filter((found) => found !== null);
}

async function query(of: Stack, sql: string): Promise<unknown[]> {
  const db = connectPostgres(of.config.database.url.reveal(), 'supervisor test', 1);
  try {
    return (await db.query(sql)).rows;
  } finally {
    await db.end();
  }
}

/** A process that does what a script says; for what no real process does on demand. */
function scripted(script: string, stopTimeoutMs = 2_000): ProcessDefinition {
  return {
    name: 'worker',
    title: 'Scripted',
    ports: [],
    address: () => 'nowhere',
    isOurs: () => true,
    hint: () => 'Mend the script.',
    command: () =>
      Promise.resolve({ file: process.execPath, args: ['-e', script], env: process.env }),
    stopSignal: 'SIGTERM',
    stopTimeoutMs,
  };
}

const READY = `console.log(JSON.stringify({ ready: true }));`;
const STAY = `setInterval(() => {}, 1000);`;

describe('real processes', () => {
  it('are started again after SIGKILL, are gone after stop, and keep data and addresses', async () => {
    const first = await start({ only: REAL });
    await query(first, 'create table kept as select 1 as one');
    for (const name of REAL) {
      const before = first.pid(name);
      await first.kill(name);
      await first.whenReady(name);
      expect(first.pid(name)).not.toBe(before);
      expect(first.restarts(name)).toBe(1);
    }
    const answer = await fetch(`${first.config.warehouse.url}/ping`);
    expect(answer.status).toBeLessThan(500);
    const processes = identities(first);
    expect(processes).toHaveLength(REAL.length);
    await first.stop();
    expect(processes.filter(isAlive)).toEqual([]);
    expect(existsSync(join(dataDir, 'supervisor.json'))).toBe(false);
    const second = await start({ only: REAL });
    expect(second.config.ports).toEqual(first.config.ports);
    expect(await query(second, 'select one from kept')).toEqual([{ one: 1 }]);
  });

  it('of a killed supervisor are ended by the next start', async () => {
    const supervisor = spawn(process.execPath, [SUPERVISOR, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(supervisor.stdout), 'line')) as [string];
    const { pids } = JSON.parse(line) as { pids: number[] };
    const orphans = pids.map((pid) => identify(pid)).filter((found) => found !== null);
    expect(orphans).toHaveLength(REAL.length);
    const gone = once(supervisor, 'exit');
    supervisor.kill('SIGKILL');
    await gone;
    // What is ours sees its stdin close and ends in order by itself; PostgreSQL knows nothing of us.
    const warehouse = orphans.find(({ pid }) => pid === pids[2]);
    await expect.poll(() => warehouse && isAlive(warehouse), { timeout: 10_000 }).toBe(false);
    const postgres = orphans.find(({ pid }) => pid === pids[1]);
    expect(postgres && isAlive(postgres)).toBe(true);
    const up = await start({ only: REAL });
    expect(orphans.filter(isAlive)).toEqual([]);
    for (const name of REAL) expect(pids).not.toContain(up.pid(name));
    expect(await query(up, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('do not start twice on one folder', async () => {
    await start({ only: ['postgres'] });
    await expect(startStack({ dataDir, shop: 'none', only: ['postgres'] })).rejects.toThrow(
      new RegExp(`already runs on .*\\(process ${process.pid}\\)`),
    );
  });

  it('start in spite of a lock file whose number another process has now', async () => {
    const first = await start({ only: ['postgres'] });
    await first.kill('postgres');
    await first.stop();
    const lock = join(clusterDirectory(dataDir) ?? '', 'postmaster.pid');
    const content = existsSync(lock) ? readFileSync(lock, 'utf8') : '0\n';
    writeFileSync(lock, content.replace(/^\d+/, String(process.pid)));
    const second = await start({ only: ['postgres'] });
    expect(await query(second, 'select 1 as one')).toEqual([{ one: 1 }]);
  });
});

describe('a process', () => {
  it('that ends before it is ready fails the start, with its last words and what helps', async () => {
    const failing = scripted(`console.error('the reason'); process.exit(3)`);
    await expect(start({ definitions: [failing] })).rejects.toMatchObject({
      message: 'Scripted ended before it was ready (exit code 3)',
      hint: 'Mend the script.',
      lastLines: expect.arrayContaining(['the reason']) as unknown,
    });
    expect(existsSync(join(dataDir, 'supervisor.json'))).toBe(false);
  });

  it('that never becomes ready fails the start, and is ended', async () => {
    const silent = scripted(`console.log('pid', process.pid); ${STAY}`);
    const failure = start({ definitions: [silent], readyTimeoutMs: 700 });
    await expect(failure).rejects.toThrow('Scripted was not ready after 0.7 s');
    const log = readFileSync(join(dataDir, 'log/worker.log'), 'utf8');
    expect(identify(Number(/pid (\d+)/.exec(log)?.[1]))).toBeNull();
  });

  it('that fails again and again is tried ever more rarely', async () => {
    const marker = join(dataDir, 'first');
    const script = `const fs = require('node:fs');
      if (!fs.existsSync(${JSON.stringify(marker)})) { fs.writeFileSync(${JSON.stringify(marker)}, ''); ${READY} }
      setTimeout(() => process.exit(1), 50);`;
    const events: string[] = [];
    await start({ definitions: [scripted(script)], onEvent: (text) => events.push(text) });
    await expect.poll(() => events.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
    expect(events.slice(0, 3)).toEqual([
      'Scripted ended (exit code 1); starting it again in 0.2 s',
      'Scripted ended (exit code 1); starting it again in 0.4 s',
      'Scripted ended (exit code 1); starting it again in 0.8 s',
    ]);
  });

  it('that ignores SIGTERM is killed after its grace', async () => {
    const stubborn = scripted(`process.on('SIGTERM', () => {}); ${READY} ${STAY}`, 300);
    const up = await start({ definitions: [stubborn] });
    const identity = identify(up.pid('worker') ?? 0);
    await up.stop();
    expect(identity && isAlive(identity)).toBe(false);
  });

  it('is ended when the start is given up', async () => {
    const controller = new AbortController();
    const failure = start({
      definitions: [scripted(`console.log('pid', process.pid); ${STAY}`)],
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(new Error('thought better of it')), 500);
    await expect(failure).rejects.toThrow('thought better of it');
    const log = readFileSync(join(dataDir, 'log/worker.log'), 'utf8');
    expect(identify(Number(/pid (\d+)/.exec(log)?.[1]))).toBeNull();
  });
});

describe.runIf(process.getuid?.() === 0)('a cluster outside its data folder', () => {
  it('is ended and deleted once its temporary folder is gone, and no other is', async () => {
    const forgotten = await startServices(['postgres']);
    const home = join(clusterDirectory(forgotten.config.dataDir) ?? '', '..');
    const orphan = identify(forgotten.pid('postgres') ?? 0);
    await start({ only: ['postgres'] });
    expect(existsSync(home)).toBe(true);
    rmSync(forgotten.config.dataDir, { recursive: true, force: true });
    await stack?.stop();
    await start({ only: ['postgres'] });
    expect(existsSync(home)).toBe(false);
    expect(orphan && isAlive(orphan)).toBe(false);
    await forgotten.stop();
  });
});
