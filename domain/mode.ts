import type { Mode } from './ledger.ts';

/**
 * What each mode does. `live` and `test` send by the relay as it is set. `rehearsal` goes the whole way with the very
 * decisions, but only to a relay on this machine. `simulated` decides and plans everybody, and sends nothing.
 * What is not live is a run of its own, under an id of its own, so that the same campaign can run live afterwards.
 */
export const MODES = ['live', 'test', 'rehearsal', 'simulated'] as const satisfies readonly Mode[];

/** Mail of these modes reaches the people it is for, so that their reactions are real. */
export function reachesPeople(mode: Mode): boolean {
  return mode === 'live' || mode === 'test';
}

/** The id of the n-th run of a campaign in a mode: `win-back`, `win-back~rehearsal-2`. No campaign file may use the `~`. */
export function runIdOf(campaignId: string, mode: Mode, n: number): string {
  return mode === 'live' ? campaignId : `${campaignId}~${mode}-${n}`;
}

/** The number of a run by its id; 0 for a live one. */
export function runNumberOf(runId: string): number {
  return Number(/~[a-z]+-([1-9][0-9]*)$/.exec(runId)?.[1] ?? 0);
}

/** Whether events that name this campaign come from a run that reached nobody; they count in its own report only. */
export function isUnreal(runId: string): boolean {
  return /~(?:rehearsal|simulated)-[1-9][0-9]*$/.test(runId);
}

/**
 * The id of the run that a launch starts. A live campaign runs once; what is not live begins anew each time, unless the last
 * run of the same content is not over. `runs` are those of the campaign, the oldest first.
 */
export function nextRunId(
  campaign: { readonly id: string; readonly hash: string },
  mode: Mode,
  runs: readonly { id: string; mode: Mode; hash: string; stage: string }[],
): string {
  const last = runs.findLast((run) => run.mode === mode);
  const isOpen = last && last.stage !== 'closed' && last.stage !== 'refused';
  if (isOpen && last.hash === campaign.hash) return last.id;
  return runIdOf(campaign.id, mode, (last ? runNumberOf(last.id) : 0) + 1);
}
