import { parseSpan } from '../../domain/campaign.ts';
import { reachesPeople } from '../../domain/mode.ts';
import type { CampaignRow } from '../../store/campaigns.ts';

/** The earliest shop time at which anything of the campaign may be due. A simulation waits for nothing. */
export function startMs(row: CampaignRow): number {
  return row.mode === 'simulated' ? 0 : scheduledMs(row);
}

/** What is due later is not planned. A simulation's deadline is that of a launch at its schedule's time. */
export function deadlineMs(row: CampaignRow): number {
  if (row.deadlineAtMs === null) return Number.POSITIVE_INFINITY;
  if (row.mode !== 'simulated' || row.launchedAtMs === null) return row.deadlineAtMs;
  return row.deadlineAtMs + Math.max(0, scheduledMs(row) - row.launchedAtMs);
}

function scheduledMs(row: CampaignRow): number {
  const { schedule } = row.definition;
  switch (schedule.kind) {
    case 'now':
      return 0;
    case 'at':
      return Date.parse(schedule.at);
    case 'local':
      // The day begins first at UTC+14.
      return Date.parse(`${schedule.date}T00:00:00Z`) - 14 * 3_600_000;
  }
}

export function pilotEndMs(row: CampaignRow): number {
  return (row.launchedAtMs ?? 0) + (parseSpan(row.definition.pilot?.wait ?? '0m') ?? 0);
}

/**
 * The goal window counts from the launch, for everyone alike. A campaign stopped before it has none, nor one that reaches
 * nobody.
 */
export function goalEndMs(row: CampaignRow): number {
  if (row.launchedAtMs === null || !reachesPeople(row.mode)) return 0;
  return row.launchedAtMs + (parseSpan(row.definition.goal.window) ?? 0);
}
