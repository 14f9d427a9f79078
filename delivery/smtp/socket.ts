import net from 'node:net';
import tls from 'node:tls';
import type { ResolvedSmtpOptions } from './transport.ts';

/** Where the bytes of one connection go. */
export interface SocketEvents {
  onText(latin1: string): void;
  onOpen(): void;
  /** Called once, whatever ended the connection. */
  onEnd(error: NodeJS.ErrnoException | null): void;
}

/** Replies are short: one buffer per connection, used again for each read, spares an allocation per message. */
const READ_BYTES = 16_384;

/** A connection and its listeners, so that an upgrade can take the one without the others. */
export interface OpenedSocket {
  readonly socket: net.Socket;
  release(): void;
}

/** Opens the connection; with `implicit` security the certificate is verified before `onOpen`. */
export function openSocket(options: ResolvedSmtpOptions, events: SocketEvents): OpenedSocket {
  const implicit = options.security === 'implicit';
  const target = { host: options.host, port: options.port, noDelay: true };
  // A socket that is upgraded later must not have a reader of its own, it would swallow the handshake.
  const reader =
    options.security === 'starttls' ? {} : { onread: reusingReader((text) => events.onText(text)) };
  const socket = implicit
    ? tls.connect({ ...target, ...reader, ...tlsOptions(options) })
    : net.connect({ ...target, ...reader });
  socket.once(implicit ? 'secureConnect' : 'connect', () => events.onOpen());
  return listen(socket, events, options.security === 'starttls');
}

/** Wraps a connection whose server has agreed to STARTTLS. Nothing may have been read beyond that reply. */
export function upgradeSocket(
  plain: OpenedSocket,
  options: ResolvedSmtpOptions,
  events: SocketEvents,
): OpenedSocket {
  plain.release();
  const socket = tls.connect({ socket: plain.socket, ...tlsOptions(options) });
  socket.once('secureConnect', () => events.onOpen());
  return listen(socket, events, true);
}

function reusingReader(onText: (latin1: string) => void): net.OnReadOpts {
  return {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback(size, buffer) {
      onText((buffer as Buffer).toString('latin1', 0, size));
      return true;
    },
  };
}

function tlsOptions(options: ResolvedSmtpOptions): tls.ConnectionOptions {
  const { ca, servername } = options.tls ?? {};
  const name = servername ?? (net.isIP(options.host) ? undefined : options.host);
  return {
    host: options.host,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(name === undefined ? {} : { servername: name }),
    ...(ca === undefined ? {} : { ca }),
  };
}

function listen(socket: net.Socket, events: SocketEvents, readsText: boolean): OpenedSocket {
  let failure: NodeJS.ErrnoException | null = null;
  const onError = (cause: Error): void => {
    failure = cause;
  };
  const onClose = (): void => events.onEnd(failure);
  const onData = (chunk: Buffer): void => events.onText(chunk.toString('latin1'));
  socket.on('error', onError);
  socket.once('close', onClose);
  if (readsText) socket.on('data', onData);
  return {
    socket,
    release() {
      // Its errors now come through the wrapping socket; without any listener they would end the process.
      socket.on('error', () => {});
      socket.off('error', onError);
      socket.off('close', onClose);
      socket.off('data', onData);
    },
  };
}
