import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseIntake } from '../../domain/intake.ts';
import { verifyAudit } from '../../store/audit.ts';
import {
  identityLinks,
  mergeCustomers,
  settleIdentities,
  splitIdentity,
} from '../../store/identity.ts';
import { IntakeWriter } from '../../store/intake.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { projectAll } from '../support/projection.ts';
import { createDatabase, type TestDatabase } from '../support/stack.ts';
import { startWarehouse, type TestWarehouse } from '../support/warehouse.ts';

let database: TestDatabase;
let db: Db;
let writer: IntakeWriter;
let warehouse: TestWarehouse | undefined;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'identity test', 10);
  writer = new IntakeWriter(db);
});
afterAll(async () => {
  await warehouse?.stop();
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query(
    'truncate person, consent, event, message_key, visitor, identity_claim, projector, audience_member, message cascade',
  );
});

const NOW = Date.UTC(2026, 5, 1);

async function say(...bodies: Record<string, unknown>[]): Promise<void> {
  const calls = bodies.map((body) => {
    const read = parseIntake(body, { kind: 'track', nowMs: NOW, newId: randomUUID });
    if ('problem' in read) throw new Error(JSON.stringify(read.problem));
    return read.call;
  });
  await writer.write(calls);
  await writer.idle();
}

const viewed = (who: Record<string, string>, sku: string) => ({
  type: 'track',
  event: 'Product Viewed',
  ...who,
  properties: { sku },
});

/** Whose each product's view is, by the shop's id. */
async function views(): Promise<Record<string, string | null>> {
  const { rows } = await db.query<{ sku: string; who: string | null }>(
    `select properties ->> 'sku' as sku, external_id as who from event left join person p on p.id = person_id
     where type = 'Product Viewed' order by 1`,
  );
  return Object.fromEntries(rows.map((row) => [row.sku, row.who]));
}

describe('a visitor', () => {
  it('becomes the customer with its history, and what it does later counts for that one', async () => {
    await say(viewed({ anonymousId: 'a' }, 'before'), viewed({ anonymousId: 'other' }, 'not hers'));
    await say({ type: 'identify', userId: 'ada', anonymousId: 'a', traits: { plan: 'gold' } });
    await say(viewed({ anonymousId: 'a' }, 'after'), viewed({ userId: 'ada' }, 'known'));
    expect(await views()).toEqual({ before: 'ada', after: 'ada', known: 'ada', 'not hers': null });
    const [link] = await identityLinks(db, 'ada');
    expect(link).toMatchObject({ kind: 'visitor', from: 'a', events: 1, done: true });
    expect((await verifyAudit(db)).ok).toBe(true);

    await splitIdentity(db, link!.id, 'test');
    await say(viewed({ anonymousId: 'a' }, 'later'));
    expect(await views()).toEqual({
      before: null,
      after: 'ada',
      known: 'ada',
      'not hers': null,
      later: null,
    });
    await expect(splitIdentity(db, link!.id, 'test')).rejects.toThrow('no link');
  });

  it('is found even where its events and its name come at once from many sides', async () => {
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        n === 20
          ? say({ type: 'identify', userId: 'ada', anonymousId: 'a' })
          : say(viewed({ anonymousId: 'a' }, `s${n}`)),
      ),
    );
    expect(new Set(Object.values(await views()))).toEqual(new Set(['ada']));
  });

  it('is linked by whoever comes next where the process died in between', async () => {
    await say(viewed({ anonymousId: 'a' }, 'before'), { type: 'identify', userId: 'ada' });
    await db.query(
      `with p as (select id from person), v as (insert into visitor (anonymous_id, person_id) select 'a', id from p)
       insert into identity_claim (kind, from_id, into_id, actor) select 'visitor', 'a', id, 'test' from p`,
    );
    expect(await settleIdentities(db)).toBe(1);
    expect(await views()).toEqual({ before: 'ada' });
  });
});

