import {
  type Job,
  Queue,
  type QueueOptions,
  Worker,
  type WorkerOptions,
  createPostgresBackend,
} from 'bullmq';
import { LANES, type LaneName, type WaitReason } from '../domain/lane.ts';
import type { OpenLane } from '../store/ledger.ts';

/**
 * A job is a ticket: "there is something to send in this lane for this campaign". It names no recipient. The sender
 * claims due rows from the ledger, so a ticket that is lost, doubled or stalled changes nothing; the reconciler issues
 * tickets again.
 */
export interface Ticket {
  campaignNo: number;
  campaignId: string;
  step: number;
  lane: LaneName;
  /** Shop time of the first message that it is for. */
  dueMs: number;
  /** Why it waits at the moment, a `WaitReason` of `domain/lane.ts`; for whoever looks at the queue. */
  waiting?: string | null;
}

export interface IssueOptions {
  /** Tickets with an id that is waiting already are not doubled. */
  id: string;
  delayMs: number;
}

/** The ticket that a lane with reserved messages must have; its id keeps it from being there twice. */
export function ticketAgain(
  lane: OpenLane,
  nowMs: number,
  delayMaxMs = Number.POSITIVE_INFINITY,
): { ticket: Ticket; options: IssueOptions } {
  return {
    ticket: { ...lane, dueMs: lane.nextDueMs },
    options: {
      id: `again.${lane.campaignNo}.${lane.step}.${lane.lane}`,
      delayMs: Math.min(lane.nextDueMs - nowMs, delayMaxMs),
    },
  };
}

export interface TicketQueue {
  issue(tickets: readonly { ticket: Ticket; options: IssueOptions }[]): Promise<void>;
  /** Handles the tickets of all lanes until `close`; `concurrency` tickets of a lane at once. */
  work(handler: TicketHandler, concurrency: number): Promise<TicketWorkers>;
  /** Tickets that wait, are delayed or worked on, by lane. */
  depth(): Promise<Record<LaneName, number>>;
  /** Why the tickets that are worked on wait, one a campaign, lane and reason. */
  waiting(): Promise<TicketWait[]>;
  close(): Promise<void>;
}

export interface TicketWait {
  campaignNo: number;
  lane: LaneName;
  reason: string;
}

/** Shows in the ticket's data why it waits; null where it does no more. */
export type Wait = (reason: string | null) => Promise<void>;

export type TicketHandler = (ticket: Ticket, wait: Wait) => Promise<void>;

export interface TicketWorkers {
  /** Called with every failure of the queue itself: its tables are gone, its server does not answer. */
  onError(listener: (error: Error) => void): void;
  /** Stops taking tickets and waits for those under way. */
  close(): Promise<void>;
}

const RATES: ReadonlySet<string> = new Set<WaitReason>(['lane rate', 'campaign rate']);
const JOB_OPTIONS = { removeOnComplete: true, removeOnFail: true, attempts: 1 } as const;
/** Active tickets of a lane that are looked at: two a sender. */
const ACTIVE_MAX = 49;
const queueName = (lane: LaneName): string => `kairos-${lane}`;

type Backing = { kind: 'postgres'; url: string } | { kind: 'redis'; url: string };

/** `postgres://…` keeps the tickets in the schema `queue` of that database, `redis://…` on a Redis or Valkey. */
export function queueBacking(url: string): Backing {
  return { kind: /^rediss?:/.test(url) ? 'redis' : 'postgres', url };
}

