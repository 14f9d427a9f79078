import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import {
  choosePorts,
  type HeldPorts,
  isPortFree,
  PORT_NAMES,
  type Ports,
} from '../../bin/supervisor/ports.ts';

const servers: Server[] = [];
const held: HeldPorts[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const each of held.splice(0)) each.release();
});

async function choose(before: Partial<Ports>, from?: 'random'): Promise<Ports> {
  const chosen = await choosePorts(before, from);
  held.push(chosen);
  return chosen.ports;
}

function letGo(): void {
  for (const each of held.splice(0)) each.release();
}

async function listenOn(port: number, host: string): Promise<void> {
  const server = createServer();
  servers.push(server);
  server.listen(port, host);
  await once(server, 'listening');
}

async function freePort(): Promise<number> {
  const { public: port } = await choose({}, 'random');
  letGo();
  return port;
}

it.each(['127.0.0.1', '0.0.0.0'])('sees a port that is in use on %s', async (host) => {
  const port = await freePort();
  expect(await isPortFree(port)).toBe(true);
  await listenOn(port, host);
  expect(await isPortFree(port)).toBe(false);
});

it('keeps the ports of the last start, and takes the next free one for a port in use', async () => {
  const before = await choose({}, 'random');
  letGo();
  await listenOn(before.public, '127.0.0.1');
  const after = await choose(before);
  expect(after.public).toBeGreaterThan(before.public);
  for (const name of PORT_NAMES.filter((each) => each !== 'public')) {
    expect(after[name]).toBe(before[name]);
  }
});

it('never gives one port to two parts', async () => {
  const port = await freePort();
  const ports = await choose({ temporal: port, public: port, admin: port });
  expect(new Set(Object.values(ports)).size).toBe(PORT_NAMES.length);
});

// macOS has no second loopback address to mark a port on.
it.skipIf(process.platform === 'darwin')('never gives one port to two stacks', async () => {
  const first = await choose({}, 'random');
  // Nothing listens there yet.
  const second = await choose(first);
  const both = [...Object.values(first), ...Object.values(second)];
  expect(new Set(both).size).toBe(both.length);
});
