import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createCampaignActivities } from '../activities/campaign/activities.ts';
import { auditInterceptor } from '../activities/interceptor.ts';
import { createRetentionActivities } from '../activities/retention/activities.ts';
import { createTrainingActivities } from '../activities/training/activities.ts';
import { openTicketQueue } from '../delivery/queue.ts';
import { laneFinder } from '../domain/lane.ts';
import { connectPostgres } from '../store/postgres.ts';
import {
  MAX_CACHED_WORKFLOWS,
  SLOTS,
  TASK_QUEUES,
  type TaskQueue,
  VERSIONING,
} from '../temporal.config.ts';
import { loadWorkflowBundle } from './bundle.ts';
import { campaignDeps } from './campaign-deps.ts';
import { cacheDirectory } from './config.ts';
import { loadLanes } from './lanes.ts';
import { createLearner } from './learner.ts';
import { runProcess } from './process.ts';
import { keepCurrent } from './schedules.ts';
import { connectTemporal } from './temporal.ts';
import { openWarehouse } from './warehouse-client.ts';

/** Workflows and activities: one Temporal worker a task queue, in one process. */
await runProcess('worker', async (config) => {
  Runtime.install({ shutdownSignals: [] });
  const db = connectPostgres(config.database.url.reveal(), 'worker', 16);
  const warehouse = openWarehouse(config);
  const queue = openTicketQueue((config.queueUrl ?? config.database.url).reveal());
  const [bundle, connection, client] = await Promise.all([
    loadWorkflowBundle(cacheDirectory(config.checkout)),
    NativeConnection.connect(config.temporal.connection()),
    connectTemporal(config),
  ]);
  const activities = {
    ...createCampaignActivities(
      campaignDeps({ db, warehouse, queue, laneOf: laneFinder(loadLanes(config)) }),
    ),
    ...createRetentionActivities({
      db,
      deleteInWarehouse: (rule, beforeMs) => warehouse.deleteOldEvents(rule, beforeMs),
    }),
    ...createTrainingActivities({ db, learner: createLearner({ db, warehouse }) }),
  };
  const deployment = { deploymentName: VERSIONING.deploymentName, buildId: bundle.buildId };
  const create = (name: TaskQueue): Promise<Worker> =>
    Worker.create({
      connection,
      namespace: config.temporal.namespace,
      taskQueue: TASK_QUEUES[name],
      activities,
      ...(SLOTS[name].workflowTasks === null
        ? {}
        : {
            workflowBundle: { code: bundle.code },
            maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
            maxConcurrentWorkflowTaskExecutions: SLOTS[name].workflowTasks,
          }),
      maxConcurrentActivityTaskExecutions: SLOTS[name].activities,
      interceptors: { activity: [() => ({ inbound: auditInterceptor(db) })] },
      workerDeploymentOptions: {
        version: deployment,
        useWorkerVersioning: true,
        defaultVersioningBehavior: VERSIONING.embedded,
      },
      shutdownGraceTime: '3 seconds',
      shutdownForceTime: '8 seconds',
    });
  const workers = await Promise.all((Object.keys(TASK_QUEUES) as TaskQueue[]).map(create));
  const running = Promise.all(workers.map((worker) => worker.run()));
  // A worker that cannot go on ends the process; the supervisor starts a new one.
  running.catch((error: Error) => {
    console.error(`worker failed: ${error.message}`);
    process.exit(1);
  });
  const keeper = keepCurrent(client, deployment);
  return {
    details: { buildId: bundle.buildId },
    async stop() {
      keeper.stop();
      workers.forEach((worker) => worker.shutdown());
      await running;
      await queue.close();
      await warehouse.close();
      await connection.close();
      await client.connection.close();
      await db.end();
    },
  };
});
