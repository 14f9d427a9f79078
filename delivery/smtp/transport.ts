import { formatAddress, parseAddress } from '../../domain/address.ts';
import { KairosError } from '../../domain/errors.ts';

/** One message to one recipient: the envelope is explicit, and never read from the message's headers. */
export interface OutboundMail {
  /** Envelope sender, where bounces go. */
  readonly from: string;
  readonly to: string;
  /**
   * The message as `PreparedMime.build` returns it; any other bytes are brought into wire form first. A function is
   * called when a session takes the message, so that a long queue holds no bodies; what it throws rejects the delivery.
   */
  readonly data: Buffer | (() => Buffer);
  /** Aborting takes the message back if its content has not been written yet; later it changes nothing. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * - `sent`: the server took responsibility (2xx after the final dot).
 * - `refused`: it said no for good (5xx); the same message must not be tried again.
 * - `deferred`: it said not now (4xx), or the content was certainly not taken; safe to try again.
 * - `lost`: the final dot was written and no reply came, so the server may or may not have the message.
 */
export type DeliveryOutcome = 'sent' | 'refused' | 'deferred' | 'lost';

/** Where in the conversation the outcome was decided. `mail` is about the sender, not about this recipient. */
export type DeliveryStage =
  | 'queue'
  | 'connect'
  | 'greeting'
  | 'ehlo'
  | 'tls'
  | 'auth'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'content';

export interface DeliveryResult {
  readonly outcome: DeliveryOutcome;
  readonly stage: DeliveryStage;
  /** The reply's code; 0 where there was no reply. */
  readonly code: number;
  /** Enhanced status (RFC 3463) such as `5.1.1`. */
  readonly enhanced: string | null;
  /**
   * The server's words on one line, or ours where it said nothing. May hold the recipient's address: for the ledger,
   * never for logs, failure messages or heartbeats.
   */
  readonly reply: string;
  /**
   * Set where no connection ever took the message up, because none could be made ready or the transport was closed: the
   * result says nothing of the message, and no attempt at it was made.
   */
  readonly untried?: true;
}

/** What sends: the pipelining client, or nodemailer's connection. One conformance suite runs on both. */
export interface MailTransport {
  readonly name: string;
  /**
   * Resolves once the outcome is known; rejects only where the call itself is wrong (`ADDRESS_INVALID`,
   * `TRANSPORT_FULL`, a closed transport, a `data` function that throws), and then nothing was written.
   */
  deliver(mail: OutboundMail): Promise<DeliveryResult>;
  /** Connects, says EHLO, upgrades and authenticates as a delivery would; rejects with `RELAY_DOWN`. */
  verify(): Promise<RelayFacts>;
  /** Messages taken and not settled yet. */
  pendingCount(): number;
  /** Waits for what is pending, then says QUIT; `force` settles what is pending by how far it got, at once. */
  close(options?: { force?: boolean }): Promise<void>;
}

export interface RelayFacts {
  readonly secured: boolean;
  /** Keywords of the EHLO reply, upper case. */
  readonly extensions: readonly string[];
}

export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  /** `plain`: never TLS, for loopback; `starttls`: upgrade or give up; `implicit`: TLS from the first byte. */
  readonly security: 'plain' | 'starttls' | 'implicit';
  readonly auth?: { readonly user: string; readonly password: string } | undefined;
  /** Certificates to trust beside, and name to expect instead of, the defaults. Verification is never switched off. */
  readonly tls?:
    | { readonly ca?: string | Buffer | undefined; readonly servername?: string | undefined }
    | undefined;
  /** What EHLO says we are: a DNS name or an address literal. */
  readonly clientName?: string | undefined;
  /** Connections at once. */
  readonly sessions?: number | undefined;
  /** Messages after which a connection is ended politely and replaced: relays bound this themselves, less politely. */
  readonly messagesPerSession?: number | undefined;
  /** False never pipelines, whatever the server offers. */
  readonly pipelining?: boolean | undefined;
  /** Messages that may wait; beyond, `deliver` rejects. The caller should have stopped long before. */
  readonly pendingMax?: number | undefined;
  readonly timeouts?: Partial<SmtpTimeouts> | undefined;
}

/** Milliseconds. RFC 5321 §4.5.3.2 allows servers more, but a handed message becomes unknown after 120 s. */
export interface SmtpTimeouts {
  readonly connect: number;
  readonly greeting: number;
  /** EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, RSET. */
  readonly command: number;
  /** From the final dot to its reply. */
  readonly content: number;
  /** An unused connection is ended after this time. */
  readonly idle: number;
}

export interface ResolvedSmtpOptions extends SmtpOptions {
  readonly clientName: string;
  readonly sessions: number;
  readonly messagesPerSession: number;
  readonly pipelining: boolean;
  readonly pendingMax: number;
  readonly timeouts: SmtpTimeouts;
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/;

/** Fills in the defaults. Throws `CONFIG_INVALID` where credentials would cross a network in the clear. */
export function resolveSmtpOptions(options: SmtpOptions): ResolvedSmtpOptions {
  const clientName = options.clientName ?? '[127.0.0.1]';
  if (!/^(?:[A-Za-z0-9.-]{1,253}|\[[A-Za-z0-9.:]{2,64}\])$/.test(clientName)) {
    throw new KairosError(
      'CONFIG_INVALID',
      'The SMTP client name is neither a DNS name nor an address literal in brackets: set it to this host’s name.',
    );
  }
  if (options.auth && options.security === 'plain' && !LOOPBACK.test(options.host)) {
    throw new KairosError(
      'CONFIG_INVALID',
      'SMTP credentials would cross the network unencrypted: set the security to starttls or implicit.',
    );
  }
  return {
    ...options,
    clientName,
    sessions: options.sessions ?? 8,
    messagesPerSession: options.messagesPerSession ?? 1_000,
    pipelining: options.pipelining ?? true,
    pendingMax: options.pendingMax ?? 10_000,
    timeouts: {
      connect: 15_000,
      greeting: 30_000,
      command: 30_000,
      content: 100_000,
      idle: 30_000,
      ...options.timeouts,
    },
  };
}

/**
 * The envelope as it goes on the wire. What the ledger holds must be exactly what the grammar gives back: an address
 * that only looks the same could be read as another one by the next mailer.
 */
export function checkEnvelope(mail: { readonly from: string; readonly to: string }): void {
  checkAddress(mail.from, 'sender');
  checkAddress(mail.to, 'recipient');
}

export function checkAddress(text: string, role: string): void {
  const parsed = parseAddress(text);
  if (parsed === null || formatAddress(parsed) !== text) {
    throw new KairosError(
      'ADDRESS_INVALID',
      `The address of the ${role} is not in normal form (local@domain, ASCII, lower-case domain): normalise it on import.`,
      { role },
    );
  }
}

/** One line without control characters, short enough for a ledger row. */
export function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is removed here
  return text.slice(0, 400).replace(/[\0-\x1f\x7f]+/g, ' ');
}

/** A result without a reply of the server: `words` are ours. */
export function silentResult(
  outcome: DeliveryOutcome,
  stage: DeliveryStage,
  words: string,
): DeliveryResult {
  return { outcome, stage, code: 0, enhanced: null, reply: oneLine(words) };
}

/**
 * What a negative reply means for a message. 503 (bad sequence of commands) says that the session was in the wrong
 * state, not that the message is unwelcome, so it can be tried again.
 */
export function outcomeOfCode(code: number): DeliveryOutcome {
  if (code >= 200 && code < 300) return 'sent';
  return code >= 500 && code !== 503 ? 'refused' : 'deferred';
}
