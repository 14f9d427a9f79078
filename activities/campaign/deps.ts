import type { TicketQueue } from '../../delivery/queue.ts';
import type { LaneOf } from '../../domain/lane.ts';
import type { Campaign } from '../../domain/campaign.ts';
import type { CampaignRow } from '../../store/campaigns.ts';
import type { Db } from '../../store/postgres.ts';

/** What a campaign's activities need; built in `bin/worker.ts`. */
export interface CampaignDeps {
  db: Db;
  queue: TicketQueue;
  /** Resolves when the warehouse knows all that the log knew at the call. */
  awaitProjector(beat: () => void): Promise<void>;
  /** The members of the audience by the warehouse, in batches. */
  members(
    campaign: Campaign,
    nowMs: number,
  ): AsyncIterable<readonly { personId: number; score: number | null }[]>;
  /** Products worth showing to each of these people. */
  chooseProducts(personIds: readonly number[], nowMs: number): Promise<Map<number, string[]>>;
  /** Goal events since the launch, for the pilot's choice and the report. */
  report(campaign: CampaignRow): Promise<unknown>;
  armResults(
    campaign: CampaignRow,
  ): Promise<{ variant: number; persons: number; successes: number }[]>;
  defaultTimeZone: string;
  /** The delivery lane of a recipient's domain; the default table's where it is left out. */
  laneOf?: LaneOf | undefined;
}

export interface Ref {
  campaignNo: number;
}

/** How the audit trail names a campaign. */
export function subject(row: { id: string }): string {
  return `campaign/${row.id}`;
}
