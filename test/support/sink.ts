import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

/** What a sink took: the envelope, and the bytes after the server has undone the dot stuffing. */
export interface TakenMail {
  readonly from: string;
  readonly to: string[];
  readonly data: string;
}

export interface Sink {
  readonly port: number;
  readonly mails: TakenMail[];
  close(): Promise<void>;
}

/** A refusal for the server's hooks, which is sent as its reply. */
export function smtpRefusal(code: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode: code });
}

/** A real SMTP server (the `smtp-server` package) on loopback that keeps what it takes. */
export async function startSmtpServer(
  options: SMTPServerOptions = {},
  judge: (mail: TakenMail) => Error | null = () => null,
  port = 0,
): Promise<Sink> {
  const mails: TakenMail[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    ...options,
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        const mail = {
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map((recipient) => recipient.address),
          data: Buffer.concat(chunks).toString('latin1'),
        };
        const refusal = judge(mail);
        if (refusal !== null) return callback(refusal);
        mails.push(mail);
        return callback(null, 'Ok: queued as 4Xyz');
      });
    },
  });
  server.on('error', () => {});
  server.listen(port, '127.0.0.1');
  await once(server.server, 'listening');
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

export type Stage = 'greeting' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'content' | 'rset' | 'quit';

/** What a scripted server does instead of the usual reply. */
export interface Deed {
  /** One or more whole lines, without the last CRLF. */
  readonly reply?: string;
  readonly delayMs?: number;
  /** Ends the connection, after the reply where there is one. */
  readonly hangUp?: boolean;
}

export interface ScriptedSink extends Sink {
  /** Every command as it came, over all connections. */
  readonly commands: string[];
  /** Connections that were opened. */
  connections(): number;
}

export interface Script {
  /** Lines of the EHLO reply after the first; PIPELINING and 8BITMIME by default. */
  readonly extensions?: readonly string[];
  /** `count` is how often this stage was reached, over all connections. */
  act?(stage: Stage, argument: string, count: number): Deed | undefined;
}

/**
 * A small server that keeps to the order of commands strictly, and misbehaves where its script says so: real servers
 * cannot be made to break off at a chosen point.
 */
export async function startScriptedSink(script: Script = {}): Promise<ScriptedSink> {
  const mails: TakenMail[] = [];
  const commands: string[] = [];
  const counts = new Map<Stage, number>();
  const sockets = new Set<net.Socket>();
  let connections = 0;
  const server = net.createServer({ noDelay: true }, (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    new ScriptedSession(socket, script, mails, commands, counts).start();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    commands,
    connections: () => connections,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

class ScriptedSession {
  readonly #socket: net.Socket;
  readonly #script: Script;
  readonly #mails: TakenMail[];
  readonly #commands: string[];
  readonly #counts: Map<Stage, number>;
  #input = '';
  #from: string | null = null;
  #to: string[] = [];
  #inContent = false;
  #waiting = false;

  constructor(
    socket: net.Socket,
    script: Script,
    mails: TakenMail[],
    commands: string[],
    counts: Map<Stage, number>,
  ) {
    this.#socket = socket;
    this.#script = script;
    this.#mails = mails;
    this.#commands = commands;
    this.#counts = counts;
  }

  start(): void {
    this.#socket.on('data', (chunk) => {
      this.#input += chunk.toString('latin1');
      this.#read();
    });
    this.#answer('greeting', '', '220 scripted ESMTP');
  }

  #read(): void {
    while (!this.#waiting && !this.#socket.destroyed) {
      const mark = this.#inContent ? '\r\n.\r\n' : '\r\n';
      const end = this.#input.indexOf(mark);
      if (end < 0) return;
      const text = this.#input.slice(0, end);
      this.#input = this.#input.slice(end + mark.length);
      if (this.#inContent) this.#onContent(`${text}\r\n`);
      else this.#onCommand(text);
    }
  }

  #onCommand(line: string): void {
    this.#commands.push(line);
    const [verb = ''] = line.split(/[ :]/);
    const extensions = this.#script.extensions ?? ['PIPELINING', '8BITMIME', 'SIZE 1000000'];
    switch (verb.toUpperCase()) {
      case 'EHLO':
        return this.#answer(
          'ehlo',
          line,
          ['scripted', ...extensions]
            .map((text, at, all) => `250${at === all.length - 1 ? ' ' : '-'}${text}`)
            .join('\r\n'),
        );
      case 'MAIL':
        if (this.#from !== null) return this.#say('503 nested MAIL');
        return this.#answer('mail', line, '250 2.1.0 Ok', () => {
          this.#from = /<(.*)>/.exec(line)![1]!;
        });
      case 'RCPT':
        if (this.#from === null) return this.#say('503 need MAIL');
        return this.#answer('rcpt', line, '250 2.1.5 Ok', () => {
          this.#to.push(/<(.*)>/.exec(line)![1]!);
        });
      case 'DATA':
        if (this.#to.length === 0) return this.#say('554 5.5.1 no valid recipients');
        return this.#answer('data', line, '354 go on', () => {
          this.#inContent = true;
          // An empty content ends with a dot on the very next line.
          this.#input = `\r\n${this.#input}`;
        });
      case 'RSET':
        this.#reset();
        return this.#answer('rset', line, '250 Ok');
      case 'QUIT':
        return this.#answer('quit', line, '221 Bye', () => this.#socket.end());
      default:
        return this.#say('502 unknown');
    }
  }

  #onContent(content: string): void {
    this.#inContent = false;
    const data = content.slice(2).replace(/(^|\r\n)\.\./g, '$1.');
    const mail = { from: this.#from!, to: this.#to, data };
    this.#reset();
    this.#answer('content', data, '250 2.0.0 Ok: queued', () => this.#mails.push(mail));
  }

  #reset(): void {
    this.#from = null;
    this.#to = [];
  }

  #answer(stage: Stage, argument: string, usual: string, onGood: () => void = () => {}): void {
    const count = (this.#counts.get(stage) ?? 0) + 1;
    this.#counts.set(stage, count);
    const deed = this.#script.act?.(stage, argument, count) ?? {};
    const reply = deed.reply ?? usual;
    const finish = (): void => {
      this.#waiting = false;
      if (/^[23]/.test(reply) && deed.hangUp !== true) onGood();
      if (deed.hangUp !== true || deed.reply !== undefined) this.#say(reply);
      if (deed.hangUp === true) this.#socket.end();
      this.#read();
    };
    if (deed.delayMs === undefined) return finish();
    this.#waiting = true;
    setTimeout(finish, deed.delayMs).unref();
  }

  #say(reply: string): void {
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(`${reply}\r\n`);
  }
}