/** Everything that a merge touches. */
async function picture(): Promise<unknown> {
  const read = async (sql: string) => (await db.query(sql)).rows;
  return {
    people: await read(
      `select id, external_id, address, unit, lane, name, country, time_zone, locale, traits, merged_into from person order by id`,
    ),
    consent: await read('select person_id, granted, at, source from consent order by 1'),
    events: await read(
      `select id, person_id from event where type not in ('Events Moved', 'Person Merged', 'Traits Changed', 'Person Aliased') order by id`,
    ),
    visitors: await read('select anonymous_id, person_id from visitor order by 1'),
    members: await read(
      'select campaign_no, seq, person_id, holdout from audience_member order by 1, 2',
    ),
    messages: await read('select campaign_no, person_id, state from message order by 1, 2'),
  };
}

const idOf = async (externalId: string): Promise<number> =>
  (await db.query<{ id: number }>('select id from person where external_id = $1', [externalId]))
    .rows[0]!.id;

async function member(no: number, seq: number, personId: number, holdout: boolean): Promise<void> {
  await db.query(
    `insert into campaign (no, id, definition, hash, salt) overriding system value values ($1::integer, 'c' || $1::integer, '{}', '', '')
     on conflict do nothing`,
    [no],
  );
  await db.query(
    'insert into audience_member (campaign_no, seq, person_id, eligible, holdout) values ($1, $2, $3, true, $4)',
    [no, seq, personId, holdout],
  );
  if (holdout) return;
  await db.query(
    'insert into message (campaign_no, person_id, state, mode, lane) values ($1, $2, 10, 1, 4)',
    [no, personId],
  );
}

