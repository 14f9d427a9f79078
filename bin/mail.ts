import { PipelinedTransport } from '../delivery/smtp/pipelined-transport.ts';
import type { MailTransport, SmtpOptions } from '../delivery/smtp/transport.ts';
import { KairosError } from '../domain/errors.ts';
import type { Mode } from '../domain/ledger.ts';
import type { Config } from './config.ts';

/** What `smtp://user:password@host:587?security=starttls&sessions=8` says. */
export function smtpOptions(url: string): SmtpOptions {
  const at = new URL(url);
  const implicit = at.protocol === 'smtps:';
  const isLocal = isLoopback(at.hostname);
  const security =
    at.searchParams.get('security') ?? (implicit ? 'implicit' : isLocal ? 'plain' : 'starttls');
  if (security !== 'plain' && security !== 'starttls' && security !== 'implicit') {
    throw new KairosError(
      'CONFIG_INVALID',
      'SMTP_URL has an unknown security; expected plain, starttls or implicit.',
    );
  }
  const sessions = Number(at.searchParams.get('sessions') ?? 8);
  return {
    host: at.hostname.replace(/^\[|\]$/g, ''),
    port: Number(at.port || (implicit ? 465 : 587)),
    security,
    sessions,
    ...(at.username
      ? {
          auth: {
            user: decodeURIComponent(at.username),
            password: decodeURIComponent(at.password),
          },
        }
      : {}),
  };
}

export function isLoopback(hostname: string): boolean {
  return /^(127(\.\d{1,3}){3}|localhost|\[?::1\]?)$/.test(hostname);
}

/** The transport to the relay, or to the dev inbox where no `SMTP_URL` is set. */
export function openTransport(config: Config): MailTransport {
  return new PipelinedTransport(smtpOptions(config.smtp.url.reveal()));
}

/**
 * What a launch through a relay on another machine needs: links that recipients can reach, and the statement that the
 * relay signs what mailbox providers ask for (RFC 8058 §4 wants DKIM over both List-Unsubscribe headers).
 */
export function assertRelaySafe(config: Config): void {
  const relay = new URL(config.smtp.url.reveal());
  if (isLoopback(relay.hostname)) return;
  const link = new URL(config.publicUrl);
  if (link.protocol !== 'https:' || isLoopback(link.hostname)) {
    throw new KairosError(
      'RELAY_UNSAFE',
      'Mail would leave this machine with links that its readers cannot reach or trust: set KAIROS_PUBLIC_URL to the https address of the public listener.',
    );
  }
  if (!config.smtp.relaySignsDkim) {
    throw new KairosError(
      'RELAY_UNSAFE',
      'It is not known that the relay signs DKIM over List-Unsubscribe and List-Unsubscribe-Post, without which Gmail and Yahoo refuse bulk mail: check it with "kairos doctor --mail-to you@…", then set KAIROS_RELAY_SIGNS_DKIM=true.',
    );
  }
}

/** A rehearsal's mails never leave this machine: the launch asks, and the sender asks again before it sends any. */
export function assertRelayFits(config: Pick<Config, 'smtp'>, mode: Mode): void {
  if (mode !== 'rehearsal' || isLoopback(new URL(config.smtp.url.reveal()).hostname)) return;
  throw new KairosError(
    'RELAY_UNSAFE',
    'A rehearsal is handed to the dev inbox or another relay on this machine only, and SMTP_URL names another host: unset SMTP_URL, or launch with --mode simulated, which sends nothing.',
  );
}
