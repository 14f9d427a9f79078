import { type Client, ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { SCHEDULES, TASK_QUEUES } from '../temporal.config.ts';

/** Creates what is missing of the schedules; those that an operator paused or changed are left alone. */
export async function ensureSchedules(client: Client): Promise<void> {
  await ensure(client, SCHEDULES.reconcile.id, SCHEDULES.reconcile.every, 'reconcile', []);
  await ensure(client, SCHEDULES.trainOrder30d.id, SCHEDULES.trainOrder30d.every, 'training', [
    { version: 1, model: 'order-30d', rowsMax: 20_000 },
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

/**
 * Makes this worker's build the one that new work goes to. On one machine every change is a new build, and what runs
 * upgrades by itself. The server learns of a version from its first poll, so this is tried until then.
 */
export async function ensureDeploymentCurrent(
  client: Client,
  version: { deploymentName: string; buildId: string },
): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace: client.options.namespace,
        deploymentName: version.deploymentName,
        buildId: version.buildId,
        ignoreMissingTaskQueues: true,
        identity: 'kairos worker',
      });
      return;
    } catch (error) {
      if (tries >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
