import { Deadline } from './deadline.ts';
import { HandshakeError, type Capabilities, shakeHands } from './handshake.ts';
import { type Reply, ReplyError, ReplyParser, replyResult } from './reply.ts';
import type { PoolSession, SessionOwner, Transaction } from './pool-session.ts';
import { type OpenedSocket, openSocket, upgradeSocket } from './socket.ts';
import {
  type DeliveryResult,
  type DeliveryStage,
  type ResolvedSmtpOptions,
  outcomeOfCode,
  silentResult,
} from './transport.ts';
import { isEightBit } from './wire.ts';

type Kind = 'ask' | 'reset' | 'mail' | 'rcpt' | 'data' | 'content' | 'empty' | 'quit';

/** A reply that is due. Replies come in the order of their commands, so the first one waits for the next reply. */
interface Due {
  readonly kind: Kind;
  readonly stage: DeliveryStage;
  readonly transaction: Transaction | null;
  readonly answer: { resolve(reply: Reply): void; reject(error: Error): void } | null;
}

/** Contents beyond this are written first and ended once the kernel has taken them: a break before then loses nothing. */
const ONE_WRITE_MAX = 128 * 1_024;
/** A goodbye is waited for, but not for long. */
const QUIT_MS = 2_000;
const END_OF_CONTENT = '.\r\n';

/**
 * One SMTP connection. Where the server offers PIPELINING (RFC 2920), a message's MAIL, RCPT and DATA travel together,
 * behind the content of the message before: one round trip a message. DATA is always the last command of a group, and
 * each reply is checked before content follows.
 */
export class SmtpSession implements PoolSession {
  readonly #options: ResolvedSmtpOptions;
  readonly #owner: SessionOwner;
  readonly #parser = new ReplyParser();
  readonly #due: Due[] = [];
  #opened: OpenedSocket;
  #onOpen: () => void = () => {};
  #capabilities: Capabilities | null = null;
  #pipelining = false;
  #state: 'opening' | 'ready' | 'quitting' | 'ended' = 'opening';
  /** The server may still hold a transaction that was refused halfway. */
  #needsReset = false;
  /** Its MAIL, RCPT or DATA is out, its content is not. */
  #envelope: Transaction | null = null;
  /** What the envelope's first bad reply means; with pipelining its other replies are still to come. */
  #refusal: DeliveryResult | null = null;
  /** Its content is being written or waits for its reply. */
  #content: Transaction | null = null;
  #contentEnded = false;
  #taken = 0;
  #delivered = 0;
  #replied = false;
  readonly #deadline: Deadline;

