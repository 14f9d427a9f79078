import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';

/** What the campaign workflow is started with; ids only. */
export interface CampaignInput {
  readonly version: 1;
  readonly campaignNo: number;
  readonly campaignId: string;
}

/** Where a campaign run is, for `kairos campaign report`, the server and whoever asks in Temporal UI. */
export interface CampaignProgress {
  readonly stage: string;
  /** Typed reason of the present wait, or null: `approval`, `time`, `rate`, `paused`, `goal window`. */
  readonly waiting: string | null;
  readonly audience: number;
  readonly holdout: number;
  readonly planned: number;
  readonly open: number;
  readonly sent: number;
  readonly paused: boolean;
  readonly stop: 'recalled' | 'cancelled' | null;
}

export interface StopReceipt {
  readonly takenBack: number;
  readonly gone: number;
}

export const progressQuery = defineQuery<CampaignProgress>('progress');
export const pauseUpdate = defineUpdate<void, [{ by: string }]>('pause');
export const resumeUpdate = defineUpdate<void, [{ by: string }]>('resume');
export const setRateUpdate = defineUpdate<void, [{ by: string; ratePerSecond: number | null }]>(
  'setRate',
);
/** `hash` must be the hash of what the approver was shown. */
export const approveUpdate = defineUpdate<void, [{ by: string; hash: string }]>('approve');
export const recallUpdate = defineUpdate<StopReceipt, [{ by: string }]>('recall');
export const cancelUpdate = defineUpdate<StopReceipt, [{ by: string }]>('cancel');
/** The shop clock was moved: whoever waits for a time looks again. */
export const clockMovedSignal = defineSignal('clockMoved');
