import { join } from 'node:path';
import { startInbox } from '../server/inbox/inbox.ts';
import { runProcess } from './process.ts';

/** The dev inbox: takes all mail on loopback and shows it. `KAIROS_INBOX_*` override its places, for tests. */
await runProcess('inbox', async (config) => {
  const { env } = process;
  const inbox = await startInbox({
    directory: env['KAIROS_INBOX_DIR'] ?? join(config.dataDir, 'inbox'),
    smtpPort: port(env['KAIROS_INBOX_SMTP_PORT'], config.ports.smtp),
    webPort: port(env['KAIROS_INBOX_WEB_PORT'], config.ports.inbox),
  });
  const { smtpPort, webPort, mails } = inbox;
  return { details: { smtpPort, webPort, mails }, stop: () => inbox.stop() };
});

function port(text: string | undefined, fallback: number): number {
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : fallback;
}
