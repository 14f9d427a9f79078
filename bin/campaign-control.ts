import { type Client, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { KairosError } from '../domain/errors.ts';
import type { CampaignControl } from '../server/admin/control.ts';
import type { StopReceipt } from '../workflows/campaign/messages.ts';
import { type Config } from './config.ts';
import { campaignWorkflowId, connectTemporal } from './temporal.ts';

/** A recall of a large campaign takes seconds; without a worker nothing ever answers. */
const UPDATE_MS = 30_000;

/** The control plane as the server uses it: connected at the first need, so that it may be down when the server starts. */
export interface ControlPlane {
  control: CampaignControl;
  check(): Promise<void>;
  close(): Promise<void>;
}

export function openControlPlane(config: Config): ControlPlane {
  let connecting: Promise<Client> | undefined;
  const client = (): Promise<Client> => {
    connecting ??= connectTemporal(config).catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  };
  const update = async <T>(campaignId: string, name: string, argument: object): Promise<T> => {
    const temporal = await client().catch(() => {
      throw down();
    });
    try {
      return await temporal.withDeadline(Date.now() + UPDATE_MS, () =>
        temporal.workflow
          .getHandle(campaignWorkflowId(campaignId))
          .executeUpdate<T, [object]>(name, { args: [argument] }),
      );
    } catch (error) {
      throw known(error, campaignId);
    }
  };
  return {
    control: {
      pause: (id, by) => update(id, 'pause', { by }),
      resume: (id, by) => update(id, 'resume', { by }),
      setRate: (id, by, ratePerSecond) => update(id, 'setRate', { by, ratePerSecond }),
      approve: (id, by, hash) => update(id, 'approve', { by, hash }),
      recall: (id, by) => update<StopReceipt>(id, 'recall', { by }),
      cancel: (id, by) => update<StopReceipt>(id, 'cancel', { by }),
    },
    async check() {
      const { connection } = await client();
      await connection.workflowService.getSystemInfo({});
    },
    async close() {
      await (await connecting?.catch(() => undefined))?.connection.close();
    },
  };
}

function down(): KairosError {
  return new KairosError(
    'TEMPORAL_DOWN',
    'Temporal, or the worker that runs the campaign, does not answer: see whether both run, and ask again.',
  );
}

function known(error: unknown, campaignId: string): unknown {
  if (error instanceof WorkflowUpdateFailedError) {
    return new KairosError('STATE_CONFLICT', `${campaignId}: ${error.cause?.message ?? 'refused'}`);
  }
  if (error instanceof WorkflowNotFoundError) {
    return new KairosError(
      'STATE_CONFLICT',
      `${campaignId} does not run now, so there is nothing to change: look at its report.`,
    );
  }
  return down();
}
