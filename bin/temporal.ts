import {
  Client,
  Connection,
  WorkflowIdReusePolicy,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import type { CampaignRow } from '../store/campaigns.ts';
import { SEARCH_ATTRIBUTES, TASK_QUEUES } from '../temporal.config.ts';
import type { campaign } from '../workflows/campaign/campaign.ts';
import type { CampaignInput } from '../workflows/campaign/messages.ts';
import type { Decision } from '../workflows/training/messages.ts';
import type { promotion, PromotionInput } from '../workflows/training/promotion.ts';
import type { training, TrainingInput } from '../workflows/training/training.ts';
import type { Config } from './config.ts';

/** The control plane's client, from the configuration of this process. */
export async function connectTemporal(config: Config): Promise<Client> {
  const connection = await Connection.connect(config.temporal.connection());
  return new Client({ connection, namespace: config.temporal.namespace });
}

export function campaignWorkflowId(campaignId: string): string {
  return `campaign/${campaignId}`;
}

/**
 * Starts the run of a campaign whose row is written, or leaves the one that runs alone. A run that failed, was
 * terminated or is lost starts again under the same id and goes on from the ledger.
 */
export async function startCampaign(
  client: Client,
  row: CampaignRow,
): Promise<'started' | 'running' | 'finished'> {
  const input: CampaignInput = { version: 1, campaignNo: row.no, campaignId: row.id };
  const workflowId = campaignWorkflowId(row.id);
  try {
    await client.workflow.start<typeof campaign>('campaign', {
      workflowId,
      taskQueue: TASK_QUEUES.engage,
      args: [input],
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
      memo: { name: row.definition.name, hash: row.hash.slice(0, 16), goal: row.definition.goal },
      typedSearchAttributes: new TypedSearchAttributes([
        { key: SEARCH_ATTRIBUTES.campaign, value: row.id },
        { key: SEARCH_ATTRIBUTES.mode, value: row.mode },
        { key: SEARCH_ATTRIBUTES.stage, value: 'snapshot' },
      ]),
      staticSummary: `${row.definition.name}: ${row.definition.goal.event} within ${row.definition.goal.window}`,
    });
    return 'started';
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const { status } = await client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' ? 'running' : 'finished';
  }
}

/** Trains one model now; the run's id carries the time so that each training is a run of its own. */
export async function startTraining(client: Client, input: TrainingInput) {
  return client.workflow.start<typeof training>('training', {
    workflowId: `training/${input.model}/${Date.now()}`,
    taskQueue: TASK_QUEUES.engage,
    args: [input],
    staticSummary: `learns ${input.model} from at most ${input.rowsMax} people`,
  });
}

/** Makes a stored model the one in use and waits until everyone is scored by it. */
export async function startPromotion(client: Client, input: PromotionInput) {
  return client.workflow.execute<typeof promotion>('promotion', {
    workflowId: `promotion/${input.model}/${Date.now()}`,
    taskQueue: TASK_QUEUES.engage,
    args: [input],
    staticSummary: `${input.model}: version ${input.modelVersion}`,
  });
}

/** Answers a training that waits for an approval. */
export async function tellDecision(client: Client, workflowId: string, decision: Decision) {
  await client.workflow.getHandle(workflowId).signal('decide', decision);
}
