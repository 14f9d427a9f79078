import type { CampaignDeps } from '../activities/campaign/deps.ts';
import type { TicketQueue } from '../delivery/queue.ts';
import type { LaneOf } from '../domain/lane.ts';
import type { Campaign } from '../domain/campaign.ts';
import { shopNowMs } from '../store/clock.ts';
import type { Db } from '../store/postgres.ts';
import { awaitProjected } from '../store/projector.ts';
import { warehouseSource } from '../store/report-source.ts';
import { armResults, buildReport } from '../store/report.ts';
import { shopTimeZone } from '../store/segments.ts';
import { readSetting } from '../store/settings.ts';
import { chooseProducts } from '../store/warehouse/products.ts';
import {
  type CompiledSegment,
  prepareSegment,
  segmentMembers,
} from '../store/warehouse/segment-sql.ts';
import type { Warehouse } from '../store/warehouse/client.ts';

/** What the log cannot show: whether the shop's people can react to mails at all. */
export type Reactions = 'real' | 'none';

export async function reactionsOf(db: Db): Promise<Reactions> {
  return (await readSetting<Reactions>(db, 'reactions')) ?? 'real';
}

/** The query that names a campaign's audience as of a time. */
export async function audienceQuery(
  { db, warehouse }: { db: Db; warehouse: Warehouse },
  campaign: Campaign,
  nowMs: number,
): Promise<CompiledSegment> {
  const { segment, exclude, score, limit } = campaign.audience;
  return prepareSegment(warehouse, segment, {
    nowMs,
    timeZone: await shopTimeZone(db),
    ...(exclude ? { excluded: exclude } : {}),
    ...(score ? { score } : {}),
    ...(limit === undefined ? {} : { limit, salt: campaign.id }),
  });
}

/** Puts the campaign activities' needs together from the clients of this process. */
export function campaignDeps({
  db,
  warehouse,
  queue,
  laneOf,
}: {
  db: Db;
  warehouse: Warehouse;
  queue: TicketQueue;
  laneOf: LaneOf;
}): CampaignDeps {
  const source = warehouseSource(warehouse);
  return {
    db,
    queue,
    awaitProjector: () => awaitProjected(db),
    async *members(campaign, nowMs) {
      yield* segmentMembers(warehouse, await audienceQuery({ db, warehouse }, campaign, nowMs));
    },
    chooseProducts: (personIds, nowMs) => chooseProducts({ db, warehouse }, personIds, nowMs),
    report: async (row) =>
      buildReport(db, source, row, {
        nowMs: await shopNowMs(db),
        reactions: await reactionsOf(db),
      }),
    armResults: async (row) => armResults(db, source, row, await shopNowMs(db)),
    defaultTimeZone: 'UTC',
    laneOf,
  };
}
