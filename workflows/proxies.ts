import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { NON_RETRYABLE_CODES } from '../domain/errors.ts';
import { TASK_QUEUES } from '../temporal.config.ts';

const nonRetryableErrorTypes = [...NON_RETRYABLE_CODES];

/** Quick statements against the truth. */
export const acts = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.engage,
  startToCloseTimeout: '2 minutes',
  retry: {
    initialInterval: '1 second',
    backoffCoefficient: 2,
    maximumInterval: '30 seconds',
    nonRetryableErrorTypes,
  },
});

/** Heavy statements over the whole audience; they heartbeat. */
export const heavy = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.audience,
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '60 seconds',
  retry: {
    initialInterval: '2 seconds',
    backoffCoefficient: 2,
    maximumInterval: '1 minute',
    nonRetryableErrorTypes,
  },
});

/** Waiting inside an activity costs no history; a dead worker is noticed by the missing heartbeat. */
export const patient = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.engage,
  startToCloseTimeout: '1 day',
  heartbeatTimeout: '30 seconds',
  retry: {
    initialInterval: '1 second',
    backoffCoefficient: 1.5,
    maximumInterval: '10 seconds',
    nonRetryableErrorTypes,
  },
});

/** CPU: fitting and scoring, on a queue of their own so that they never delay a campaign. */
export const learning = proxyActivities<Activities>({
  taskQueue: TASK_QUEUES.models,
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '60 seconds',
  retry: {
    initialInterval: '5 seconds',
    backoffCoefficient: 2,
    maximumInterval: '5 minutes',
    maximumAttempts: 5,
    nonRetryableErrorTypes,
  },
});
