import { createTransport } from 'nodemailer';
import { NodemailerTransport } from '../../delivery/smtp/nodemailer-transport.ts';
import { PipelinedTransport } from '../../delivery/smtp/pipelined-transport.ts';
import type { MailTransport, SmtpOptions } from '../../delivery/smtp/transport.ts';
import { type Letter, benchLetter } from './letter.ts';
import type { PeerRun, ScriptedPeer } from './peers.ts';

/**
 * Sends the bench's letter in a process of its own: `node send.ts KIND COUNT SESSIONS PORT`. The first tenth, at most
 * 2,000 messages, warms the process up and is not counted. The last line printed is a PeerRun.
 */
interface Sender {
  send(index: number): Promise<void>;
  close(): Promise<void> | void;
}

/** Messages under way per session: enough that no session waits for the next one. */
const AHEAD = 4;
const WARM_UP_MAX = 2_000;

const SENDERS: Record<ScriptedPeer, (letter: Letter, options: SmtpOptions) => Sender> = {
  kairos: (letter, options) => kairosSender(new PipelinedTransport(options), letter),
  'kairos-nodemailer': (letter, options) => kairosSender(new NodemailerTransport(options), letter),
  'kairos-fixed': (letter, options) => {
    const data = letter.campaign.build(letter.person(0));
    return kairosSender(new PipelinedTransport(options), letter, () => data);
  },
  'nodemailer-pool': nodemailerSender,
  'nodemailer-raw': rawSender,
};

function kairosSender(
  transport: MailTransport,
  letter: Letter,
  build = (index: number): Buffer => letter.campaign.build(letter.person(index)),
): Sender {
  return {
    async send(index) {
      const { outcome } = await transport.deliver({
        from: letter.campaign.from,
        to: letter.person(index).address,
        data: build(index),
      });
      if (outcome !== 'sent') throw new Error(`a message was ${outcome}`);
    },
    close: () => transport.close(),
  };
}

/** The usual way: html and text, which nodemailer composes for each mail. */
function nodemailerSender(letter: Letter, options: SmtpOptions): Sender {
  const pool = nodemailerPool(options);
  return {
    async send(index) {
      const person = letter.person(index);
      const { subject, html, text } = letter.render(person);
      await pool.sendMail({
        from: { name: 'Bench', address: letter.campaign.from },
        to: { name: '', address: person.address },
        subject,
        html,
        text,
        headers: {
          'List-Unsubscribe': `<https://mail.shop.example/u/${index}>`,
          'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
        },
      });
    },
    close: () => pool.close(),
  };
}

/** The cheapest way: one message, made once, given to nodemailer as it is. Personal only in its envelope. */
function rawSender(letter: Letter, options: SmtpOptions): Sender {
  const pool = nodemailerPool(options);
  const raw = letter.campaign.build(letter.person(0));
  return {
    async send(index) {
      const { address } = letter.person(index);
      await pool.sendMail({ envelope: { from: letter.campaign.from, to: [address] }, raw });
    },
    close: () => pool.close(),
  };
}

function nodemailerPool(options: SmtpOptions) {
  return createTransport({
    pool: true,
    host: options.host,
    port: options.port,
    ignoreTLS: true,
    maxConnections: options.sessions,
    maxMessages: Infinity,
  });
}

async function sendAll(sender: Sender, from: number, to: number, ahead: number): Promise<void> {
  let next = from;
  await Promise.all(
    Array.from({ length: ahead }, async () => {
      while (next < to) {
        next += 1;
        await sender.send(next);
      }
    }),
  );
}

async function main(kind: ScriptedPeer, count: number, sessions: number, port: number) {
  const letter = await benchLetter();
  const options = { host: '127.0.0.1', port, security: 'plain' as const, sessions };
  const sender = SENDERS[kind](letter, options);
  const ahead = sessions * AHEAD;
  const warmUp = Math.min(WARM_UP_MAX, Math.ceil(count / 10));
  await sendAll(sender, 0, warmUp, ahead);
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  await sendAll(sender, warmUp, warmUp + count, ahead);
  const seconds = (performance.now() - begun) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  await sender.close();
  const run: PeerRun = {
    messages: count,
    seconds,
    cpuMicrosPerMessage: (cpu.user + cpu.system) / count,
    peakMiB: process.resourceUsage().maxRSS / 1_024,
  };
  console.log(JSON.stringify(run));
}

const [kind, count, sessions, port] = process.argv.slice(2);
await main(kind as ScriptedPeer, Number(count), Number(sessions), Number(port));
