import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { NativeConnection, Worker } from '@temporalio/worker';
import { Client, Connection } from '@temporalio/client';
import { createCampaignActivities } from '../../activities/campaign/activities.ts';
import type { CampaignDeps } from '../../activities/campaign/deps.ts';
import { auditInterceptor } from '../../activities/interceptor.ts';
import {
  type RetentionDeps,
  createRetentionActivities,
} from '../../activities/retention/activities.ts';
import { createTrainingActivities } from '../../activities/training/activities.ts';
import { loadWorkflowBundle } from '../../bin/bundle.ts';
import type { Campaign } from '../../domain/campaign.ts';
import { type CampaignRow, registerCampaign } from '../../store/campaigns.ts';
import { loadPeople } from '../../store/people.ts';
import type { Db } from '../../store/postgres.ts';
import type { Ticket, TicketQueue } from '../../delivery/queue.ts';
import { TASK_QUEUES } from '../../temporal.config.ts';

/** The bundle of this checkout, built once for all suites. */
export const testBundle = () => loadWorkflowBundle(join(tmpdir(), 'kairos-test-bundle'));

/** A queue that only remembers what was issued: these suites drive the ledger themselves. */
export function recordingQueue(): TicketQueue & { issued: Ticket[] } {
  const issued: Ticket[] = [];
  return {
    issued,
    issue: (tickets) => {
      issued.push(...tickets.map(({ ticket }) => ticket));
      return Promise.resolve();
    },
    work: () => Promise.reject(new Error('nobody works here')),
    depth: () => Promise.reject(new Error('nobody asks here')),
    waiting: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

/** Campaign activities on a real database; the audience is everyone in it. */
export function testDeps(
  db: Db,
  queue: TicketQueue,
  over: Partial<CampaignDeps> = {},
): CampaignDeps {
  return {
    db,
    queue,
    awaitProjector: () => Promise.resolve(),
    async *members() {
      const { rows } = await db.query<{ id: number }>('select id from person order by id');
      for (let at = 0; at < rows.length; at += 5_000) {
        yield rows.slice(at, at + 5_000).map(({ id }) => ({ personId: id, score: null }));
      }
    },
    chooseProducts: () => Promise.resolve(new Map()),
    report: (row) => Promise.resolve({ campaign: row.id }),
    armResults: () => Promise.resolve([]),
    defaultTimeZone: 'UTC',
    ...over,
  };
}

export interface TestWorker {
  client: Client;
  stop(): Promise<void>;
}

/** Workers of all task queues against the Temporal at `address`. */
export async function startTestWorker(
  address: string,
  deps: CampaignDeps,
  options: {
    maxCachedWorkflows?: number;
    namespace?: string;
    deleteInWarehouse?: RetentionDeps['deleteInWarehouse'];
  } = {},
): Promise<TestWorker> {
  const namespace = options.namespace ?? 'default';
  const [bundle, connection, clientConnection] = await Promise.all([
    testBundle(),
    NativeConnection.connect({ address }),
    Connection.connect({ address }),
  ]);
  const activities = {
    ...createCampaignActivities(deps),
    ...createRetentionActivities({
      db: deps.db,
      deleteInWarehouse: options.deleteInWarehouse ?? (() => Promise.resolve()),
    }),
    ...createTrainingActivities({
      db: deps.db,
      learner: {
        learn: () => Promise.resolve({ card: {}, blob: {}, refused: null }),
        drift: () => Promise.resolve({ version: 1, report: { level: 'none' as const } }),
        score: () => Promise.resolve(0),
      },
    }),
  };
  const workers = await Promise.all(
    Object.values(TASK_QUEUES).map((taskQueue) =>
      Worker.create({
        connection,
        namespace,
        taskQueue,
        activities,
        ...(taskQueue === TASK_QUEUES.engage
          ? {
              workflowBundle: { code: bundle.code },
              maxCachedWorkflows: options.maxCachedWorkflows ?? 100,
            }
          : {}),
        interceptors: { activity: [() => ({ inbound: auditInterceptor(deps.db) })] },
      }),
    ),
  );
  const running = Promise.all(workers.map((worker) => worker.run()));
  running.catch(() => {});
  return {
    client: new Client({ connection: clientConnection, namespace }),
    async stop() {
      workers.forEach((worker) => worker.shutdown());
      await running;
      await connection.close();
      await clientConnection.close();
    },
  };
}

export const definition: Campaign = {
  id: 'test',
  name: 'Test',
  audience: { segment: { all: [] } },
  holdout: 0.1,
  driftTolerance: 0.1,
  deadline: '7d',
  schedule: { kind: 'now' },
  variants: [{ id: 'a', subject: 'Hello', template: 'newsletter' }],
  from: { name: 'Shop', address: 'news@shop.test' },
  goal: { event: 'Order Completed', window: '1h' },
  hash: 'hash-of-what-was-shown',
};

export async function registered(
  db: Db,
  over: Partial<Campaign> = {},
  expectedCount: number | null = null,
): Promise<CampaignRow> {
  return registerCampaign(db, {
    campaign: { ...definition, ...over },
    links: {},
    templates: {},
    usesProducts: false,
    mode: 'test',
    salt: 'salt',
    expectedCount,
  });
}

export async function people(db: Db, count: number): Promise<void> {
  await loadPeople(
    db,
    Array.from({ length: count }, (_, i) => ({
      externalId: `p${i}`,
      email: `p${i}@example.test`,
      name: `Person ${i}`,
      country: 'DE',
      timeZone: 'Europe/Berlin',
      locale: 'de',
      consent: { granted: true, atMs: 0, source: 'test' },
      traits: {},
      createdAtMs: 0,
    })),
  );
}

/** Does what a sender would, at once: everything due of all campaigns is handed and sent. */
export async function settleAll(db: Db): Promise<void> {
  await db.query(
    `update message set state = 10, handed_at = clock_timestamp(), settled_at = shop_now(), reply = '250 OK' where state = 1`,
  );
  await db.query('delete from lot');
}
