import { parseSpan } from '../../domain/campaign.ts';
import type { CampaignRow } from '../../store/campaigns.ts';

/** The earliest shop time at which anything of the campaign may be due. */
export function startMs(row: CampaignRow): number {
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

/** The goal window counts from the launch, for everyone alike. A campaign stopped before it has none. */
export function goalEndMs(row: CampaignRow): number {
  if (row.launchedAtMs === null) return 0;
  return row.launchedAtMs + (parseSpan(row.definition.goal.window) ?? 0);
}
