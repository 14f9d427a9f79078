import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { writeState } from '../../bin/supervisor/files.ts';
import { PREFERRED_PORTS } from '../../bin/supervisor/ports.ts';
import { createWarehouse, type Warehouse } from '../../store/warehouse/client.ts';

const KEY = 'test-key-of-the-warehouse';
const BIN = fileURLToPath(new URL('../../bin/warehouse.ts', import.meta.url));

/** The real process of the warehouse on a free port, with a data folder of its own. */
export interface TestWarehouse {
  readonly url: string;
  readonly key: string;
  readonly dataDir: string;
  readonly warehouse: Warehouse;
  readonly process: ChildProcess;
  /** Ends it with SIGKILL and starts it again on the same data and port. */
  crash(): Promise<void>;
  /** SIGTERM. @returns the exit code and how long it took */
  terminate(): Promise<{ code: number | null; ms: number }>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

export async function startWarehouse(): Promise<TestWarehouse> {
  const dataDir = mkdtempSync(join(tmpdir(), 'kairos-warehouse-'));
  const port = await freePort();
  writeState(dataDir, {
    shop: 'none',
    ports: { ...PREFERRED_PORTS, warehouse: port },
    startedAt: new Date().toISOString(),
  });
  const url = `http://127.0.0.1:${port}`;
  let child = await spawnWarehouse(dataDir);
  const warehouse = createWarehouse({ url, key: KEY });
  await warehouse.setUp();
  const ended = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, 'exit') as Promise<[number | null]>;
    child.kill(signal);
    return (await exit)[0];
  };
  return {
    url,
    key: KEY,
    dataDir,
    warehouse,
    get process() {
      return child;
    },
    async crash() {
      await ended('SIGKILL');
      child = await spawnWarehouse(dataDir);
    },
    async terminate() {
      const from = Date.now();
      return { code: await ended('SIGTERM'), ms: Date.now() - from };
    },
    async stop() {
      await warehouse.close();
      await ended('SIGKILL');
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function spawnWarehouse(dataDir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [BIN], {
    env: { ...process.env, KAIROS_DATA_DIR: dataDir, KAIROS_SHOP: 'none', WAREHOUSE_KEY: KEY },
    // A pipe for stdin: the process ends with this one.
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
  for await (const line of createInterface({ input: child.stdout! })) {
    if (line.includes('"ready":true')) return child;
  }
  throw new Error(`the warehouse did not start: ${log}`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
