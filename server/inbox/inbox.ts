import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { createInboxApp } from './app.ts';
import { MailLog, type MailLogLimits } from './mail-log.ts';
import { listenSmtp } from './smtp.ts';

export interface InboxOptions {
  /** Folder of the mails; made where it is not there. */
  readonly directory: string;
  /** 0 takes any free port. */
  readonly smtpPort: number;
  readonly webPort: number;
  readonly limits?: Partial<MailLogLimits>;
}

export interface Inbox {
  readonly smtpPort: number;
  readonly webPort: number;
  /** Mails that are kept from before. */
  readonly mails: number;
  stop(): Promise<void>;
}

/**
 * Starts the dev inbox: SMTP and a web page, both on 127.0.0.1.
 * @throws Error of the listener, with `code` `EADDRINUSE`, where a port is taken
 */
export async function startInbox(options: InboxOptions): Promise<Inbox> {
  const log = await MailLog.open(options.directory, options.limits);
  const smtp = await listenSmtp(log, options.smtpPort);
  const app = createInboxApp(log, smtp.port);
  const web = createAdaptorServer({ fetch: app.fetch });
  web.listen(options.webPort, '127.0.0.1');
  await once(web, 'listening');
  return {
    smtpPort: smtp.port,
    webPort: (web.address() as AddressInfo).port,
    mails: log.count,
    async stop() {
      const closed = once(web, 'close');
      web.close();
      if ('closeAllConnections' in web) web.closeAllConnections();
      await Promise.all([smtp.close(), closed]);
      await log.close();
    },
  };
}
