import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { setShopClock } from '../../store/clock.ts';
import { loadPeople } from '../../store/people.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import {
  KEY,
  OLD_KEY,
  campaign,
  eventsOf,
  people,
  publicListener,
  sentMail,
  tokenOf,
} from './shop.ts';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'unsubscribe test');
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query(
    'truncate person, consent, suppression, message, campaign, event, message_key cascade',
  );
});

const ONE_CLICK = {
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: 'List-Unsubscribe=One-Click',
};

async function state(personId: number) {
  const { rows } = await db.query<{ granted: boolean; suppressed: number; audits: number }>(
    `select (select granted from consent where person_id = $1) as granted,
       (select count(*) from suppression) as suppressed,
       (select count(*) from audit where action = 'unsubscribed' and subject = 'person/' || $1::bigint) as audits`,
    [personId],
  );
  return rows[0]!;
}

describe('unsubscribing', () => {
  it('by one click suppresses, withdraws consent, logs and audits, once', async () => {
    const [person, other] = await people(db, 2);
    const { no } = await campaign(db);
    await sentMail(db, no, person!);
    await sentMail(db, no, other!);
    const { app, counters } = publicListener(db);
    const path = `/u/${tokenOf(no, person!)}`;

    const first = await app.request(path, ONE_CLICK);
    const second = await app.request(path, ONE_CLICK);

    expect([first.status, second.status]).toEqual([200, 200]);
    expect(await state(person!)).toEqual({ granted: false, suppressed: 1, audits: 1 });
    expect((await state(other!)).granted).toBe(true);
    const events = await eventsOf(db, 'Unsubscribed');
    expect(events.map((event) => [event.personId, event.properties])).toEqual([
      [person, { campaign: 'win-back', step: 0 }],
    ]);
    const told = (await eventsOf(db, 'Traits Changed')).at(-1)!;
    expect([told.personId, told.properties['consent']]).toEqual([person, false]);
    expect(counters.unsubscribes).toBe(2);
  });

  it('is never done by looking: GET and HEAD show the question', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    await sentMail(db, no, person!);
    const { app } = publicListener(db);
    const path = `/u/${tokenOf(no, person!)}`;
    for (const method of ['GET', 'HEAD']) {
      for (const query of ['', '?List-Unsubscribe=One-Click', '?confirm=yes']) {
        expect((await app.request(path + query, { method })).status).toBe(200);
      }
    }
    const page = await (await app.request(path)).text();
    expect(page).toContain('method="post"');
    expect(page).toContain('Green &lt;b&gt;Shop&lt;/b&gt;');
    expect(page).not.toContain('<b>Shop');
    expect(await state(person!)).toEqual({ granted: true, suppressed: 0, audits: 0 });
  });

  it.each([
    ['the form of the page', 'application/x-www-form-urlencoded', 'confirm=yes'],
    [
      'a form with more fields',
      'application/x-www-form-urlencoded',
      'a=b&List-Unsubscribe=One-Click',
    ],
    ['plain text', 'text/plain', 'List-Unsubscribe=One-Click\r\n'],
    [
      'multipart',
      'multipart/form-data; boundary=xx',
      '--xx\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--xx--\r\n',
    ],
  ])('works by %s', async (_name, type, body) => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    const { app } = publicListener(db);
    const answer = await app.request(`/u/${tokenOf(no, person!)}`, {
      method: 'POST',
      headers: { 'content-type': type, 'accept-language': 'de' },
      body,
    });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('Sie sind abgemeldet');
    expect((await state(person!)).granted).toBe(false);
  });

  it.each(['', 'List-Unsubscribe=No', 'confirm=no', 'x'.repeat(5_000)])(
    'is not done by another body',
    async (body) => {
      const [person] = await people(db, 1);
      const { no } = await campaign(db);
      const { app } = publicListener(db);
      const answer = await app.request(`/u/${tokenOf(no, person!)}`, { ...ONE_CLICK, body });
      expect(answer.status).toBe(body.length > 4_096 ? 413 : 400);
      expect(await state(person!)).toEqual({ granted: true, suppressed: 0, audits: 0 });
    },
  );

  it('works years later, by an old key, when person and campaign are gone but the mail’s row is not', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    await sentMail(db, no, person!);
    await db.query('delete from person where id = $1', [person]);
    await db.query('delete from campaign where no = $1', [no]);
    await setShopClock(db, Date.now() + 5 * 365 * 86_400_000);
    const { app } = publicListener(db);

    const answer = await app.request(`/u/${tokenOf(no, person!, OLD_KEY)}`, ONE_CLICK);

    expect(answer.status).toBe(200);
    const { rows } = await db.query<{ unit: string; reason: string }>(
      'select unit, reason from suppression',
    );
    expect(rows).toEqual([{ unit: 'c0@mail.test', reason: 'unsubscribe' }]);
    await setShopClock(db, Date.now());
  });

  it('when nothing is left to mail to is acknowledged all the same', async () => {
    const { app } = publicListener(db);
    expect((await app.request(`/u/${tokenOf(77, 77, KEY)}`, ONE_CLICK)).status).toBe(200);
    expect(await eventsOf(db, 'Unsubscribed')).toEqual([]);
  });

  it('suppresses the mailbox that got the mail, though the person has moved', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    await sentMail(db, no, person!);
    await loadPeople(db, [
      {
        externalId: 'c0',
        email: 'new@mail.test',
        name: null,
        country: null,
        timeZone: null,
        locale: null,
        consent: null,
        traits: {},
        createdAtMs: 0,
      },
    ]);
    const { app } = publicListener(db);
    await app.request(`/u/${tokenOf(no, person!)}`, ONE_CLICK);
    const { rows } = await db.query<{ unit: string }>('select unit from suppression order by unit');
    expect(rows.map((row) => row.unit)).toEqual(['c0@mail.test', 'new@mail.test']);
  });

  it('is done once by many at the same time', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    await sentMail(db, no, person!);
    const { app } = publicListener(db);
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => app.request(`/u/${tokenOf(no, person!)}`, ONE_CLICK)),
    );
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    expect(await state(person!)).toEqual({ granted: false, suppressed: 1, audits: 1 });
    expect(await eventsOf(db, 'Unsubscribed')).toHaveLength(1);
  });

  it('is not acknowledged while the database is away', async () => {
    const away = connectPostgres('postgres://nobody@127.0.0.1:1/none', 'away', 1);
    const { app, logged } = publicListener(away);
    const answer = await app.request(`/u/${tokenOf(1, 1)}`, ONE_CLICK);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(JSON.stringify(logged)).toContain('ECONNREFUSED');
    await away.end();
  });
});
