import { defineSearchAttributeKey } from '@temporalio/common';

/**
 * The one wiring sheet of the control plane. It reads no environment: the connection (address, TLS, API key) comes from
 * `bin/config.ts`. Durations are in milliseconds unless the name says otherwise.
 */

/** Where Kairos lives unless `temporal.toml` or `TEMPORAL_NAMESPACE` names another; the UI opens there. */
export const NAMESPACE = 'default';

/** The dev server's own default is one day, and a campaign's goal window is longer than that. */
export const RETENTION_DAYS = 30;

/**
 * One queue per kind of work, so that a forest in training never delays a batch of mails.
 * `engage`: workflows and light activities; `audience`: heavy SQL; `models`: CPU.
 */
export const TASK_QUEUES = {
  engage: 'engage',
  audience: 'audience',
  models: 'models',
} as const;
export type TaskQueue = keyof typeof TASK_QUEUES;

export interface WorkerSlots {
  /** Null where a queue runs no workflows. */
  workflowTasks: number | null;
  activities: number;
}

/** Fixed slots: activities here wait for PostgreSQL, whose connections bound them; models use the CPU. */
export const SLOTS: Record<TaskQueue, WorkerSlots> = {
  engage: { workflowTasks: 40, activities: 24 },
  audience: { workflowTasks: null, activities: 4 },
  models: { workflowTasks: null, activities: 1 },
};

/** Each cached workflow keeps the bundle's modules alive: a few hundred per GiB of the worker's memory. */
export const MAX_CACHED_WORKFLOWS = 300;

/**
 * Worker Deployments. The build id is the hash of the workflow bundle, the supervisor's worker makes it current, and
 * everything upgrades by itself; on a cluster broadcasts are pinned while old workers drain.
 */
export const VERSIONING = {
  deploymentName: 'kairos',
  embedded: 'AUTO_UPGRADE',
  cluster: { broadcast: 'PINNED', other: 'AUTO_UPGRADE' },
} as const;

/** Columns in Temporal UI. Ids, counts and stages only: search attributes are never encrypted. */
export const SEARCH_ATTRIBUTES = {
  campaign: defineSearchAttributeKey('KairosCampaign', 'KEYWORD'),
  stage: defineSearchAttributeKey('KairosStage', 'KEYWORD'),
  mode: defineSearchAttributeKey('KairosMode', 'KEYWORD'),
  waiting: defineSearchAttributeKey('KairosWaiting', 'KEYWORD'),
  audience: defineSearchAttributeKey('KairosAudience', 'INT'),
  sent: defineSearchAttributeKey('KairosSent', 'INT'),
} as const;

/** What Temporal starts by itself; `bin/worker.ts` creates or updates them when it starts. */
export const SCHEDULES = {
  reconcile: { id: 'kairos-reconcile', every: { seconds: 30 } },
  trainOrder30d: { id: 'kairos-train-order-30d', every: { days: 7 } },
  trainRfm: { id: 'kairos-train-rfm', every: { days: 7 } },
  driftOrder30d: { id: 'kairos-drift-order-30d', every: { days: 1 } },
  retention: { id: 'kairos-retention', every: { days: 1 } },
} as const;
