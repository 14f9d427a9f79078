import { type Reply, replyResult } from './reply.ts';
import {
  type DeliveryResult,
  type DeliveryStage,
  type RelayFacts,
  type ResolvedSmtpOptions,
  silentResult,
} from './transport.ts';

/** What the server announced, from its EHLO reply. */
export interface Capabilities extends RelayFacts {
  readonly pipelining: boolean;
  readonly eightBit: boolean;
  /** Largest message it takes; null where it does not say, 0 where it says that it knows no bound. */
  readonly sizeMax: number | null;
}

/** The two things a handshake needs from its connection. */
export interface Conversation {
  /** Writes `text` (nothing where empty) and resolves with the reply; rejects when the connection ends before. */
  ask(text: string, stage: DeliveryStage): Promise<Reply>;
  /** Replaces the connection by an encrypted one. */
  upgrade(): Promise<void>;
}

/** Why a connection could not be made ready; nothing of any message was written. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
  readonly result: DeliveryResult;

  constructor(result: DeliveryResult) {
    super(`SMTP handshake failed at ${result.stage}`);
    this.result = result;
  }
}

/** From the greeting to a session that may send mail. Throws {@link HandshakeError}. */
export async function shakeHands(
  conversation: Conversation,
  options: ResolvedSmtpOptions,
): Promise<Capabilities> {
  const greeting = await conversation.ask('', 'greeting');
  if (greeting.code !== 220) throw refusal('greeting', greeting);
  let secured = options.security === 'implicit';
  let ehlo = await sayHello(conversation, options.clientName, !secured);
  if (options.security === 'starttls') {
    if (!keywords(ehlo).has('STARTTLS')) {
      throw silence(
        'tls',
        'the server offers no STARTTLS, and sending in the clear is not allowed',
      );
    }
    const reply = await conversation.ask('STARTTLS\r\n', 'tls');
    if (reply.code !== 220) throw refusal('tls', reply);
    await conversation.upgrade();
    secured = true;
    // RFC 3207 §4.2: what was said before the upgrade counts for nothing.
    ehlo = await sayHello(conversation, options.clientName, false);
  }
  const known = keywords(ehlo);
  if (options.auth) await authenticate(conversation, options.auth, known.get('AUTH') ?? '');
  const size = known.get('SIZE');
  return {
    secured,
    extensions: [...known.keys()],
    pipelining: known.has('PIPELINING'),
    eightBit: known.has('8BITMIME'),
    sizeMax: size === undefined ? null : Number(/^\d{1,15}$/.exec(size)?.[0] ?? 0),
  };
}

async function sayHello(
  conversation: Conversation,
  name: string,
  mayFallBack: boolean,
): Promise<Reply> {
  const ehlo = await conversation.ask(`EHLO ${name}\r\n`, 'ehlo');
  if (ehlo.code === 250) return ehlo;
  if (!mayFallBack || ehlo.code < 500) throw refusal('ehlo', ehlo);
  const helo = await conversation.ask(`HELO ${name}\r\n`, 'ehlo');
  if (helo.code !== 250) throw refusal('ehlo', helo);
  return { code: 250, lines: helo.lines.slice(0, 1) };
}

/** The extensions' keywords with their parameters; the first line is the server's name. */
function keywords(ehlo: Reply): Map<string, string> {
  const known = new Map<string, string>();
  for (const line of ehlo.lines.slice(1)) {
    // `AUTH=LOGIN` is how servers spelt it before RFC 2554.
    const [word = '', ...rest] = line.trim().split(/[ =]+/);
    if (word !== '' && !known.has(word.toUpperCase())) {
      known.set(word.toUpperCase(), rest.join(' ').toUpperCase());
    }
  }
  return known;
}

async function authenticate(
  conversation: Conversation,
  auth: { readonly user: string; readonly password: string },
  offered: string,
): Promise<void> {
  const ways = offered.split(' ');
  let reply: Reply;
  if (ways.includes('PLAIN')) {
    reply = await conversation.ask(
      `AUTH PLAIN ${base64(`\0${auth.user}\0${auth.password}`)}\r\n`,
      'auth',
    );
  } else if (ways.includes('LOGIN')) {
    reply = await conversation.ask('AUTH LOGIN\r\n', 'auth');
    if (reply.code !== 334) throw refusal('auth', reply);
    reply = await conversation.ask(`${base64(auth.user)}\r\n`, 'auth');
    if (reply.code !== 334) throw refusal('auth', reply);
    reply = await conversation.ask(`${base64(auth.password)}\r\n`, 'auth');
  } else {
    throw silence('auth', 'the server offers neither AUTH PLAIN nor AUTH LOGIN');
  }
  if (reply.code !== 235) throw refusal('auth', reply);
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

/** Before MAIL no reply is about a message: whatever the code, the messages can be tried again. */
function refusal(stage: DeliveryStage, reply: Reply): HandshakeError {
  return new HandshakeError(replyResult('deferred', stage, reply));
}

function silence(stage: DeliveryStage, words: string): HandshakeError {
  return new HandshakeError(silentResult('deferred', stage, words));
}
