import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import type { CampaignPlan } from '../../activities/campaign/activities.ts';
import { acts } from '../proxies.ts';
import {
  type CampaignInput,
  type CampaignProgress,
  type StopReceipt,
  approveUpdate,
  cancelUpdate,
  clockMovedSignal,
  pauseUpdate,
  progressQuery,
  recallUpdate,
  resumeUpdate,
  setRateUpdate,
} from './messages.ts';

/** What a run of a campaign remembers: counters and decisions. People and rows are the store's. */
export interface State {
  stage: string;
  waiting: string | null;
  audience: number;
  holdout: number;
  planned: number;
  open: number;
  sent: number;
  paused: boolean;
  approvedBy: string | null;
  /** Hash of what would run; an approval must name it. */
  hash: string;
  stop: 'recalled' | 'cancelled' | null;
  /** Counts the moves of the shop clock, so that a wait can see one. */
  clockMoves: number;
}

export function newState(): State {
  return {
    stage: 'snapshot',
    waiting: null,
    audience: 0,
    holdout: 0,
    planned: 0,
    open: 0,
    sent: 0,
    paused: false,
    approvedBy: null,
    hash: '',
    stop: null,
    clockMoves: 0,
  };
}

export function progressOf(state: State): CampaignProgress {
  const { stage, waiting, audience, holdout, planned, open, sent, paused, stop } = state;
  return { stage, waiting, audience, holdout, planned, open, sent, paused, stop };
}

/** Registers all handlers before anything is awaited, so that no message arrives without one; then reads the plan. */
export async function handleMessages(input: CampaignInput, state: State): Promise<CampaignPlan> {
  const no = input.campaignNo;
  setHandler(progressQuery, () => progressOf(state));
  setHandler(clockMovedSignal, () => {
    state.clockMoves += 1;
  });
  handlePace(no, state);
  handleStops(no, state);
  setHandler(
    approveUpdate,
    async ({ by }): Promise<void> => {
      await acts.recordApproval({ campaignNo: no, by });
      state.approvedBy = by;
    },
    {
      validator: (approval) => {
        if (state.stage !== 'approval')
          refuse(`It does not wait for an approval (${state.stage}).`);
        if (approval.hash !== state.hash) {
          refuse(
            `What was shown (${approval.hash}) is not what would run (${state.hash}); look again.`,
          );
        }
      },
    },
  );
  const plan = await acts.describeCampaign({ campaignNo: no });
  state.hash = plan.hash;
  state.approvedBy = plan.approvedBy;
  state.paused = plan.paused;
  state.stop = plan.stop;
  return plan;
}

function handlePace(no: number, state: State): void {
  setHandler(
    pauseUpdate,
    async ({ by }): Promise<void> => {
      await acts.setPaused({ campaignNo: no, paused: true, by });
      state.paused = true;
    },
    {
      validator: (_: { by: string }) => {
        refuseClosed(state);
        if (state.paused) refuse('It is paused already.');
      },
    },
  );
  setHandler(
    resumeUpdate,
    async ({ by }): Promise<void> => {
      await acts.setPaused({ campaignNo: no, paused: false, by });
      state.paused = false;
    },
    {
      validator: (_: { by: string }) => {
        refuseClosed(state);
        if (!state.paused) refuse('It is not paused.');
      },
    },
  );
  setHandler(
    setRateUpdate,
    async ({ by, ratePerSecond }): Promise<void> => {
      await acts.setRate({ campaignNo: no, ratePerSecond, by });
    },
    {
      validator: ({ ratePerSecond }) => {
        refuseClosed(state);
        if (ratePerSecond !== null && !(ratePerSecond > 0 && ratePerSecond <= 100_000)) {
          refuse(`A rate of ${ratePerSecond} a second is not between 0 and 100,000.`);
        }
      },
    },
  );
}

function handleStops(no: number, state: State): void {
  const stopWith = async (kind: 'recalled' | 'cancelled', by: string): Promise<StopReceipt> => {
    state.stop = kind;
    return acts.stop({ campaignNo: no, stop: kind, by });
  };
  const validator = (_: { by: string }): void => {
    refuseClosed(state);
    if (state.stop) refuse(`It was ${state.stop} already.`);
    if (state.stage === 'measuring') refuse('Everything has been sent or settled.');
  };
  setHandler(recallUpdate, ({ by }) => stopWith('recalled', by), { validator });
  setHandler(cancelUpdate, ({ by }) => stopWith('cancelled', by), { validator });
}

function refuseClosed(state: State): void {
  if (state.stage === 'closed') refuse('The campaign is closed.');
}

function refuse(message: string): never {
  throw ApplicationFailure.create({ type: 'STATE_CONFLICT', message, nonRetryable: true });
}
