import { LANES, type LaneOf, laneIndex } from '../../domain/lane.ts';
import { LIMITS } from '../../domain/limits.ts';
import { type Decision, planMember } from '../../domain/plan.ts';
import type { Ticket } from '../../delivery/queue.ts';
import { type Member, readMembers } from '../../store/audience.ts';
import { writeAudit } from '../../store/audit.ts';
import { withinBudget } from '../../store/budget.ts';
import { type CampaignRow, campaignByNo } from '../../store/campaigns.ts';
import { shopNowMs } from '../../store/clock.ts';
import { type Reservation, outstanding, reserveBatch } from '../../store/ledger.ts';
import { transaction } from '../../store/postgres.ts';
import { auditContext } from '../context.ts';
import type { PlanBatchInput } from './activities.ts';
import type { CampaignDeps } from './deps.ts';
import { deadlineMs } from './times.ts';

export interface PlanReceipt {
  nextSeq: number;
  reserved: number;
  skipped: number;
}

/**
 * Plans a range in batches of 500, each in a transaction of its own, so that an attempt that died repeats at most one
 * that is there already. Several batches an activity: a call costs Temporal 30 ms of CPU, more than a batch costs us.
 */
export async function planBatches(deps: CampaignDeps, input: PlanBatchInput): Promise<PlanReceipt> {
  const sum: PlanReceipt = { nextSeq: input.afterSeq, reserved: 0, skipped: 0 };
  while (sum.nextSeq < input.lastSeq) {
    const lastSeq = Math.min(input.lastSeq, sum.nextSeq + LIMITS.batchSize);
    const batch = await planBatch(deps, { ...input, afterSeq: sum.nextSeq, lastSeq });
    sum.nextSeq = batch.nextSeq;
    sum.reserved += batch.reserved;
    sum.skipped += batch.skipped;
  }
  return sum;
}

/** Plans up to 500 people: load, decide, reserve and audit in one transaction, then a ticket per lane. */
async function planBatch(deps: CampaignDeps, input: PlanBatchInput): Promise<PlanReceipt> {
  const row = await campaignByNo(deps.db, input.campaignNo);
  // Counting is not free: once for every ten batches is enough for a bound of 200.
  if (input.afterSeq % (10 * LIMITS.batchSize) === 0) await backPressure(deps, row);
  const { perDay, perWeek } = row.definition.caps ?? {};
  const members = await readMembers(deps.db, row, {
    afterSeq: input.afterSeq,
    lastSeq: input.lastSeq,
    limit: LIMITS.batchSize,
    withCaps: perDay !== undefined || perWeek !== undefined,
  });
  const mine = members.filter(
    (member) => input.phase === 'all' || member.pilot === (input.phase === 'pilot'),
  );
  const nowMs = await shopNowMs(deps.db);
  const reservations = await decideAll(deps, row, mine, nowMs);
  const counts = await transaction(deps.db, async (tx) => {
    const affordable = await withinBudget(tx, row, 0, reservations);
    const written = await reserveBatch(tx, row.no, 0, row.mode, asMode(row, affordable));
    if (written.reserved + written.skipped > 0) {
      await writeAudit(tx, auditContext(), {
        action: 'batch planned',
        subject: `campaign/${row.id}`,
        detail: { afterSeq: input.afterSeq, lastSeq: input.lastSeq, ...written },
      });
    }
    return written;
  });
  if (counts.reserved > 0) await issueTickets(deps, row, input, reservations, nowMs);
  return { nextSeq: members.at(-1)?.seq ?? input.lastSeq, ...counts };
}

