import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Campaign } from '../../domain/campaign.ts';
import { isBalanced } from '../../domain/ledger.ts';
import { snapshotAudience } from '../../store/audience.ts';
import { markLaunched, registerCampaign, setPaused, setRate } from '../../store/campaigns.ts';
import {
  type Settlement,
  claimMessages,
  closeCampaign,
  expireOverdue,
  handMessages,
  healLots,
  isBusy,
  ledgerCounts,
  openLanes,
  reconcileLots,
  releaseLot,
  reserveBatch,
  settleMessages,
  skippedByReason,
  stopCampaign,
} from '../../store/ledger.ts';
import { loadPeople, suppress } from '../../store/people.ts';
import { type Db, connectPostgres, transaction } from '../../store/postgres.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';

let database: TestDatabase;
let db: Db;
let nextCampaign = 0;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'ledger test');
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query(
    'truncate person, consent, suppression, message, lot, audience_member, campaign, bucket cascade',
  );
});

const definition: Omit<Campaign, 'id'> = {
  name: 'Test',
  audience: { segment: { all: [] } },
  holdout: 0,
  driftTolerance: 0.1,
  deadline: '7d',
  schedule: { kind: 'now' },
  variants: [{ id: 'a', subject: 'Hello', template: 'newsletter' }],
  from: { name: 'Shop', address: 'news@shop.test' },
  goal: { event: 'Order Completed', window: '14d' },
  hash: 'h',
};

/** A launched campaign with `people` reserved messages in the lane `other`. */
async function reserved(people: number): Promise<{ no: number; id: string; personIds: number[] }> {
  const id = `test-${(nextCampaign += 1)}`;
  await loadPeople(
    db,
    Array.from({ length: people }, (_, i) => ({
      externalId: `${id}-${i}`,
      email: `${id}-${i}@example.test`,
      name: null,
      country: 'DE',
      timeZone: null,
      locale: null,
      consent: { granted: true, atMs: 0, source: 'test' },
      traits: {},
      createdAtMs: 0,
    })),
  );
  const row = await registerCampaign(db, {
    campaign: { ...definition, id },
    links: {},
    templates: {},
    usesProducts: false,
    mode: 'live',
    salt: 'salt',
    expectedCount: null,
  });
  const { rows } = await db.query<{ id: number; address: string; unit: string }>(
    'select id, address, unit from person where external_id like $1 order by id',
    [`${id}-%`],
  );
  async function* members() {
    yield rows.map((person) => ({ personId: person.id, score: null }));
  }
  await snapshotAudience(db, row.no, members(), { holdout: 0, pilot: 0 });
  await markLaunched(db, row.no, '7d');
  await transaction(db, (tx) =>
    reserveBatch(
      tx,
      row.no,
      0,
      'live',
      rows.map((person) => ({
        personId: person.id,
        skip: null,
        lane: 4,
        variant: 0,
        variantP: 1,
        dueAtMs: Date.now() - 1_000,
        address: person.address,
        unit: person.unit,
        decision: null,
      })),
    ),
  );
  return { no: row.no, id, personIds: rows.map((person) => person.id) };
}

const claim = (campaign: { no: number }, want = 500) =>
  claimMessages(db, { campaignNo: campaign.no, step: 0, lane: 'other', want, sender: 'test' });

async function claimed(campaign: { no: number }, want = 500) {
  const lease = await claim(campaign, want);
  if (lease.token === null) throw new Error(`nothing to claim: ${lease.reason}`);
  return { campaignNo: campaign.no, step: 0, token: lease.token, personIds: lease.personIds };
}

const settle = (
  campaign: { id: string },
  lease: { campaignNo: number; step: number; token: number },
  settlements: Settlement[],
) => settleMessages(db, { ...lease, campaignId: campaign.id, retrySeconds: 60 }, settlements);

const all = (ids: readonly number[], outcome: Settlement['outcome']): Settlement[] =>
  ids.map((personId) => ({ personId, outcome, reply: `250 ${outcome}` }));