/** The queue on BullMQ. Queues are opened lane by lane at the first use, and share their options. */
export function openTicketQueue(url: string): TicketQueue {
  const backing = queueBacking(url);
  const queues = new Map<LaneName, Queue<Ticket>>();
  const queueOf = (lane: LaneName): Queue<Ticket> => {
    let queue = queues.get(lane);
    if (!queue) {
      queue = makeQueue(backing, lane);
      // Without a listener an error of the connection would end the process; callers see it on their call.
      queue.on('error', () => {});
      queues.set(lane, queue);
    }
    return queue;
  };
  return {
    async issue(tickets) {
      for (const lane of LANES) {
        const ofLane = tickets.filter(({ ticket }) => ticket.lane === lane);
        if (ofLane.length === 0) continue;
        await queueOf(lane).addBulk(
          ofLane.map(({ ticket, options }) => ({
            name: 'ticket',
            data: ticket,
            opts: {
              ...JOB_OPTIONS,
              jobId: options.id,
              delay: Math.max(0, Math.round(options.delayMs)),
            },
          })),
        );
      }
    },
    work: (handler, concurrency) => startWorkers(backing, handler, concurrency),
    async depth() {
      const entries = await Promise.all(
        LANES.map(async (lane) => {
          const counts = await queueOf(lane).getJobCounts('waiting', 'active', 'delayed');
          return [lane, Object.values(counts).reduce((sum, n) => sum + n, 0)] as const;
        }),
      );
      return Object.fromEntries(entries) as Record<LaneName, number>;
    },
    async waiting() {
      const active = await Promise.all(LANES.map((lane) => queueOf(lane).getActive(0, ACTIVE_MAX)));
      // A job that has just ended is null in between.
      const tickets = active.flat().flatMap((job) => (job?.data ? [job.data] : []));
      return tickets.flatMap(({ campaignNo, lane, waiting }) =>
        waiting ? [{ campaignNo, lane, reason: waiting }] : [],
      );
    },
    async close() {
      await Promise.all([...queues.values()].map((queue) => queue.close().catch(() => {})));
    },
  };
}

function connectionOf(backing: Backing, max: number): Record<string, unknown> {
  if (backing.kind === 'postgres') {
    return { connectionString: backing.url, schema: 'queue', max, migrate: true };
  }
  const at = new URL(backing.url);
  return {
    host: at.hostname,
    port: Number(at.port || 6379),
    ...(at.username ? { username: decodeURIComponent(at.username) } : {}),
    ...(at.password ? { password: decodeURIComponent(at.password) } : {}),
    ...(at.pathname.length > 1 ? { db: Number(at.pathname.slice(1)) } : {}),
    ...(at.protocol === 'rediss:' ? { tls: {} } : {}),
    // BullMQ's blocking commands must never give up by themselves.
    maxRetriesPerRequest: null,
  };
}

function makeQueue(backing: Backing, lane: LaneName): Queue<Ticket> {
  const options = { connection: connectionOf(backing, 2) } as unknown as QueueOptions;
  return backing.kind === 'postgres'
    ? (new Queue(
        queueName(lane),
        options as never,
        createPostgresBackend,
      ) as unknown as Queue<Ticket>)
    : new Queue<Ticket>(queueName(lane), options);
}

async function startWorkers(
  backing: Backing,
  handler: TicketHandler,
  concurrency: number,
): Promise<TicketWorkers> {
  const listeners: ((error: Error) => void)[] = [];
  const process = async (job: Job<Ticket>): Promise<void> => {
    await handler(job.data, async (reason) => {
      if ((job.data.waiting ?? null) === reason) return;
      // A campaign that keeps to its rate waits many times a second, and is no other than one that waits for it.
      if (reason === null && RATES.has(job.data.waiting!)) return;
      await job.updateData({ ...job.data, waiting: reason });
    });
  };
  const options = {
    connection: connectionOf(backing, 2),
    concurrency,
    // A ticket whose worker died is taken up again after this time, once; the reconciler is faster.
    lockDuration: 30_000,
    maxStalledCount: 2,
    ...JOB_OPTIONS,
  } as unknown as WorkerOptions;
  const workers = LANES.map((lane) => {
    const worker =
      backing.kind === 'postgres'
        ? (new Worker(
            queueName(lane),
            process as never,
            options as never,
            createPostgresBackend,
          ) as unknown as Worker<Ticket>)
        : new Worker<Ticket>(queueName(lane), process, options);
    worker.on('error', (error) => listeners.forEach((listener) => listener(error)));
    worker.on('failed', (_job, error) => listeners.forEach((listener) => listener(error)));
    return worker;
  });
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  return {
    onError: (listener) => void listeners.push(listener),
    async close() {
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}