describe('two customers that are one', () => {
  it('are merged by an alias: history, traits, the newer consent, and the earliest assignment to an arm', async () => {
    const early = '2026-05-01T00:00:00Z';
    await say(
      {
        type: 'identify',
        userId: 'old',
        timestamp: early,
        traits: { email: 'o@mail.test', plan: 'gold', marketingConsent: true },
      },
      viewed({ userId: 'old', anonymousId: 'a' }, 'x'),
    );
    await say(
      { type: 'identify', userId: 'new', traits: { plan: 'silver', marketingConsent: false } },
      viewed({ userId: 'new' }, 'y'),
    );
    const [old, fresh] = [await idOf('old'), await idOf('new')];
    await db.query('update person set created_at = $2 where id = $1', [old, early]);
    await member(1, 0, old, true);
    await member(1, 1, fresh, false);
    await member(2, 0, old, false);
    await say({ type: 'alias', previousId: 'old', userId: 'new' });

    expect(await views()).toEqual({ x: 'new', y: 'new' });
    const { rows } = await db.query(
      'select address, traits, granted from person left join consent on person_id = id where id = $1',
      [fresh],
    );
    expect(rows).toEqual([{ address: 'o@mail.test', traits: { plan: 'silver' }, granted: false }]);
    const arms = await db.query(
      'select campaign_no as no, holdout from audience_member where person_id = $1 order by 1',
      [fresh],
    );
    // Held out as `old` first, so held out as one; the mail that `new` got is the other row's.
    expect(arms.rows).toEqual([
      { no: 1, holdout: true },
      { no: 2, holdout: false },
    ]);
    const mails = await db.query('select campaign_no as no from message where person_id = $1', [
      fresh,
    ]);
    expect(mails.rows).toEqual([{ no: 2 }]);
    // Whatever still calls them by the former id reaches the one that is left.
    await say(viewed({ userId: 'old' }, 'z'));
    expect((await views())['z']).toBe('new');
  });

  it('are as before after a merge and a split, whatever they were', async () => {
    const trait = fc.dictionary(
      fc.constantFrom('plan', 'size', 'city'),
      fc.constantFrom('a', 'b', 1, true),
      { maxKeys: 3 },
    );
    const person = fc.record({
      traits: trait,
      email: fc.constantFrom(undefined, 'a@mail.test', 'b@mail.test'),
      country: fc.constantFrom(undefined, 'DE', 'FR'),
      consent: fc.constantFrom(undefined, true, false),
      atDay: fc.integer({ min: 1, max: 9 }),
      events: fc.integer({ min: 0, max: 3 }),
      visitor: fc.boolean(),
      arms: fc.array(fc.constantFrom('none', 'holdout', 'mailed'), { minLength: 2, maxLength: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(person, person, async (a, b) => {
        await db.query(
          'truncate person, consent, event, message_key, visitor, identity_claim, audience_member, message cascade',
        );
        for (const [userId, one] of [
          ['a', a],
          ['b', b],
        ] as const) {
          const { email, country, consent, atDay } = one;
          await say({
            type: 'identify',
            userId,
            timestamp: `2026-05-0${atDay}T00:00:00Z`,
            traits: JSON.parse(
              JSON.stringify({ ...one.traits, email, country, marketingConsent: consent }),
            ) as object,
          });
          for (let n = 0; n < one.events; n += 1) await say(viewed({ userId }, `${userId}${n}`));
          if (one.visitor) await say(viewed({ userId, anonymousId: `v-${userId}` }, `v${userId}`));
          for (const [no, arm] of one.arms.entries()) {
            if (arm !== 'none')
              await member(no + 1, userId === 'a' ? 0 : 1, await idOf(userId), arm === 'holdout');
          }
        }
        const before = await picture();
        const link = await mergeCustomers(db, 'a', 'b', 'test');
        const { rows } = await db.query<{ n: number }>(
          `select count(*) as n from event e join person p on p.id = e.person_id
           where merged_into is not null and type <> 'Traits Changed'`,
        );
        expect(rows[0]!.n).toBe(0);
        await splitIdentity(db, link, 'test');
        expect(await picture()).toEqual(before);
      }),
      { numRuns: 25, seed: 7 },
    );
  });

  it('says what cannot be merged', async () => {
    await say({ type: 'identify', userId: 'ada' });
    await expect(mergeCustomers(db, 'ada', 'nobody', 'test')).rejects.toThrow('second argument');
    await expect(mergeCustomers(db, 'ada', 'ada', 'test')).rejects.toThrow('already');
  });
});

it('the warehouse has the merged person, and both again after the split', async () => {
  warehouse = await startWarehouse();
  const w = warehouse.warehouse;
  const project = async (): Promise<void> => {
    await projectAll(db, w);
  };
  const open = async (): Promise<number> =>
    (
      await db.query<{ n: number }>(
        `select count(*) as n from event e left join projector p on true where p.name is null or (e.xid, e.id) > (p.xid, p.id)`,
      )
    ).rows[0]!.n;
  const seen = async (): Promise<Record<string, number>> => {
    while ((await open()) > 0) await project();
    const rows = await w.query<{ who: string; n: number }>(
      `SELECT p.external_id AS who, toUInt32(countIf(e.type = 'Product Purchased' OR e.type = 'Product Viewed')) AS n
       FROM (SELECT person_id, argMax(external_id, version) AS external_id FROM person GROUP BY person_id) AS p
       LEFT JOIN event AS e ON e.person_id = p.person_id GROUP BY who ORDER BY who`,
    );
    return Object.fromEntries(rows.map((row) => [row.who, Number(row.n)]));
  };
  await say(
    viewed({ anonymousId: 'v' }, 's1'),
    viewed({ userId: 'a' }, 's2'),
    {
      type: 'track',
      event: 'Order Completed',
      userId: 'a',
      properties: { total: 5, products: [{ sku: 's2', price: 5 }] },
    },
    viewed({ userId: 'b' }, 's3'),
  );
  expect(await seen()).toEqual({ a: 2, b: 1 });
  await say({ type: 'identify', userId: 'a', anonymousId: 'v' });
  expect(await seen()).toEqual({ a: 3, b: 1 });
  const link = await mergeCustomers(db, 'a', 'b', 'test');
  expect(await seen()).toEqual({ b: 4 });
  await splitIdentity(db, link, 'test');
  expect(await seen()).toEqual({ a: 3, b: 1 });
}, 120_000);
