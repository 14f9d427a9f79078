import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild, runScript } from '../support/child.ts';
import type { PostfixTools } from '../support/postfix.ts';
import { benchLetter } from './letter.ts';

/** One run of one sender over loopback to the sink. */
export interface PeerRun {
  readonly messages: number;
  readonly seconds: number;
  /** Of the sending process; user and system. */
  readonly cpuMicrosPerMessage: number;
  readonly peakMiB: number;
}

/**
 * - `nodemailer-pool`: nodemailer composes and sends html + text; the texts are rendered by our renderer.
 * - `nodemailer-raw`: nodemailer sends one ready message again and again.
 * - `smtp-source`: Postfix's load generator, in C, sends the same bytes again and again.
 * - `kairos`: our pipelining transport; renders, tracks and composes each mail. `kairos-nodemailer`: the same over
 *   nodemailer's SMTPConnection. `kairos-fixed`: the transport alone, one ready message.
 */
export type ScriptedPeer =
  | 'nodemailer-pool'
  | 'nodemailer-raw'
  | 'kairos'
  | 'kairos-nodemailer'
  | 'kairos-fixed';
export type PeerName = ScriptedPeer | 'smtp-source';

export interface PeerOptions {
  readonly count: number;
  readonly sessions: number;
  readonly sinkPort: number;
  readonly tools: PostfixTools;
}

export async function runPeer(name: PeerName, options: PeerOptions): Promise<PeerRun> {
  if (name === 'smtp-source') {
    // It gives up at its first lost connection, which it meets now and then on a busy machine: once more, then.
    return runSmtpSource(options).catch(() => runSmtpSource(options));
  }
  const { count, sessions, sinkPort } = options;
  const script = join(import.meta.dirname, 'send.ts');
  return runScript<PeerRun>(script, [name, String(count), String(sessions), String(sinkPort)]);
}

/** Bytes of one mail on the wire, with its headers. */
export async function letterBytes(): Promise<number> {
  const { campaign, person } = await benchLetter();
  return campaign.build(person(1)).length;
}

async function runSmtpSource({ count, sessions, sinkPort, tools }: PeerOptions): Promise<PeerRun> {
  const folder = mkdtempSync(join(tmpdir(), 'kairos-bench-source-'));
  try {
    const { campaign, person } = await benchLetter();
    const file = join(folder, 'message');
    // It adds CRLF to each line of the file by itself.
    writeFileSync(file, campaign.build(person(1)).toString('latin1').replaceAll('\r\n', '\n'));
    const args = ['-d', '-s', String(sessions), '-m', String(count), '-F', file];
    const target = ['-f', campaign.from, '-t', person(1).address, `127.0.0.1:${sinkPort}`];
    // Only the shell that waited for a process knows what it has used.
    const timed = ['-c', 'TIMEFORMAT="%R %U %S"; time "$0" "$@"', tools.source, ...args, ...target];
    const { stderr } = await runChild('bash', timed, { ...tools.env, LC_ALL: 'C' });
    const [seconds = 0, user = 0, system = 0] = stderr
      .trim()
      .split('\n')
      .at(-1)!
      .split(' ')
      .map(Number);
    return {
      messages: count,
      seconds,
      cpuMicrosPerMessage: ((user + system) * 1_000_000) / count,
      peakMiB: Number.NaN,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
