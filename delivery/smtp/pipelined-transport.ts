import { callbackify } from 'node:util';
import { type MailerCallback, type MailerMail, type MailerPlugin, sendAsPlugin } from './plugin.ts';
import { SmtpPool } from './pool.ts';
import { SmtpSession } from './session.ts';
import type { RelayFacts, SmtpOptions } from './transport.ts';

/**
 * Sends over a few SMTP sessions that pipeline: one round trip a message. Use `deliver`, or hand it to
 * `nodemailer.createTransport` as a transport plugin.
 */
export class PipelinedTransport extends SmtpPool implements MailerPlugin {
  readonly version = '1';

  constructor(options: SmtpOptions) {
    super('kairos-pipelined', options, (resolved, owner) => new SmtpSession(resolved, owner));
  }

  /** What nodemailer calls for each mail. */
  send(mail: MailerMail, callback: MailerCallback): void {
    sendAsPlugin(this, mail, callback);
  }

  /** With a callback as nodemailer calls it, or with a promise. */
  override verify(): Promise<RelayFacts>;
  override verify(callback: (error: Error | null, ok?: true) => void): void;
  override verify(
    callback?: (error: Error | null, ok?: true) => void,
  ): Promise<RelayFacts> | undefined {
    if (callback === undefined) return super.verify();
    callbackify(() => super.verify())((error) => (error ? callback(error) : callback(null, true)));
    return undefined;
  }
}