describe('the ledger', () => {
  it('reserves a person once for a campaign and step, however often a batch is planned', async () => {
    const campaign = await reserved(3);
    const again = await transaction(db, (tx) =>
      reserveBatch(tx, campaign.no, 0, 'live', [
        {
          personId: campaign.personIds[0]!,
          skip: null,
          lane: 4,
          variant: 0,
          variantP: 1,
          dueAtMs: 0,
          address: 'x@y.test',
          unit: 'x@y.test',
          decision: null,
        },
      ]),
    );
    expect(again).toEqual({ reserved: 0, skipped: 0 });
    expect((await ledgerCounts(db, campaign.no)).reserved).toBe(3);
  });

  it('gives a due message to one sender only', async () => {
    const campaign = await reserved(40);
    const claims = await Promise.all(Array.from({ length: 8 }, () => claim(campaign, 5)));
    const ids = claims.flatMap((lease) => (lease.token === null ? [] : lease.personIds));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('closes when every message has settled, and not before', async () => {
    const campaign = await reserved(4);
    const lease = await claimed(campaign);
    await expect(closeCampaign(db, campaign.no)).rejects.toThrow(/does not balance/);
    const { personIds } = await handMessages(db, lease, lease.personIds);
    await settle(campaign, lease, all(personIds, 'sent'));
    await releaseLot(db, lease.token);
    expect(await closeCampaign(db, campaign.no)).toMatchObject({ audience: 4, sent: 4, handed: 0 });
  });

  it('does not hand over who unsubscribed, withdrew consent or was erased since the planning', async () => {
    const campaign = await reserved(4);
    const [suppressed, withdrawn, erased, fine] = campaign.personIds;
    const lease = await claimed(campaign);
    await suppress(db, `${campaign.id}-0@example.test`, 'unsubscribe', 'test');
    await db.query('update consent set granted = false where person_id = $1', [withdrawn]);
    await db.query('delete from person where id = $1', [erased]);
    const handed = await handMessages(db, lease, lease.personIds);
    expect(handed).toEqual({ verdict: 'go', personIds: [fine] });
    expect(suppressed).toBe(campaign.personIds[0]);
    expect(await skippedByReason(db, campaign.no)).toEqual({
      suppressed: 1,
      noConsent: 1,
      erased: 1,
    });
  });

  it('hands nothing over while paused, and all of it after the pause', async () => {
    const campaign = await reserved(3);
    const lease = await claimed(campaign);
    await setPaused(db, campaign.no, true);
    expect(await handMessages(db, lease, lease.personIds)).toEqual({
      verdict: 'paused',
      personIds: [],
    });
    await releaseLot(db, lease.token, lease.personIds);
    expect(await claim(campaign)).toMatchObject({ token: null, reason: 'paused' });
    await setPaused(db, campaign.no, false);
    const next = await claimed(campaign);
    expect((await handMessages(db, next, next.personIds)).personIds).toHaveLength(3);
  });

  it('recalls what was not handed, also from a sender that holds a lease', async () => {
    const campaign = await reserved(5);
    const first = await claimed(campaign, 2);
    const second = await claimed(campaign, 2);
    await handMessages(db, first, first.personIds);
    expect(await stopCampaign(db, campaign.no, 'recalled')).toEqual({ takenBack: 3, gone: 2 });
    expect((await handMessages(db, second, second.personIds)).personIds).toEqual([]);
    await settle(campaign, first, all(first.personIds, 'sent'));
    await releaseLot(db, first.token);
    await releaseLot(db, second.token);
    expect(await closeCampaign(db, campaign.no)).toMatchObject({ sent: 2, skipped: 3 });
    expect(await skippedByReason(db, campaign.no)).toEqual({ recalled: 3 });
  });

  it('does not try again what is deferred after a recall, so that the campaign closes', async () => {
    const campaign = await reserved(2);
    const lease = await claimed(campaign);
    await handMessages(db, lease, lease.personIds);
    expect(await stopCampaign(db, campaign.no, 'recalled')).toEqual({ takenBack: 0, gone: 2 });
    await settle(campaign, lease, [
      ...all(lease.personIds.slice(0, 1), 'deferred'),
      ...all(lease.personIds.slice(1), 'sent'),
    ]);
    await releaseLot(db, lease.token);
    expect(await isBusy(db, campaign.no)).toBe(false);
    expect(await closeCampaign(db, campaign.no)).toMatchObject({ sent: 1, skipped: 1 });
    expect(await skippedByReason(db, campaign.no)).toEqual({ recalled: 1 });
  });

  it('fences off a sender whose lease ran out', async () => {
    const campaign = await reserved(2);
    const stale = await claimed(campaign);
    await db.query("update lot set until = clock_timestamp() - interval '1 second'");
    expect(await reconcileLots(db)).toEqual({ released: 2, unknown: 0 });
    const fresh = await claimed(campaign);
    expect(await handMessages(db, stale, stale.personIds)).toEqual({
      verdict: 'fenced',
      personIds: [],
    });
    await releaseLot(db, stale.token, stale.personIds);
    expect((await handMessages(db, fresh, fresh.personIds)).personIds).toHaveLength(2);
    expect(await settle(campaign, stale, all(stale.personIds, 'sent'))).toBe(0);
    expect(await settle(campaign, fresh, all(fresh.personIds, 'sent'))).toBe(2);
  });

  it('makes a handed message unknown when its sender is gone, and never hands it again', async () => {
    const campaign = await reserved(2);
    const lease = await claimed(campaign);
    await handMessages(db, lease, lease.personIds.slice(0, 1));
    await db.query("update lot set until = clock_timestamp() - interval '1 second'");
    await reconcileLots(db);
    expect(await ledgerCounts(db, campaign.no)).toMatchObject({
      reserved: 1,
      handed: 1,
      unknown: 0,
    });
    await db.query(
      "update message set handed_at = clock_timestamp() - interval '1 hour' where state = 3",
    );
    await db.query(
      "update lot set until = clock_timestamp() - interval '1 second' where until is not null",
    );
    expect(await reconcileLots(db)).toEqual({ released: 0, unknown: 1 });
    const rest = await claimed(campaign);
    expect((await handMessages(db, rest, rest.personIds)).personIds).toEqual(
      lease.personIds.slice(1),
    );
    // The sender was only slow: its reply still tells what became of the message.
    expect(await settle(campaign, lease, all(lease.personIds.slice(0, 1), 'sent'))).toBe(1);
    expect(await ledgerCounts(db, campaign.no)).toMatchObject({ sent: 1, unknown: 0 });
  });

  it('hands a window again to the caller that lost the answer, and to nobody else', async () => {
    const campaign = await reserved(2);
    const lease = await claimed(campaign);
    await handMessages(db, lease, lease.personIds);
    expect((await handMessages(db, lease, lease.personIds)).personIds).toEqual([]);
    const again = await handMessages(db, lease, lease.personIds, true);
    expect(new Set(again.personIds)).toEqual(new Set(lease.personIds));
    const { rows } = await db.query<{ attempt: number }>('select distinct attempt from message');
    expect(rows).toEqual([{ attempt: 1 }]);
  });

  it('tries a deferred message again later, and lets it expire at last', async () => {
    const campaign = await reserved(1);
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      const lease = await claimed(campaign);
      await handMessages(db, lease, lease.personIds);
      await settle(campaign, lease, all(lease.personIds, 'deferred'));
      await releaseLot(db, lease.token);
      if (attempt < 8) {
        expect(await claim(campaign)).toMatchObject({ token: null, reason: 'empty' });
        await db.query('update lot set due_at = shop_now() where due_at is not null');
      }
    }
    expect(await closeCampaign(db, campaign.no)).toMatchObject({ expired: 1, sent: 0 });
  });

  it('expires what is reserved past the deadline', async () => {
    const campaign = await reserved(2);
    expect(await expireOverdue(db, campaign.no)).toBe(0);
    await db.query("update campaign set deadline_at = shop_now() - interval '1 second'");
    expect(await expireOverdue(db, campaign.no)).toBe(2);
    expect(await closeCampaign(db, campaign.no)).toMatchObject({ expired: 2 });
    expect(await isBusy(db, campaign.no)).toBe(false);
  });

  it('keeps to the campaign rate by the database clock', async () => {
    const campaign = await reserved(50);
    await setRate(db, campaign.no, 10);
    await db.query('update bucket set tokens = 4, filled_at = clock_timestamp() where key = $1', [
      `campaign:${campaign.no}`,
    ]);
    expect((await claimed(campaign)).personIds).toHaveLength(4);
    const wait = await claim(campaign);
    expect(wait).toMatchObject({ token: null, reason: 'campaign rate' });
    expect(wait.token === null && wait.waitMs).toBeGreaterThan(0);
    expect(wait.token === null && wait.waitMs).toBeLessThanOrEqual(100);
  });

  it('gives a lot to reserved messages that lost theirs', async () => {
    const campaign = await reserved(3);
    await db.query('delete from lot');
    expect(await openLanes(db)).toEqual([]);
    expect(await healLots(db, campaign.no)).toBe(3);
    expect(await openLanes(db)).toMatchObject([{ campaignNo: campaign.no, lane: 'other' }]);
    expect(await healLots(db, campaign.no)).toBe(0);
  });
});

/** What a run of random senders, crashes and marketers does to one campaign. */
type Step =
  | { kind: 'claim'; want: number }
  | { kind: 'hand'; lease: number; part: number }
  | { kind: 'settle'; lease: number; outcome: Settlement['outcome'] }
  | { kind: 'release'; lease: number }
  | { kind: 'expire leases' }
  | { kind: 'make due' }
  | { kind: 'pause' | 'resume' }
  | { kind: 'suppress'; person: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('claim' as const), want: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constant('hand' as const), lease: fc.nat(2), part: fc.nat(2) }),
  fc.record({
    kind: fc.constant('settle' as const),
    lease: fc.nat(2),
    outcome: fc.constantFrom(
      'sent' as const,
      'refused' as const,
      'deferred' as const,
      'unknown' as const,
    ),
  }),
  fc.record({ kind: fc.constant('release' as const), lease: fc.nat(2) }),
  fc.constant({ kind: 'expire leases' as const }),
  fc.constant({ kind: 'make due' as const }),
  fc.constantFrom({ kind: 'pause' as const }, { kind: 'resume' as const }),
  fc.record({ kind: fc.constant('suppress' as const), person: fc.nat(9) }),
);

