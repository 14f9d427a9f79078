import { MESSAGE_STATE, type MessageStateName } from '../../domain/ledger.ts';
import { messagesByState, projectorLag } from '../../store/metrics.ts';
import type { Db } from '../../store/postgres.ts';
import type { PublicCounters } from '../public/app.ts';
import type { ReactionCounters } from '../public/reaction-log.ts';

export interface MetricsDeps {
  db: Db;
  /** Tickets by lane; null where the queue is not known to this process. */
  queueDepth: (() => Promise<Readonly<Record<string, number>>>) | null;
  publicCounters: PublicCounters;
  reactionCounters: ReactionCounters;
}

interface Metric {
  name: string;
  type: 'gauge' | 'counter';
  help: string;
  samples: { labels?: Readonly<Record<string, string>>; value: number }[];
}

/** Scrapers ask every few seconds, and counting a campaign reads all its rows. */
const KEEP_MS = 5_000;

/** Prometheus' text format; what cannot be read now is left out, and `kairos_up` of it is 0. */
export function createMetrics(deps: MetricsDeps): () => Promise<string> {
  let kept: { text: Promise<string>; untilMs: number } | undefined;
  return () => {
    if (!kept || kept.untilMs < Date.now()) {
      kept = { text: collect(deps), untilMs: Date.now() + KEEP_MS };
    }
    return kept.text;
  };
}

async function collect(deps: MetricsDeps): Promise<string> {
  const [messages, lag, depth] = await Promise.all([
    messagesByState(deps.db).catch(() => null),
    projectorLag(deps.db).catch(() => null),
    deps.queueDepth?.().catch(() => null) ?? null,
  ]);
  const metrics: Metric[] = [
    {
      name: 'kairos_up',
      type: 'gauge',
      help: 'Whether this part could be read.',
      samples: [
        { labels: { part: 'ledger' }, value: messages ? 1 : 0 },
        { labels: { part: 'projector' }, value: lag ? 1 : 0 },
        ...(deps.queueDepth ? [{ labels: { part: 'queue' }, value: depth ? 1 : 0 }] : []),
      ],
    },
    {
      name: 'kairos_messages',
      type: 'gauge',
      help: 'Messages of campaigns that are not closed, by state.',
      samples: (messages ?? []).map(({ campaign, state, count }) => ({
        labels: { campaign, state: stateName(state) },
        value: count,
      })),
    },
    {
      name: 'kairos_queue_tickets',
      type: 'gauge',
      help: 'Tickets that wait, are delayed or worked on, by lane.',
      samples: Object.entries(depth ?? {}).map(([lane, value]) => ({ labels: { lane }, value })),
    },
    {
      name: 'kairos_projector_rows_behind',
      type: 'gauge',
      help: 'Rows of the log that the warehouse has not seen; counted up to 10,000.',
      samples: lag ? [{ value: lag.behind }] : [],
    },
    {
      name: 'kairos_projector_rows_total',
      type: 'counter',
      help: 'Rows of the log that were copied to the warehouse.',
      samples: lag ? [{ value: lag.projected }] : [],
    },
    ...processMetrics(deps),
  ];
  return metrics.map(render).join('');
}

/** What this process counted since it started. */
function processMetrics({ publicCounters, reactionCounters }: MetricsDeps): Metric[] {
  const { queued, ...reactions } = reactionCounters;
  return [
    {
      name: 'kairos_reactions_queued',
      type: 'gauge',
      help: 'Opens and clicks that wait to be written.',
      samples: [{ value: queued }],
    },
    {
      name: 'kairos_reactions_total',
      type: 'counter',
      help: 'Opens and clicks by what became of them; dropped means the queue was full.',
      samples: Object.entries(reactions).map(([outcome, value]) => ({
        labels: { outcome },
        value,
      })),
    },
    {
      name: 'kairos_public_requests_total',
      type: 'counter',
      help: 'Requests to the public listener, and calls of the intake, by kind.',
      samples: Object.entries(publicCounters).map(([kind, value]) => ({
        labels: { kind: kind.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) },
        value,
      })),
    },
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      help: 'Memory of the server process.',
      samples: [{ value: process.memoryUsage.rss() }],
    },
  ];
}

function stateName(state: number): string {
  const names = Object.keys(MESSAGE_STATE) as MessageStateName[];
  return names.find((name) => MESSAGE_STATE[name] === state) ?? String(state);
}

function render({ name, type, help, samples }: Metric): string {
  if (samples.length === 0) return '';
  const lines = samples.map(({ labels = {}, value }) => {
    const list = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${list.length > 0 ? `{${list.join(',')}}` : ''} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
