import { type PeerName, type PeerRun, letterBytes, runPeer } from './peers/peers.ts';
import { findPostfixTools, startPostfixSink } from './support/postfix.ts';
import {
  type BenchOptions,
  type BenchResult,
  ratios,
  spread,
  spreadText,
} from './support/result.ts';
import { interleave } from './support/rounds.ts';

/** The SMTP side alone, without ledger and queue: each sender in a process of its own, one after the other. */
const SESSIONS = 10;
const COUNT = 20_000;

const CONTENDERS: readonly { name: PeerName; label: string }[] = [
  { name: 'kairos', label: 'Kairos: render, track, MIME, pipelined SMTP' },
  { name: 'kairos-nodemailer', label: 'Kairos over nodemailer’s SMTPConnection' },
  { name: 'kairos-fixed', label: 'Kairos’s transport alone, one fixed message' },
  { name: 'nodemailer-pool', label: 'nodemailer pool, html + text' },
  { name: 'nodemailer-raw', label: 'nodemailer pool, one fixed raw message' },
  { name: 'smtp-source', label: 'smtp-source (C), one fixed message' },
];

export async function run({ rounds, recipients, log }: BenchOptions): Promise<BenchResult> {
  const found = await findPostfixTools(log);
  if (found.tools === null) {
    const note = `bench smtp did nothing: no smtp-sink and smtp-source here (${found.why}).`;
    return { figures: {}, ratios: {}, tables: [], notes: [note] };
  }
  const { tools } = found;
  const count = recipients ?? COUNT;
  const sink = await startPostfixSink(tools);
  const sinkCpu: Record<string, number[]> = {};
  try {
    const contender = (name: PeerName) => async (): Promise<PeerRun> => {
      const before = sink.cpuMicros();
      const options = { count, sessions: SESSIONS, sinkPort: sink.port, tools };
      const result = await runPeer(name, options);
      (sinkCpu[name] ??= []).push((sink.cpuMicros() - before) / count);
      return result;
    };
    const all = Object.fromEntries(CONTENDERS.map(({ name }) => [name, contender(name)]));
    const runs = await interleave(rounds, all, log, describe);
    return resultOf(runs, sinkCpu, { count, bytes: await letterBytes() });
  } finally {
    sink.close();
  }
}

function resultOf(
  runs: Record<string, PeerRun[]>,
  sinkCpu: Record<string, number[]>,
  { count, bytes }: { count: number; bytes: number },
): BenchResult {
  const rates = (name: PeerName): number[] => runs[name]!.map(perSecond);
  const cpu = (name: PeerName): number[] => runs[name]!.map((each) => each.cpuMicrosPerMessage);
  const toPeer = (name: PeerName): number => spread(ratios(rates('kairos'), rates(name))).median;
  return {
    figures: {
      messagesPerSecond: spread(rates('kairos')).median,
      cpuMicrosPerMessage: spread(cpu('kairos')).median,
      transportCpuMicrosPerMessage: spread(cpu('kairos-fixed')).median,
      nodemailerPathMessagesPerSecond: spread(rates('kairos-nodemailer')).median,
      nodemailerPathCpuMicrosPerMessage: spread(cpu('kairos-nodemailer')).median,
      rssMiB: spread(runs['kairos']!.map((each) => each.peakMiB)).median,
      messageBytes: bytes,
    },
    ratios: {
      toSmtpSource: toPeer('smtp-source'),
      toNodemailerPool: toPeer('nodemailer-pool'),
      toNodemailerRaw: toPeer('nodemailer-raw'),
    },
    tables: [
      {
        title: `${count} messages of ${bytes} bytes a round over ${SESSIONS} sessions: median (min–max)`,
        columns: ['sender', 'messages/s', 'CPU µs/message', 'of the sink', 'peak MiB'],
        rows: CONTENDERS.map(({ name, label }) => [
          label,
          spreadText(rates(name)),
          spreadText(cpu(name)),
          // The kernel counts in ticks of 10 ms, and some of the receiving is booked on the sender.
          spreadText(sinkCpu[name]!),
          name === 'smtp-source' ? '–' : spreadText(runs[name]!.map((each) => each.peakMiB)),
        ]),
      },
    ],
  };
}

const perSecond = (result: PeerRun): number => result.messages / result.seconds;

function describe(result: PeerRun): string {
  return `${Math.round(perSecond(result))} messages/s, ${Math.round(result.cpuMicrosPerMessage)} µs CPU each`;
}
