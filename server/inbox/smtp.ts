import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { callbackify } from 'node:util';
import { SMTPServer, type SMTPServerEnvelope } from 'smtp-server';
import type { MailLog } from './mail-log.ts';
import { decodeWords, readHeaders } from './mime.ts';

/** Mailboxes at this domain do not exist: so that a demo and tests have bounces. */
export const GONE_DOMAIN = 'gone.example.test';

/** What a message may have at most, as mailbox providers have it. */
const MESSAGE_BYTES_MAX = 25 * 2 ** 20;

/** Recipients of one mail that are listed. */
const RECIPIENTS_MAX = 100;

export interface SmtpListener {
  readonly port: number;
  /** Refuses new mail, finishes what is under way. */
  close(): Promise<void>;
}

/** The SMTP side: takes every mail for every address, but those at {@link GONE_DOMAIN}. */
export async function listenSmtp(log: MailLog, port: number): Promise<SmtpListener> {
  const server = new SMTPServer({
    name: 'inbox.kairos.test',
    banner: 'Kairos dev inbox',
    size: MESSAGE_BYTES_MAX,
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    hideSMTPUTF8: true,
    hideENHANCEDSTATUSCODES: false,
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 3_000,
    onRcptTo({ address }, _session, callback) {
      if (address.toLowerCase().endsWith(`@${GONE_DOMAIN}`)) {
        callback(refusal(550, 'No such mailbox here'));
      } else callback();
    },
    onData(stream, { envelope }, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => {
        // Beyond the limit nothing is kept; the stream must be read to its end all the same.
        if (!stream.sizeExceeded) chunks.push(chunk);
      });
      // A client that leaves in the middle of a message: nobody waits for an answer.
      stream.once('error', () => {});
      stream.once('end', () => {
        if (stream.sizeExceeded) {
          callback(refusal(552, 'The message is larger than this server takes'));
        } else {
          receive(envelope, Buffer.concat(chunks), callback);
        }
      });
    },
  });
  const receive = callbackify((envelope: SMTPServerEnvelope, raw: Buffer) =>
    keep(log, envelope, raw),
  );
  // What a client does on its connection is its own affair; errors of the listener itself end the start.
  const listener = server.listen(port, '127.0.0.1');
  await once(listener, 'listening');
  server.on('error', () => {});
  return {
    port: (listener.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** @returns the reply to the client */
async function keep(log: MailLog, envelope: SMTPServerEnvelope, raw: Buffer): Promise<string> {
  const { headers } = readHeaders(raw);
  const mail = {
    receivedAtMs: Date.now(),
    from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
    to: envelope.rcptTo.slice(0, RECIPIENTS_MAX).map(({ address }) => address),
    subject: decodeWords(headers.get('subject') ?? '').slice(0, 500),
    messageId: headers.get('message-id')?.slice(0, 300) ?? null,
  };
  try {
    return `Kept as ${await log.append(mail, raw)}`;
  } catch {
    throw refusal(452, 'The message could not be written to the disk');
  }
}

function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
