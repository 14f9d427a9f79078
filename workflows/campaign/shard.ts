import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import { LIMITS } from '../../domain/limits.ts';
import { heavy } from '../proxies.ts';

export interface ShardInput {
  readonly version: 1;
  readonly campaignNo: number;
  /** People with a sequence above this and up to `lastSeq` are still to be planned. */
  readonly afterSeq: number;
  readonly lastSeq: number;
  readonly phase: 'all' | 'pilot' | 'rest';
  readonly planned: number;
}

/** Plans a range of the audience, 2,500 people an activity: six history events each. */
export async function campaignShard(input: ShardInput): Promise<{ planned: number }> {
  let { afterSeq, planned } = input;
  while (afterSeq < input.lastSeq) {
    const lastSeq = Math.min(input.lastSeq, afterSeq + LIMITS.peoplePerActivity);
    const batch = await heavy.planBatch.executeWithOptions(
      { summary: `people ${afterSeq + 1}–${lastSeq} of ${input.lastSeq}` },
      [{ campaignNo: input.campaignNo, afterSeq, lastSeq, phase: input.phase }],
    );
    afterSeq = batch.nextSeq;
    planned += batch.reserved;
    if (workflowInfo().continueAsNewSuggested && afterSeq < input.lastSeq) {
      await continueAsNew<typeof campaignShard>({ ...input, afterSeq, planned });
    }
  }
  return { planned };
}
