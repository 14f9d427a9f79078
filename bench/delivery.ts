import { KairosPath, type PathRun } from './delivery/kairos.ts';
import { benchCampaigns } from './delivery/message.ts';
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

/** The whole path with the ledger on: plan, ledger, queue, render, SMTP; beside senders that remember nothing. */
const SESSIONS = 10;
const COUNT = 100_000;
/** Peers have no ledger that grows: fewer messages tell their rate as well. */
const PEER_COUNT = 20_000;
/** The smaller campaign that memory is compared with. */
const SMALL = 20_000;

const PEERS = [
  'nodemailer-pool',
  'nodemailer-raw',
  'smtp-source',
] as const satisfies readonly PeerName[];
type Run = PathRun | PeerRun;

export async function run({ rounds, recipients, log }: BenchOptions): Promise<BenchResult> {
  const found = await findPostfixTools(log);
  if (found.tools === null) {
    const note = `bench delivery did nothing: no smtp-sink and smtp-source here (${found.why}).`;
    return { figures: {}, ratios: {}, tables: [], notes: [note] };
  }
  const { tools } = found;
  const count = recipients ?? COUNT;
  const sink = await startPostfixSink(tools);
  const campaigns = benchCampaigns();
  try {
    const small = await memoryOf(Math.min(SMALL, count), sink.port, log);
    const path = new KairosPath(count);
    try {
      log(`loading ${count.toLocaleString('en')} people`);
      await path.start(sink.port, SESSIONS);
      const peer = (name: PeerName) => (): Promise<Run> =>
        runPeer(name, {
          count: Math.min(count, PEER_COUNT),
          sessions: SESSIONS,
          sinkPort: sink.port,
          tools,
        });
      const runs = await interleave<Run>(
        rounds,
        {
          kairos: () => path.run(campaigns),
          ...Object.fromEntries(PEERS.map((name) => [name, peer(name)])),
        },
        log,
        (each) =>
          `${perSecond(each).toFixed(0)}/s, ${each.cpuMicrosPerMessage.toFixed(0)} µs CPU a message`,
      );
      return resultOf(runs, small, { count, bytes: await letterBytes() });
    } finally {
      await path.stop();
    }
  } finally {
    sink.close();
  }
}

const perSecond = (each: Run): number => each.messages / each.seconds;

/** Peak memory of a campaign of its own stack, so that the large one's peak is not hidden in it. */
async function memoryOf(
  count: number,
  sinkPort: number,
  log: (line: string) => void,
): Promise<number> {
  log(`memory at ${count.toLocaleString('en')} people`);
  const path = new KairosPath(count);
  try {
    await path.start(sinkPort, SESSIONS);
    return (await path.run(benchCampaigns())).rssMiB;
  } finally {
    await path.stop();
  }
}

function resultOf(
  runs: Record<string, Run[]>,
  rssSmall: number,
  { count, bytes }: { count: number; bytes: number },
): BenchResult {
  const rates = (name: string): number[] => runs[name]!.map(perSecond);
  const cpu = (name: string): number[] => runs[name]!.map((each) => each.cpuMicrosPerMessage);
  const ours = runs['kairos'] as PathRun[];
  const toPeer = (name: string): number => spread(ratios(rates('kairos'), rates(name))).median;
  return {
    figures: {
      messagesPerSecond: spread(rates('kairos')).median,
      cpuMicrosPerMessage: spread(cpu('kairos')).median,
      senderCpuMicrosPerMessage: spread(ours.map((each) => each.senderCpuMicrosPerMessage)).median,
      rssMiB20k: rssSmall,
      rssMiB100k: spread(ours.map((each) => each.rssMiB)).median,
      ledgerBytesPerMessage: spread(ours.map((each) => each.ledgerBytesPerMessage)).median,
      messageBytes: bytes,
    },
    ratios: {
      toSmtpSource: toPeer('smtp-source'),
      toNodemailerPool: toPeer('nodemailer-pool'),
      toNodemailerRaw: toPeer('nodemailer-raw'),
    },
    tables: [
      {
        title: `${count} messages of ${bytes} bytes over ${SESSIONS} sessions, peers ${Math.min(count, PEER_COUNT)}: median (min–max)`,
        columns: ['sender', 'messages/s', 'CPU µs/message'],
        rows: ['kairos', ...PEERS].map((name) => [
          name === 'kairos' ? 'Kairos: the whole path with its ledger' : name,
          spreadText(rates(name)),
          spreadText(cpu(name)),
        ]),
      },
    ],
  };
}
