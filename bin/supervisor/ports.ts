import { createServer } from 'node:net';
import { KairosError } from '../../domain/errors.ts';

/** The ports that Kairos prefers on one machine; each below the range that outgoing connections take theirs from. */
export const PREFERRED_PORTS = {
  temporal: 7233,
  temporalUi: 8233,
  postgres: 5433,
  warehouse: 8124,
  public: 8080,
  admin: 8081,
  smtp: 2525,
  inbox: 8025,
} as const;

export type PortName = keyof typeof PREFERRED_PORTS;
export type Ports = Record<PortName, number>;

export const PORT_NAMES = Object.keys(PREFERRED_PORTS) as PortName[];

/** Whether a server could listen on that port of 127.0.0.1 now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}

/**
 * A free port for each name: the one it had before, else the preferred one, else the next free one. Mails that were
 * sent carry the public port in their links, so a restart must find it again where it can.
 */
export async function choosePorts(
  before: Partial<Ports>,
  from: 'preferred' | 'random' = 'preferred',
): Promise<Ports> {
  const taken = new Set<number>();
  const ports: Partial<Ports> = {};
  for (const name of PORT_NAMES) {
    const first = before[name] ?? (from === 'random' ? randomPort() : PREFERRED_PORTS[name]);
    const port = await nextFree(first, taken);
    taken.add(port);
    ports[name] = port;
  }
  return ports as Ports;
}

/** Tests of several checkouts run at once: far apart, and below the range of outgoing connections. */
function randomPort(): number {
  return 20_000 + Math.floor(Math.random() * 11_000);
}

async function nextFree(first: number, taken: ReadonlySet<number>): Promise<number> {
  const last = Math.min(first + 500, 65_535);
  for (let port = first; port <= last; port += 1) {
    if (!taken.has(port) && (await isPortFree(port))) return port;
  }
  throw new KairosError(
    'CONFIG_INVALID',
    `No free port between ${first} and ${last} on 127.0.0.1: end what listens there, or run Kairos elsewhere.`,
  );
}
