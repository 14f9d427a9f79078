import { Readable } from 'node:stream';
import SMTPConnection, { type SMTPError } from 'nodemailer/lib/smtp-connection';
import { Deadline } from './deadline.ts';
import type { PoolSession, SessionOwner, Transaction } from './pool-session.ts';
import { SmtpPool } from './pool.ts';
import { replyResult } from './reply.ts';
import {
  type DeliveryResult,
  type DeliveryStage,
  type ResolvedSmtpOptions,
  type SmtpOptions,
  outcomeOfCode,
  silentResult,
} from './transport.ts';
import { isEightBit, unstuffed } from './wire.ts';

/** The plain path: nodemailer's own SMTP client under the same pool, one message at a time on a connection. */
export class NodemailerTransport extends SmtpPool {
  constructor(options: SmtpOptions) {
    super('nodemailer', options, (resolved, owner) => new NodemailerSession(resolved, owner));
  }
}

const FAILED_AT: Readonly<Record<string, DeliveryStage>> = {
  CONN: 'connect',
  EHLO: 'ehlo',
  HELO: 'ehlo',
  STARTTLS: 'tls',
  'MAIL FROM': 'mail',
  'RCPT TO': 'rcpt',
  DATA: 'data',
};

class NodemailerSession implements PoolSession {
  readonly #options: ResolvedSmtpOptions;
  readonly #owner: SessionOwner;
  readonly #connection: SMTPConnection;
  readonly #deadline: Deadline;
  #state: 'opening' | 'ready' | 'ended' = 'opening';
  #current: { readonly transaction: Transaction; readonly content: Content } | null = null;
  #resetting = false;
  #delivered = 0;

  constructor(options: ResolvedSmtpOptions, owner: SessionOwner) {
    this.#options = options;
    this.#owner = owner;
    const { connect, greeting, command } = options.timeouts;
    this.#deadline = new Deadline(connect + greeting + 3 * command, () => this.#onDeadline());
    this.#connection = new SMTPConnection(connectionOptions(options));
    this.#connection.on('error', (error: SMTPError) => this.#end(failureOf(error)));
    // A 421 ends the connection before it reaches the message's own callback, which knows more.
    this.#connection.on('end', () =>
      setImmediate(() => this.#end(silentResult('deferred', 'connect', 'connection ended'))),
    );
    this.#connection.connect((error) => {
      if (error) return this.#end(failureOf(error));
      this.#logIn();
    });
  }

  get isFree(): boolean {
    const idle = this.#current === null && !this.#resetting;
    return this.#state === 'ready' && idle && !this.#connection.destroyed;
  }

  get delivered(): number {
    return this.#delivered;
  }

  work(): void {
    if (!this.isFree) return;
    if (this.#delivered >= this.#options.messagesPerSession) return this.quit();
    const transaction = this.#owner.next();
    if (transaction !== undefined) this.#send(transaction);
  }

  quit(): void {
    if (this.#state === 'ready' && !this.isFree) return;
    if (this.#state === 'ready') this.#connection.quit();
    this.#end(this.#state === 'ready' ? null : silentResult('deferred', 'connect', 'closed'));
  }

  destroy(words: string): void {
    this.#end(silentResult('deferred', 'connect', words));
  }

  #logIn(): void {
    const { auth } = this.#options;
    if (auth === undefined) return this.#onReady();
    this.#connection.login({ user: auth.user, pass: auth.password }, (error) => {
      if (error) return this.#end({ ...failureOf(error), stage: 'auth' });
      this.#onReady();
    });
  }

  #onReady(): void {
    if (this.#state !== 'opening') return;
    this.#state = 'ready';
    this.#owner.ready(this, { secured: this.#connection.secure, extensions: [] });
    this.#onFree();
  }

  #onFree(): void {
    if (!this.isFree) return;
    this.#deadline.set(this.#options.timeouts.idle);
    this.#owner.free(this);
  }

  #send(transaction: Transaction): void {
    const { command, content: reply } = this.#options.timeouts;
    const { mail, data } = transaction;
    const content = new Content(unstuffed(data), () => this.#deadline.set(reply));
    this.#current = { transaction, content };
    this.#deadline.set(3 * command);
    const envelope = {
      from: mail.from,
      to: [mail.to],
      size: data.length,
      use8BitMime: isEightBit(data),
    };
    this.#connection.send(envelope, content, (error, info) => {
      if (this.#current?.transaction !== transaction) return;
      if (error) return this.#onFailure(transaction, error);
      this.#current = null;
      this.#delivered += 1;
      transaction.settle(resultOfReply('content', String(info?.response ?? '')));
      this.#onFree();
    });
  }

  #onFailure(transaction: Transaction, error: SMTPError): void {
    // A 421 to a pipelined RCPT is the one reply to an envelope that comes as an error of the connection.
    const atRecipient =
      error.code === 'ECONNECTION' && error.responseCode === 421 && !this.#hasBegun();
    const early = error.code === 'EENVELOPE' || atRecipient;
    const answered = error.response === undefined || codeOf(error.response) > 0;
    if (!answered || (!early && error.code !== 'EMESSAGE')) return this.#end(failureOf(error));
    this.#current = null;
    const inEnvelope = atRecipient ? 'rcpt' : (FAILED_AT[error.command ?? ''] ?? 'mail');
    const stage = early ? inEnvelope : 'content';
    const rotated = early && error.responseCode === 421 && this.#delivered > 0;
    if (rotated) this.#owner.again(transaction, failureOf(error));
    else if (error.response) transaction.settle(resultOfReply(stage, error.response));
    else transaction.settle(silentResult('refused', 'mail', error.message));
    if (!rotated) this.#delivered += 1;
    if (error.responseCode === 421) return this.#end(failureOf(error));
    this.#resetting = true;
    this.#connection.reset((failed) => {
      this.#resetting = false;
      if (failed) return this.#end(failureOf(failed));
      this.#onFree();
    });
  }

  #hasBegun(): boolean {
    return this.#current?.content.readableDidRead === true;
  }

  #onDeadline(): void {
    if (this.isFree) return this.quit();
    this.#end(silentResult('deferred', 'connect', 'no reply in time'));
  }

  #end(why: DeliveryResult | null): void {
    if (this.#state === 'ended') return;
    const useless = this.#state === 'opening' || (this.#delivered === 0 && why !== null);
    this.#state = 'ended';
    this.#deadline.clear();
    if (why !== null) this.#connection.close();
    const reason = why ?? silentResult('deferred', 'connect', 'closed');
    const current = this.#current;
    this.#current = null;
    // nodemailer ends the content by itself once it has begun to read it: from then on it may have arrived.
    if (current?.content.readableDidRead) {
      current.transaction.settle(silentResult('lost', 'content', reason.reply));
    } else if (current) {
      this.#owner.again(current.transaction, reason);
    }
    this.#owner.ended(this, useless ? reason : null);
  }
}