const CLAIM: Step = { kind: 'claim', want: 5 };

describe('any order of senders, crashes and marketers', () => {
  it('hands nobody over again without a certain "not taken", and always balances in the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const campaign = await reserved(10);
        const world = new World(campaign);
        for (const next of [CLAIM, CLAIM, ...steps]) await world.act(next);
        await world.finish();
        const counts = await ledgerCounts(db, campaign.no);
        expect(isBalanced(counts)).toBe(true);
        expect(world.handedTwice).toEqual([]);
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});

class World {
  readonly #campaign: { no: number; id: string; personIds: number[] };
  readonly #leases: {
    campaignNo: number;
    step: number;
    token: number;
    personIds: number[];
    handed: number[];
  }[] = [];
  /** Handed and not known to be untouched by the relay. */
  readonly #gone = new Set<number>();
  readonly handedTwice: number[] = [];

  constructor(campaign: { no: number; id: string; personIds: number[] }) {
    this.#campaign = campaign;
  }

  async act(next: Step): Promise<void> {
    const lease = 'lease' in next ? this.#leases[next.lease] : undefined;
    if (next.kind === 'claim') {
      const got = await claim(this.#campaign, next.want);
      if (got.token !== null) {
        this.#leases.push({
          campaignNo: this.#campaign.no,
          step: 0,
          token: got.token,
          personIds: got.personIds,
          handed: [],
        });
      }
    } else if (next.kind === 'hand' && lease) {
      const half = Math.ceil(lease.personIds.length / 2);
      const ids = next.part === 0 ? lease.personIds.slice(0, half) : lease.personIds.slice(half);
      if (ids.length > 0) this.#note(lease, (await handMessages(db, lease, ids)).personIds);
    } else if (next.kind === 'settle' && lease && lease.handed.length > 0) {
      await this.#settle(lease, next.outcome);
    } else if (next.kind === 'release' && lease) {
      await releaseLot(
        db,
        lease.token,
        lease.personIds.filter((id) => !this.#gone.has(id)),
      );
    } else if (next.kind === 'expire leases') {
      await db.query(
        "update lot set until = clock_timestamp() - interval '1 second' where until is not null",
      );
      await db.query(
        "update message set handed_at = clock_timestamp() - interval '1 hour' where state = 3",
      );
      await reconcileLots(db);
    } else if (next.kind === 'make due') {
      await db.query('update lot set due_at = shop_now() where due_at is not null');
    } else if (next.kind === 'pause' || next.kind === 'resume') {
      await setPaused(db, this.#campaign.no, next.kind === 'pause');
    } else if (next.kind === 'suppress') {
      await suppress(db, `${this.#campaign.id}-${next.person}@example.test`, 'unsubscribe', 'test');
    }
  }

  #note(lease: { handed: number[] }, ids: number[]): void {
    for (const id of ids) {
      if (this.#gone.has(id)) this.handedTwice.push(id);
      this.#gone.add(id);
    }
    lease.handed.push(...ids);
  }

  async #settle(lease: World['_lease'], outcome: Settlement['outcome']): Promise<void> {
    const moved = await settle(this.#campaign, lease, all(lease.handed, outcome));
    // A 4xx is the relay's word that it took nothing, unless the ledger had given the message up before.
    if (outcome === 'deferred' && moved > 0) {
      const { rows } = await db.query<{ person_id: number }>(
        'select person_id from message where campaign_no = $1 and state = 1',
        [this.#campaign.no],
      );
      for (const row of rows) this.#gone.delete(row.person_id);
    }
    lease.handed = [];
  }

  declare readonly _lease: {
    campaignNo: number;
    step: number;
    token: number;
    handed: number[];
  };

  /** Every sender dies; a last one does what is left. */
  async finish(): Promise<void> {
    await this.act({ kind: 'resume' });
    for (let round = 0; round < 60; round += 1) {
      await this.act({ kind: 'expire leases' });
      await this.act({ kind: 'make due' });
      const got = await claim(this.#campaign);
      if (got.token === null) {
        if (!(await isBusy(db, this.#campaign.no)) && (await healLots(db, this.#campaign.no)) === 0)
          return;
        continue;
      }
      const lease = {
        campaignNo: this.#campaign.no,
        step: 0,
        token: got.token,
        personIds: got.personIds,
        handed: [],
      };
      this.#note(lease, (await handMessages(db, lease, lease.personIds)).personIds);
      await this.#settle(lease, 'sent');
      await releaseLot(db, lease.token);
    }
  }
}