  constructor(options: ResolvedSmtpOptions, owner: SessionOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#deadline = new Deadline(options.timeouts.connect, () => this.#onDeadline());
    const opened = new Promise<void>((resolve) => {
      this.#onOpen = resolve;
    });
    this.#opened = openSocket(options, this.#events());
    void opened.then(() => this.#shakeHands());
  }

  get delivered(): number {
    return this.#delivered;
  }

  get isFree(): boolean {
    return this.#state === 'ready' && this.#due.length === 0;
  }

  work(): void {
    if (!this.isFree) return;
    if (this.#taken >= this.#options.messagesPerSession) return this.quit();
    const text = this.#openNext();
    if (text !== '') this.#write(text);
  }

  quit(): void {
    if (this.#state === 'opening') return this.#end(silentResult('deferred', 'connect', 'closed'));
    if (!this.isFree) return;
    this.#state = 'quitting';
    this.#expect('quit', 'queue', null);
    this.#deadline.set(QUIT_MS);
    this.#write('QUIT\r\n');
    // Its place is free at once: a server that is slow to say goodbye must not hold up the next connection.
    this.#owner.ended(this, null);
  }

  destroy(words: string): void {
    this.#end(silentResult('deferred', 'connect', words));
  }

  #events() {
    return {
      onText: (latin1: string) => this.#onText(latin1),
      onOpen: () => this.#onOpen(),
      onEnd: (error: NodeJS.ErrnoException | null) => {
        const stage = this.#state === 'opening' ? (this.#due[0]?.stage ?? 'connect') : 'connect';
        this.#end(silentResult('deferred', stage, `connection ended: ${error?.code ?? 'closed'}`));
      },
    };
  }

  // --- The handshake -------------------------------------------------------------------------------------------------

  async #shakeHands(): Promise<void> {
    try {
      const capabilities = await shakeHands(
        {
          ask: (text, stage) =>
            new Promise((resolve, reject) => {
              this.#expect('ask', stage, null, { resolve, reject });
              if (text !== '') this.#write(text);
            }),
          upgrade: () => this.#upgrade(),
        },
        this.#options,
      );
      if (this.#state !== 'opening') return;
      this.#capabilities = capabilities;
      this.#pipelining = this.#options.pipelining && capabilities.pipelining;
      this.#state = 'ready';
      this.#owner.ready(this, capabilities);
      this.#goOn();
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error;
      this.#end(error.result);
    }
  }

  async #upgrade(): Promise<void> {
    // Plaintext that follows the reply would be read as if it had come encrypted.
    if (this.#parser.partial) {
      throw new HandshakeError(silentResult('deferred', 'tls', 'plaintext behind STARTTLS'));
    }
    this.#deadline.set(this.#options.timeouts.command);
    const opened = new Promise<void>((resolve) => {
      this.#onOpen = resolve;
    });
    this.#opened = upgradeSocket(this.#opened, this.#options, this.#events());
    await opened;
  }

  // --- Messages ------------------------------------------------------------------------------------------------------

  /** Takes the next message and returns the commands that open its transaction; '' where there is none to open. */
  #openNext(): string {
    if (this.#taken >= this.#options.messagesPerSession) return '';
    for (;;) {
      const transaction = this.#owner.next();
      if (transaction === undefined) return '';
      const misfit = this.#misfit(transaction);
      if (misfit === null) return this.#open(transaction);
      transaction.settle(misfit);
    }
  }

  #misfit(transaction: Transaction): DeliveryResult | null {
    const { sizeMax, eightBit } = this.#capabilities!;
    if (sizeMax !== null && sizeMax > 0 && transaction.data.length > sizeMax) {
      return silentResult('refused', 'mail', `the message is larger than the server's ${sizeMax}`);
    }
    if (!eightBit && isEightBit(transaction.data)) {
      return silentResult('refused', 'mail', 'the message has 8-bit bytes, the server no 8BITMIME');
    }
    return null;
  }

