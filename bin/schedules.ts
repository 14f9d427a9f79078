import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { SCHEDULES, TASK_QUEUES } from '../temporal.config.ts';

/** Creates what is missing of the schedules; those that an operator paused or changed are left alone. */
export async function ensureSchedules(client: Client): Promise<void> {
  await ensure(client, SCHEDULES.reconcile.id, SCHEDULES.reconcile.every, 'reconcile', []);
  await ensure(client, SCHEDULES.retention.id, SCHEDULES.retention.every, 'retention', []);
  await ensure(client, SCHEDULES.trainOrder30d.id, SCHEDULES.trainOrder30d.every, 'training', [
    { version: 1, model: 'order-30d', rowsMax: 20_000 },
  ]);
  await ensure(client, SCHEDULES.driftOrder30d.id, SCHEDULES.driftOrder30d.every, 'modelDrift', [
    { version: 1, model: 'order-30d' },
  ]);
  await ensure(client, SCHEDULES.trainRfm.id, SCHEDULES.trainRfm.every, 'training', [
    { version: 1, model: 'rfm', rowsMax: 200_000 },
  ]);
}

async function ensure(
  client: Client,
  scheduleId: string,
  every: { seconds?: number; days?: number },
  workflowType: string,
  args: unknown[],
): Promise<void> {
  const intervalMs = (every.seconds ?? 0) * 1_000 + (every.days ?? 0) * 86_400_000;
  try {
    await client.schedule.create({
      scheduleId,
      spec: { intervals: [{ every: intervalMs }] },
      action: {
        type: 'startWorkflow',
        workflowType,
        taskQueue: TASK_QUEUES.engage,
        args,
      },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 hour' },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}

/** How often a worker looks whether Temporal still knows what it needs: its file may have been lost. */
const LOOK_MS = 5_000;

/**
 * Makes this worker's build the one that new work goes to, and keeps the schedules there, for as long as the process
 * runs: on one machine every change is a new build and what runs upgrades by itself, and Temporal's file may be lost and
 * begin anew. The server learns of a build from its first poll; until then the one before goes on.
 */
export function keepCurrent(
  client: Client,
  version: { deploymentName: string; buildId: string },
): { stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let wasCurrent = false;
  const look = async (): Promise<void> => {
    try {
      if (!(await isCurrent(client, version))) {
        await makeCurrent(client, version);
        wasCurrent = false;
      }
      if (!wasCurrent) await ensureSchedules(client);
      wasCurrent = true;
    } catch {
      wasCurrent = false;
    }
    if (!stopped) timer = setTimeout(() => void look(), wasCurrent ? LOOK_MS : 300);
  };
  void look();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

async function isCurrent(
  client: Client,
  version: { deploymentName: string; buildId: string },
): Promise<boolean> {
  const { workerDeploymentInfo } = await client.workflowService.describeWorkerDeployment({
    namespace: client.options.namespace,
    deploymentName: version.deploymentName,
  });
  return workerDeploymentInfo?.routingConfig?.currentDeploymentVersion?.buildId === version.buildId;
}

async function makeCurrent(
  client: Client,
  version: { deploymentName: string; buildId: string },
): Promise<void> {
  await client.workflowService.setWorkerDeploymentCurrentVersion({
    namespace: client.options.namespace,
    deploymentName: version.deploymentName,
    buildId: version.buildId,
    ignoreMissingTaskQueues: true,
    identity: 'kairos worker',
  });
}