/** The content as a stream, so that it is known whether the server has asked for it. */
class Content extends Readable {
  readonly #data: Buffer;
  readonly #onBegun: () => void;

  constructor(data: Buffer, onBegun: () => void) {
    super();
    this.#data = data;
    this.#onBegun = onBegun;
  }

  override _read(): void {
    this.#onBegun();
    this.push(this.#data);
    this.push(null);
  }
}

function connectionOptions(options: ResolvedSmtpOptions): SMTPConnection.Options {
  const { security, timeouts, tls } = options;
  return {
    host: options.host,
    port: options.port,
    name: options.clientName,
    secure: security === 'implicit',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'plain',
    connectionTimeout: timeouts.connect,
    greetingTimeout: timeouts.greeting,
    socketTimeout: Math.max(timeouts.content, timeouts.idle),
    socketCloseTimeout: 0,
    logger: false,
    tls: {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ...(tls?.servername === undefined ? {} : { servername: tls.servername }),
      ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    },
  };
}

function resultOfReply(stage: DeliveryStage, response: string): DeliveryResult {
  const code = codeOf(response);
  const lines = response.split(/\r?\n/).map((line) => line.replace(/^\d{3}[ -]?/, ''));
  return replyResult(outcomeOfCode(code), stage, { code, lines });
}

/** 0 where the server said something that is no reply. */
function codeOf(response: string): number {
  return Number(/^[2-5]\d\d(?=[ -]|$)/.exec(response)?.[0] ?? 0);
}

/** Why a connection failed, without the words of the error: they may hold an address. */
function failureOf(error: SMTPError): DeliveryResult {
  const stage = FAILED_AT[error.command ?? ''] ?? 'connect';
  if (error.response) return { ...resultOfReply(stage, error.response), outcome: 'deferred' };
  return silentResult('deferred', stage, `connection failed: ${error.code ?? 'closed'}`);
}
