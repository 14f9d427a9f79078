import {
  allHandlersFinished,
  condition,
  executeChild,
  log,
  setCurrentDetails,
} from '@temporalio/workflow';
import { LIMITS } from '../../domain/limits.ts';
import { showCounts, showStage } from '../attributes.ts';
import { acts, heavy, patient } from '../proxies.ts';
import { type State, handleMessages, newState, progressOf } from './handlers.ts';
import type { CampaignInput, CampaignProgress } from './messages.ts';
import { campaignShard } from './shard.ts';

/**
 * One campaign from its audience to its report. Its truth is the campaign's row and the ledger: started again under
 * the same id it goes on from there, and nothing is sent twice.
 */
export async function campaign(input: CampaignInput): Promise<CampaignProgress> {
  const no = input.campaignNo;
  const state = newState();
  const plan = await handleMessages(input, state);

  await enter(no, state, 'snapshot');
  await heavy.awaitProjector({ campaignNo: no });
  const snapshot = await heavy.takeSnapshot({ campaignNo: no });
  state.audience = snapshot.audience;
  state.holdout = snapshot.holdout;
  showCounts(state.audience, 0);

  if (plan.approval && !plan.approvedBy) await awaitApproval(no, state);
  await awaitStart(no, state);
  if (!state.stop) await acts.markLaunched({ campaignNo: no });

  await enter(no, state, 'sending');
  if (plan.pilotWait && !state.stop)
    await runPilot(input, state, snapshot.audience, plan.pilotWait);
  await planAll(input, state, snapshot.audience, plan.pilotWait ? 'rest' : 'all');

  await enter(no, state, 'draining', 'rate');
  await drain(no, state);
  const closed = await acts.closeLedger({ campaignNo: no });
  state.sent = closed.sent;
  showCounts(state.audience, state.sent);

  await enter(no, state, 'measuring', 'goal window');
  await awaitGoalWindow(no, state);
  await heavy.awaitProjector({ campaignNo: no });
  await heavy.report({ campaignNo: no });
  await enter(no, state, 'closed');
  await condition(allHandlersFinished);
  return progressOf(state);
}

/** Shows a stage everywhere at once: row, search attributes, the details of Temporal UI. */
async function enter(
  no: number,
  state: State,
  stage: string,
  waiting: string | null = null,
): Promise<void> {
  state.stage = stage;
  state.waiting = waiting;
  showStage(stage, waiting);
  setCurrentDetails(
    `**${stage}**${waiting ? `, waiting for ${waiting}` : ''}: audience ${state.audience}, holdout ${state.holdout}, planned ${state.planned}, sent ${state.sent}`,
  );
  await acts.setStage({ campaignNo: no, stage, waiting });
}

async function awaitApproval(no: number, state: State): Promise<void> {
  await enter(no, state, 'approval', 'approval');
  await condition(() => state.approvedBy !== null || state.stop !== null);
}

/** Waits in shop time. A timer of real time looks again at the latest then; a moved clock at once. */
async function awaitStart(no: number, state: State): Promise<void> {
  for (let waits = 0; !state.stop; waits += 1) {
    const { waitMs } = await acts.untilStart({ campaignNo: no });
    if (waitMs <= 0) return;
    if (waits === 0) await enter(no, state, 'scheduled', 'time');
    await waitOrClock(state, waitMs, 'until the start');
  }
}

async function awaitGoalWindow(no: number, state: State): Promise<void> {
  for (;;) {
    const { waitMs } = await acts.untilGoalEnd({ campaignNo: no });
    if (waitMs <= 0) return;
    // What is stopped has still an effect to measure: only the clock ends this wait.
    const moves = state.clockMoves;
    await condition(() => state.clockMoves !== moves, Math.max(waitMs, 1_000), {
      summary: 'until the goal window ends',
    });
  }
}

async function waitOrClock(state: State, waitMs: number, summary: string): Promise<void> {
  const moves = state.clockMoves;
  await condition(
    () => state.clockMoves !== moves || state.stop !== null,
    Math.max(waitMs, 1_000),
    { summary },
  );
}

/** The pilot: a random share gets the arms, and after its wait the best arm is chosen for the rest. */
async function runPilot(
  input: CampaignInput,
  state: State,
  audience: number,
  wait: string,
): Promise<void> {
  await planAll(input, state, audience, 'pilot');
  await enter(input.campaignNo, state, 'sending', 'pilot');
  for (;;) {
    const { waitMs } = await acts.untilPilotEnd({ campaignNo: input.campaignNo });
    if (waitMs <= 0 || state.stop) break;
    await waitOrClock(state, waitMs, 'until the pilot ends');
  }
  await heavy.awaitProjector({ campaignNo: input.campaignNo });
  const chosen = await acts.chooseArm({ campaignNo: input.campaignNo });
  log.info('pilot arm chosen', { variant: chosen.variant, wait });
  await enter(input.campaignNo, state, 'sending');
}

/** One child per 5,000 people, at most 16; each plans its range batch by batch. */
async function planAll(
  input: CampaignInput,
  state: State,
  audience: number,
  phase: 'all' | 'pilot' | 'rest',
): Promise<void> {
  if (audience === 0) return;
  const shards = Math.min(LIMITS.shardsMax, Math.ceil(audience / LIMITS.peoplePerShard));
  const size = Math.ceil(audience / shards);
  const planned = await Promise.all(
    Array.from({ length: shards }, (_, shard) => {
      const afterSeq = shard * size;
      const lastSeq = Math.min(audience, afterSeq + size);
      return executeChild(campaignShard, {
        workflowId: `campaign/${input.campaignId}/shard/${shard}${phase === 'all' ? '' : `/${phase}`}`,
        args: [{ version: 1, campaignNo: input.campaignNo, afterSeq, lastSeq, phase, planned: 0 }],
        staticSummary: `people ${afterSeq + 1}–${lastSeq} of ${audience}`,
      });
    }),
  );
  state.planned += planned.reduce((sum, shard) => sum + shard.planned, 0);
}

/** Until every message has settled. The waiting is inside the activity; its spans grow, so a long campaign stays short. */
async function drain(no: number, state: State): Promise<void> {
  for (let round = 0; ; round += 1) {
    const waitMs = Math.min(600_000, 15_000 * 2 ** Math.min(round, 6));
    const left = await patient.awaitDrained.executeWithOptions(
      { summary: `until all have settled, looks for up to ${waitMs / 1000} s` },
      [{ campaignNo: no, waitMs }],
    );
    state.open = left.open;
    state.sent = left.sent;
    state.waiting = left.waiting;
    showCounts(state.audience, state.sent);
    if (left.open === 0) return;
    showStage('draining', left.waiting);
  }
}