  #open(transaction: Transaction): string {
    this.#taken += 1;
    this.#envelope = transaction;
    this.#refusal = null;
    const resets = this.#needsReset;
    this.#needsReset = false;
    if (resets) this.#expect('reset', 'mail', transaction);
    if (!this.#pipelining) {
      if (resets) return 'RSET\r\n';
      this.#expect('mail', 'mail', transaction);
      return this.#mailCommand(transaction);
    }
    this.#expect('mail', 'mail', transaction);
    this.#expect('rcpt', 'rcpt', transaction);
    this.#expect('data', 'data', transaction);
    const envelope = `${this.#mailCommand(transaction)}RCPT TO:<${transaction.mail.to}>\r\nDATA\r\n`;
    return resets ? `RSET\r\n${envelope}` : envelope;
  }

  #mailCommand(transaction: Transaction): string {
    const { sizeMax } = this.#capabilities!;
    const size = sizeMax === null ? '' : ` SIZE=${transaction.data.length}`;
    const body = isEightBit(transaction.data) ? ' BODY=8BITMIME' : '';
    return `MAIL FROM:<${transaction.mail.from}>${size}${body}\r\n`;
  }

  /** The server waits for the content: writes it, its end, and the next envelope behind it. */
  #writeContent(transaction: Transaction): void {
    if (transaction.mail.signal?.aborted === true) {
      // Only breaking the connection takes back a DATA command.
      this.#envelope = null;
      transaction.settle(silentResult('deferred', 'data', 'aborted before its content'));
      return this.#end(silentResult('deferred', 'connect', 'a message was taken back'));
    }
    this.#envelope = null;
    this.#content = transaction;
    this.#contentEnded = false;
    this.#expect('content', 'content', transaction);
    const { socket } = this.#opened;
    if (transaction.data.length > ONE_WRITE_MAX) {
      socket.write(transaction.data, (error) => {
        if (!error && this.#content === transaction && this.#state === 'ready') this.#endContent();
      });
      return;
    }
    socket.cork();
    socket.write(transaction.data);
    this.#endContent();
    socket.uncork();
  }

  #endContent(): void {
    this.#contentEnded = true;
    this.#write(this.#pipelining ? END_OF_CONTENT + this.#openNext() : END_OF_CONTENT);
  }

  /** After a transaction has ended without its successor's commands being out already. */
  #goOn(): void {
    if (!this.isFree) return;
    this.#deadline.set(this.#options.timeouts.idle);
    this.#owner.free(this);
  }

  // --- Replies -------------------------------------------------------------------------------------------------------

  #onText(latin1: string): void {
    if (this.#state === 'ended') return;
    this.#replied = false;
    try {
      this.#parser.push(latin1, (reply) => this.#onReply(reply));
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      return this.#end(silentResult('deferred', 'connect', `not SMTP: ${error.message}`));
    }
    // Only a whole reply buys time: a server that trickles its bytes must not hold a message for ever.
    const [next] = this.#due;
    if (this.#replied && next) this.#deadline.set(this.#timeoutOf(next.kind, next.stage));
  }

  #onReply(reply: Reply): void {
    if (this.#state === 'ended') return;
    this.#replied = true;
    const due = this.#due.shift();
    if (due === undefined) {
      // A server that is about to close may say so unasked; anything else would shift every later reply.
      const words = reply.code === 421 ? 'the server closes the session' : 'an unasked reply';
      return this.#end(replyResult('deferred', 'connect', { code: reply.code, lines: [words] }));
    }
    if (due.kind === 'ask') return due.answer!.resolve(reply);
    if (due.kind === 'quit') return this.#end(null);
    const closing = reply.code === 421;
    if (due.kind === 'content') this.#onContentReply(due.transaction!, reply);
    else if (due.kind === 'empty') this.#goOn();
    else this.#onEnvelopeReply(due, reply);
    if (closing) this.#end(replyResult('deferred', due.stage, reply));
  }

  #onContentReply(transaction: Transaction, reply: Reply): void {
    if (reply.code < 400 && (reply.code >= 300 || !this.#contentEnded)) return this.#misplaced();
    this.#content = null;
    this.#delivered += 1;
    transaction.settle(replyResult(outcomeOfCode(reply.code), 'content', reply));
    // A reply in the middle of the content can only be a refusal, and the rest of the content is not worth sending.
    if (!this.#contentEnded) return this.#end(replyResult('deferred', 'content', reply));
    this.#goOn();
  }

  #onEnvelopeReply(due: Due, reply: Reply): void {
    const transaction = due.transaction!;
    if (due.kind === 'reset' && reply.code >= 300) return this.#misplaced();
    const good = due.kind === 'data' ? reply.code === 354 : reply.code >= 200 && reply.code < 300;
    if (!good && reply.code < 400 && this.#refusal === null) return this.#misplaced();
    if (due.kind === 'data') return this.#onDataReply(transaction, reply);
    if (!good && this.#refusal === null) {
      if (reply.code === 421 && this.#delivered > 0) return; // Rotation: another session takes it, see #end.
      this.#refusal = replyResult(outcomeOfCode(reply.code), due.stage, reply);
      if (due.kind !== 'mail') this.#needsReset = true;
    }
    if (this.#pipelining) return;
    if (this.#refusal !== null) return this.#refuse(transaction);
    this.#nextStep(due.kind, transaction);
  }

  /** Without PIPELINING each command waits for the reply to the one before. */
  #nextStep(answered: Kind, transaction: Transaction): void {
    if (answered === 'reset') {
      this.#expect('mail', 'mail', transaction);
      this.#write(this.#mailCommand(transaction));
    } else if (answered === 'mail') {
      this.#expect('rcpt', 'rcpt', transaction);
      this.#write(`RCPT TO:<${transaction.mail.to}>\r\n`);
    } else {
      this.#expect('data', 'data', transaction);
      this.#write('DATA\r\n');
    }
  }

  #onDataReply(transaction: Transaction, reply: Reply): void {
    if (this.#refusal === null) {
      if (reply.code === 354) return this.#writeContent(transaction);
      if (reply.code === 421 && this.#delivered > 0) return;
      this.#refusal = replyResult(outcomeOfCode(reply.code), 'data', reply);
      this.#needsReset = true;
      return this.#refuse(transaction);
    }
    if (reply.code === 354) {
      // RFC 2920 §3.1: DATA was taken although no recipient was; the message that ends at once has nobody to go to.
      const refusedSender = this.#refusal.stage === 'mail';
      this.#settleRefusal(transaction);
      if (refusedSender) return this.#misplaced();
      this.#needsReset = false;
      this.#expect('empty', 'data', null);
      return this.#write(END_OF_CONTENT);
    }
    this.#needsReset = true;
    this.#refuse(transaction);
  }

  #refuse(transaction: Transaction): void {
    this.#settleRefusal(transaction);
    this.#goOn();
  }

  #settleRefusal(transaction: Transaction): void {
    const refusal = this.#refusal!;
    this.#refusal = null;
    this.#envelope = null;
    this.#delivered += 1;
    transaction.settle(refusal);
  }

  #misplaced(): void {
    this.#end(silentResult('deferred', 'connect', 'a reply that does not fit its command'));
  }

  // --- The connection ------------------------------------------------------------------------------------------------

  #expect(
    kind: Kind,
    stage: DeliveryStage,
    transaction: Transaction | null,
    answer: Due['answer'] = null,
  ): void {
    if (this.#due.length === 0) this.#deadline.set(this.#timeoutOf(kind, stage));
    this.#due.push({ kind, stage, transaction, answer });
  }

  #write(text: string): void {
    this.#opened.socket.write(text, 'latin1');
  }

  #timeoutOf(kind: Kind, stage: DeliveryStage): number {
    const { timeouts } = this.#options;
    if (kind === 'content') return timeouts.content;
    return stage === 'greeting' ? timeouts.greeting : timeouts.command;
  }

  #onDeadline(): void {
    if (this.isFree) return this.quit();
    const stage = this.#due[0]?.stage ?? 'connect';
    this.#end(silentResult('deferred', stage, 'no reply in time'));
  }

  /** Settles what is under way by how far it got. `why` is null after QUIT. */
  #end(why: DeliveryResult | null): void {
    if (this.#state === 'ended') return;
    const hasLeft = this.#state === 'quitting';
    const useless = this.#state === 'opening' || (this.#delivered === 0 && why !== null);
    this.#state = 'ended';
    this.#deadline.clear();
    this.#opened.socket.destroy();
    const reason = why ?? silentResult('deferred', 'connect', 'closed');
    for (const due of this.#due.splice(0)) due.answer?.reject(new HandshakeError(reason));
    const content = this.#content;
    const envelope = this.#envelope;
    this.#content = this.#envelope = null;
    if (content !== null && this.#contentEnded) {
      content.settle(silentResult('lost', 'content', reason.reply));
    } else if (content !== null) {
      this.#owner.again(content, reason);
    }
    if (envelope !== null && this.#refusal !== null) envelope.settle(this.#refusal);
    else if (envelope !== null) this.#owner.again(envelope, reason);
    if (!hasLeft) this.#owner.ended(this, useless ? reason : null);
  }
}
