import type { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import type { DeliveryResult, MailTransport, OutboundMail } from './transport.ts';

/** What nodemailer hands to a transport plugin, as far as it is used here. */
export interface MailerMail {
  readonly data: { readonly signal?: AbortSignal | undefined };
  readonly message: {
    getEnvelope(): { from: string | false; to: string[] };
    messageId(): string;
    createReadStream(): Readable;
  };
}

export interface MailerInfo {
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
  readonly messageId: string;
  readonly accepted: string[];
  readonly rejected: string[];
  response: string;
}

export type MailerCallback = (error: Error | null, info?: MailerInfo) => void;

export interface MailerPlugin {
  readonly name: string;
  readonly version: string;
  send(mail: MailerMail, callback: MailerCallback): void;
}

/** A delivery that was not `sent`, with the fields that nodemailer's own errors carry. */
export class MailerError extends Error {
  override readonly name = 'MailerError';
  readonly code: 'EENVELOPE' | 'EMESSAGE' | 'ECONNECTION';
  readonly responseCode: number | undefined;
  readonly response: string;
  readonly permanent: boolean;
  readonly result: DeliveryResult;

  constructor(result: DeliveryResult) {
    super(`The message was ${result.outcome} at ${result.stage} (code ${result.code})`);
    const early = result.stage === 'mail' || result.stage === 'rcpt' || result.stage === 'data';
    const inEnvelope = early ? 'EENVELOPE' : 'EMESSAGE';
    this.code = result.code === 0 ? 'ECONNECTION' : inEnvelope;
    this.responseCode = result.code === 0 ? undefined : result.code;
    this.response = result.reply;
    this.permanent = result.outcome === 'refused';
    this.result = result;
  }
}

/** Sends a composed mail, one transaction a recipient; fails where none of them was sent. */
export function sendAsPlugin(
  transport: MailTransport,
  mail: MailerMail,
  callback: MailerCallback,
): void {
  callbackify(sendComposed)(transport, mail, callback);
}

async function sendComposed(transport: MailTransport, mail: MailerMail): Promise<MailerInfo> {
  const { from, to } = mail.message.getEnvelope();
  const info: MailerInfo = {
    envelope: { from: from === false ? '' : from, to },
    messageId: mail.message.messageId(),
    accepted: [],
    rejected: [],
    response: '',
  };
  const data = await readAll(mail.message.createReadStream());
  const results = await Promise.all(
    to.map((recipient) => {
      const outbound: OutboundMail = { from: info.envelope.from, to: recipient, data };
      const { signal } = mail.data;
      return transport.deliver(signal === undefined ? outbound : { ...outbound, signal });
    }),
  );
  results.forEach((result, at) => {
    (result.outcome === 'sent' ? info.accepted : info.rejected).push(to[at]!);
    if (info.response === '' || result.outcome === 'sent') info.response = result.reply;
  });
  const failure = results.find((result) => result.outcome !== 'sent');
  if (failure !== undefined && info.accepted.length === 0) throw new MailerError(failure);
  return info;
}

async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
