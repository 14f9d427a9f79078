import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runChild } from './child.ts';
import { processUsage } from './process.ts';

/** Postfix's load tools: `smtp-sink` throws mail away as fast as it comes, `smtp-source` sends as fast as it can. */
export interface PostfixTools {
  readonly sink: string;
  readonly source: string;
  readonly env: NodeJS.ProcessEnv;
}

/** From PATH, else from the distribution's package unpacked into the cache; null with the reason where neither works. */
export async function findPostfixTools(
  log: (line: string) => void,
): Promise<{ tools: PostfixTools } | { tools: null; why: string }> {
  const onPath = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  for (const folder of onPath) {
    const tools = toolsIn(folder, process.env);
    if (tools) return { tools };
  }
  const cache = join(
    process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
    'kairos',
    'postfix',
  );
  try {
    if (!existsSync(join(cache, 'usr', 'sbin', 'smtp-sink'))) await unpackPackage(cache, log);
    const libraries = join(cache, 'usr', 'lib', 'postfix');
    const tools = toolsIn(join(cache, 'usr', 'sbin'), {
      ...process.env,
      LD_LIBRARY_PATH: libraries,
    });
    if (tools) return { tools };
    return { tools: null, why: 'the postfix package has no smtp-sink and smtp-source' };
  } catch (error) {
    return { tools: null, why: (error as Error).message };
  }
}

function toolsIn(folder: string, env: NodeJS.ProcessEnv): PostfixTools | null {
  const [sink, source] = [join(folder, 'smtp-sink'), join(folder, 'smtp-source')];
  return existsSync(sink) && existsSync(source) ? { sink, source, env } : null;
}

/** Unpacks the package without installing it: nothing of the system changes. */
async function unpackPackage(cache: string, log: (line: string) => void): Promise<void> {
  log('Postfix’s tools are not on PATH: getting them with apt-get download postfix');
  mkdirSync(cache, { recursive: true });
  await runChild('bash', ['-c', 'cd "$0" && apt-get download postfix', cache]);
  const deb = readdirSync(cache).find((file) => /^postfix_.*\.deb$/.test(file));
  if (deb === undefined) throw new Error('apt-get download postfix brought no package');
  await runChild('dpkg', ['-x', join(cache, deb), cache]);
  rmSync(join(cache, deb));
}

export interface RunningSink {
  readonly port: number;
  /** CPU of the sink so far, in µs. */
  cpuMicros(): number;
  close(): void;
}

/** Starts `smtp-sink` on loopback. It accepts every message and keeps none. */
export async function startPostfixSink(tools: PostfixTools): Promise<RunningSink> {
  const port = await freePort();
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = spawn(tools.sink, [...user, `127.0.0.1:${port}`, '1024'], {
    env: tools.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (chunk) => (words += String(chunk)));
  let ended = false;
  child.once('error', (error) => (words += error.message));
  child.once('close', () => (ended = true));
  for (let waited = 0; !(await isListening(port)); waited += 20) {
    if (ended || waited > 5_000) throw new Error(`smtp-sink did not start: ${words.trim()}`);
    await sleep(20);
  }
  return {
    port,
    cpuMicros: () => processUsage(child.pid!)?.cpuMicros ?? Number.NaN,
    close: () => void child.kill(),
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
