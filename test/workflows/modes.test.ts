import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { assertRelayFits } from '../../bin/mail.ts';
import { Secret } from '../../bin/secrets.ts';
import type { Stack } from '../../bin/supervisor/stack.ts';
import { campaignWorkflowId, startCampaign } from '../../bin/temporal.ts';
import type { Campaign } from '../../domain/campaign.ts';
import type { Mode } from '../../domain/ledger.ts';
import { runIdOf } from '../../domain/mode.ts';
import { readMembers, snapshotFacts } from '../../store/audience.ts';
import { budgetOf } from '../../store/budget.ts';
import { type CampaignRow, campaignById, registerCampaign } from '../../store/campaigns.ts';
import { ledgerCounts, skippedByReason } from '../../store/ledger.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { type TestDatabase, createDatabase, startServices } from '../support/stack.ts';
import {
  type TestWorker,
  definition,
  people,
  recordingQueue,
  settleAll,
  startTestWorker,
  testDeps,
} from './support.ts';

let stack: Stack;
let database: TestDatabase;
let db: Db;
let worker: TestWorker;
const queue = recordingQueue();

beforeAll(async () => {
  stack = await startServices(['temporal']);
  database = await createDatabase();
  db = connectPostgres(database.url, 'modes test', 20);
  worker = await startTestWorker(`127.0.0.1:${stack.config.ports.temporal}`, testDeps(db, queue));
});
afterAll(async () => {
  await worker?.stop();
  await db?.end();
  await database?.drop();
  await stack?.stop();
});
beforeEach(async () => {
  queue.issued.length = 0;
  await db.query(
    'truncate person, consent, suppression, message, lot, audience_member, campaign, bucket cascade',
  );
});

async function launched(mode: Mode, over: Partial<Campaign>, n = 1): Promise<CampaignRow> {
  const campaign = { ...definition, ...over };
  const row = await registerCampaign(db, {
    campaign,
    runId: runIdOf(campaign.id, mode, n),
    links: {},
    templates: {},
    usesProducts: false,
    mode,
    salt: 'one salt for all runs',
    expectedCount: null,
  });
  await startCampaign(worker.client, row);
  return row;
}

const ended = (row: CampaignRow) =>
  worker.client.workflow.getHandle(campaignWorkflowId(row.id)).result();

const draining = (row: CampaignRow) =>
  vi.waitFor(async () => expect((await campaignById(db, row.id)).stage).toBe('draining'), {
    timeout: 200_000,
    interval: 50,
  });

interface Planned {
  personId: number;
  variant: number;
  state: number;
  reason: number;
}

async function planned(row: CampaignRow): Promise<Planned[]> {
  const { rows } = await db.query<Planned>(
    `select person_id as "personId", variant, state, reason from message where campaign_no = $1 order by 1`,
    [row.no],
  );
  return rows;
}

const two = [
  { id: 'a', subject: 'A', template: 'newsletter' },
  { id: 'b', subject: 'B', template: 'newsletter' },
];

describe('modes', () => {
  it('a simulation and a rehearsal decide what the live run decides, and count nowhere', async () => {
    await people(db, 600);
    const over = { id: 'moded', variants: two, caps: { perDay: 1 } };
    const simulated = await launched('simulated', over);
    await ended(simulated);
    expect(queue.issued).toEqual([]);
    const counts = await ledgerCounts(db, simulated.no);
    expect(await skippedByReason(db, simulated.no)).toEqual({ simulated: 600 - counts.holdout });
    expect((await campaignById(db, simulated.id)).closedAtMs).not.toBeNull();

    const rehearsed = await launched('rehearsal', over);
    await draining(rehearsed);
    await settleAll(db);
    // Nobody got a mail, so that there is no window in which anybody could buy because of it.
    await ended(rehearsed);
    const person = (await planned(rehearsed))[0]!.personId;
    expect((await snapshotFacts(db, person, 'moded')).lastDay).toBe(0);

    const live = await launched('live', over);
    await draining(live);
    const strip = (rows: Planned[]) => rows.map(({ personId, variant }) => ({ personId, variant }));
    expect(strip(await planned(simulated))).toEqual(strip(await planned(live)));
    expect(strip(await planned(rehearsed))).toEqual(strip(await planned(live)));
    // The cap of one a day would have skipped everybody if the rehearsal counted.
    expect((await planned(live)).every(({ state }) => state === 1)).toBe(true);
    expect(live.id).toBe('moded');
    expect([simulated.id, rehearsed.id]).toEqual(['moded~simulated-1', 'moded~rehearsal-1']);
    const members = async ({ no }: CampaignRow) =>
      (
        await readMembers(db, await campaignRow(no), {
          afterSeq: 0,
          lastSeq: 600,
          limit: 600,
          withCaps: false,
        })
      ).map(({ personId, holdout }) => [personId, holdout]);
    expect(await members(rehearsed)).toEqual(await members(live));
    await settleAll(db);
    await worker.client.workflow.getHandle(campaignWorkflowId(live.id)).terminate('test');
  });

  it('a rehearsal is refused towards a relay on another machine', () => {
    const config = (url: string) => ({
      smtp: { url: new Secret(url), external: true, relaySignsDkim: true },
    });
    expect(() => assertRelayFits(config('smtp://127.0.0.1:2525'), 'rehearsal')).not.toThrow();
    expect(() => assertRelayFits(config('smtp://relay.example:587'), 'live')).not.toThrow();
    expect(() => assertRelayFits(config('smtp://relay.example:587'), 'rehearsal')).toThrow(
      /on this machine only/,
    );
  });

  it('a simulation of a scheduled campaign does not wait, and skips nobody for that', async () => {
    await people(db, 20);
    const date = new Date(Date.now() + 60 * 86_400_000).toISOString().slice(0, 10);
    const row = await launched('simulated', {
      id: 'later',
      holdout: 0,
      schedule: { kind: 'local', date, time: '09:00' },
      approval: true,
    });
    await ended(row);
    expect(await skippedByReason(db, row.no)).toEqual({ simulated: 20 });
  });
});

const campaignRow = async (no: number) => {
  const { rows } = await db.query<{ id: string }>('select id from campaign where no = $1', [no]);
  return campaignById(db, rows[0]!.id);
};

describe('a budget over many shards', () => {
  it('is spent to the last message that fits, never beyond, and the rest is skipped for it', async () => {
    // Three shards plan at the same time.
    await people(db, 11_000);
    const row = await launched('live', {
      id: 'thrifty',
      holdout: 0,
      budget: { total: 70, perMessage: 0.01 },
    });
    await draining(row);
    const counts = await ledgerCounts(db, row.no);
    expect(counts.reserved).toBe(7_000);
    expect(await skippedByReason(db, row.no)).toEqual({ budget: 4_000 });
    expect(await budgetOf(db, await campaignById(db, row.id))).toEqual({
      total: 70,
      sends: null,
      spent: 0,
      reserved: 70,
      left: 0,
      messages: 7_000,
      skipped: 4_000,
    });
    await settleAll(db);
    await worker.client.workflow.getHandle(campaignWorkflowId(row.id)).terminate('test');
  }, 240_000);
});