async function decideAll(
  deps: CampaignDeps,
  row: CampaignRow,
  members: readonly Member[],
  nowMs: number,
): Promise<Reservation[]> {
  const context = {
    nowMs,
    deadlineMs: deadlineMs(row),
    chosenVariant: row.chosenVariant,
    defaultTimeZone: deps.defaultTimeZone,
  };
  const decided = members.map((member): { member: Member; decision: Decision } => ({
    member,
    decision: decide(row, member, context),
  }));
  const mailed = decided.filter(({ decision }) => decision.kind === 'reserve');
  const products = row.usesProducts
    ? await deps.chooseProducts(
        mailed.map(({ member }) => member.personId),
        nowMs,
      )
    : new Map<number, string[]>();
  return decided
    .filter(({ decision }) => decision.kind !== 'holdout')
    .map(({ member, decision }) =>
      toReservation(member, decision, {
        products,
        nowMs,
        ...(deps.laneOf ? { laneOf: deps.laneOf } : {}),
      }),
    );
}

/** A simulation plans everybody as its live run would, and ends each message there. */
function asMode(row: CampaignRow, batch: readonly Reservation[]): readonly Reservation[] {
  if (row.mode !== 'simulated') return batch;
  return batch.map((planned) => ({ ...planned, skip: planned.skip ?? 'simulated' }));
}

/** A stopped campaign plans everyone who is left as skipped, so that its ledger balances. */
function decide(
  row: CampaignRow,
  member: Member,
  context: Parameters<typeof planMember>[2],
): Decision {
  if (row.stop && !member.holdout) return { kind: 'skip', reason: row.stop };
  return planMember(row.definition, member, context);
}

function toReservation(
  member: Member,
  decision: Decision,
  {
    products,
    nowMs,
    laneOf,
  }: { products: ReadonlyMap<number, string[]>; nowMs: number; laneOf?: LaneOf },
): Reservation {
  const reserve = decision.kind === 'reserve' ? decision : null;
  const shown = products.get(member.personId);
  return {
    personId: member.personId,
    skip: decision.kind === 'skip' ? decision.reason : null,
    lane: laneOfMember(member, laneOf),
    variant: reserve?.variant ?? 0,
    variantP: reserve?.variantP ?? 0,
    dueAtMs: reserve?.dueMs ?? nowMs,
    address: member.address,
    unit: member.unit,
    decision: shown ? { products: shown } : null,
  };
}

/** By the lanes as they are configured now; a person's own was set when they were loaded. */
function laneOfMember({ address, lane }: Member, laneOf: LaneOf | undefined): number {
  if (laneOf === undefined || address === null) return lane;
  return laneIndex(laneOf(address.slice(address.lastIndexOf('@') + 1)));
}

async function issueTickets(
  deps: CampaignDeps,
  row: CampaignRow,
  input: PlanBatchInput,
  reservations: readonly Reservation[],
  nowMs: number,
): Promise<void> {
  const firstDue = new Map<number, number>();
  for (const reservation of reservations) {
    if (reservation.skip) continue;
    const known = firstDue.get(reservation.lane) ?? Number.POSITIVE_INFINITY;
    firstDue.set(reservation.lane, Math.min(known, reservation.dueAtMs));
  }
  await deps.queue.issue(
    [...firstDue].map(([lane, dueMs]) => {
      const ticket: Ticket = {
        campaignNo: row.no,
        campaignId: row.id,
        step: 0,
        lane: LANES[lane]!,
        dueMs,
      };
      const id = `plan.${row.no}.0.${LANES[lane]}.${input.phase}.${input.afterSeq}`;
      return { ticket, options: { id, delayMs: dueMs - nowMs } };
    }),
  );
}

/** Planning far ahead of the sending only churns the ledger: waits, inside the activity, while too much is open. */
async function backPressure(deps: CampaignDeps, row: CampaignRow): Promise<void> {
  if (row.stop) return;
  for (let waitMs = 200; ; waitMs = Math.min(5_000, waitMs * 1.5)) {
    if ((await outstanding(deps.db, row.no)) < LIMITS.outstandingMax) return;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    if ((await campaignByNo(deps.db, row.no)).stop) return;
  }
}
