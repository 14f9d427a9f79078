import { createServer, type Server } from 'node:net';
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
export async function isPortFree(port: number): Promise<boolean> {
  const server = await listen(port, '127.0.0.1');
  if (typeof server === 'string') return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

/**
 * Ports that are kept for one supervisor until `release()`. Seconds pass between the choice of a port and the moment
 * when its process listens there; another supervisor that starts meanwhile must not choose the same one.
 */
export interface HeldPorts {
  ports: Ports;
  release(): void;
}

/**
 * A free port for each name: the one it had before, else the preferred one, else the next free one. Mails that were
 * sent carry the public port in their links, so a restart must find it again where it can.
 */
export async function choosePorts(
  before: Partial<Ports>,
  from: 'preferred' | 'random' = 'preferred',
): Promise<HeldPorts> {
  const held: Server[] = [];
  const release = (): void => {
    for (const server of held.splice(0)) server.close();
  };
  const taken = new Set<number>();
  const ports: Partial<Ports> = {};
  try {
    for (const name of PORT_NAMES) {
      const first = before[name] ?? (from === 'random' ? randomPort() : PREFERRED_PORTS[name]);
      ports[name] = await holdNextFree(first, taken, held);
      taken.add(ports[name]);
    }
  } catch (error) {
    release();
    throw error;
  }
  return { ports: ports as Ports, release };
}

/** Tests of several checkouts run at once: far apart, and below the range of outgoing connections. */
function randomPort(): number {
  return 20_000 + Math.floor(Math.random() * 11_000);
}

async function holdNextFree(
  first: number,
  taken: ReadonlySet<number>,
  held: Server[],
): Promise<number> {
  const last = Math.min(first + 500, 65_535);
  for (let port = first; port <= last; port += 1) {
    if (taken.has(port)) continue;
    const mark = await holdMark(port);
    if (mark === 'taken') continue;
    if (await isPortFree(port)) {
      if (mark) held.push(mark);
      return port;
    }
    mark?.close();
  }
  throw new KairosError(
    'CONFIG_INVALID',
    `No free port between ${first} and ${last} on 127.0.0.1: end what listens there, or run Kairos elsewhere.`,
  );
}

/**
 * Listens on the same port of another loopback address: a lock between supervisors that needs no file and ends with its
 * owner, whatever ends that. Null where the system has only 127.0.0.1 (macOS).
 */
async function holdMark(port: number): Promise<Server | null | 'taken'> {
  const server = await listen(port, '127.0.0.2');
  if (typeof server === 'string') return server === 'EADDRINUSE' ? 'taken' : null;
  server.on('connection', (socket) => socket.destroy());
  return server.unref();
}

/** A listening server, or the code of the error. */
function listen(port: number, host: string): Promise<Server | string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}
