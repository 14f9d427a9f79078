import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { ReactionLog } from '../../server/public/reaction-log.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import {
  BROWSER,
  LINKS,
  OLD_KEY,
  campaign,
  eventsOf,
  people,
  products,
  publicListener,
  sentMail,
  tokenOf,
} from './shop.ts';

let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'tracking test');
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query(
    'truncate person, consent, suppression, message, campaign, product, event, message_key cascade',
  );
});

const asBrowser = { headers: { 'user-agent': BROWSER } };

describe('a click', () => {
  it('leads to the frozen target of its variant and is logged at shop time', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    await sentMail(db, no, person!, { variant: 1 });
    const { app, clock, reactions } = publicListener(db);

    const answer = await app.request(`/c/${tokenOf(no, person!)}/1`, asBrowser);

    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe(LINKS.offer[1]);
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer');
    expect(answer.headers.get('x-robots-tag')).toContain('noindex');
    expect(answer.headers.get('cache-control')).toContain('no-store');
    await reactions.flush();
    expect(await eventsOf(db, 'Email Link Clicked')).toEqual([
      {
        personId: person,
        atMs: clock.nowMs(),
        properties: { campaign: 'win-back', step: 0, variant: 'offer', link: '1', machine: false },
      },
    ]);
  });

  it('by a key that signs no more still works', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    const { app } = publicListener(db);
    const answer = await app.request(`/c/${tokenOf(no, person!, OLD_KEY)}/0`, asBrowser);
    expect(answer.headers.get('location')).toBe('https://shop.test/');
  });

  it('on a product leads to its page in the shop, on the web only', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    await products(db);
    const { app } = publicListener(db);
    const at = async (ref: string): Promise<[number, string | null]> => {
      const answer = await app.request(`/c/${tokenOf(no, person!)}/${ref}`, asBrowser);
      return [answer.status, answer.headers.get('location')];
    };
    expect(await at('pcup-1')).toEqual([302, 'https://shop.test/p/cup-1']);
    expect(await at(`p${encodeURIComponent('ünï/1')}`)).toEqual([302, 'https://shop.test/p/odd']);
    for (const ref of ['pevil', 'pnowhere', 'punknown', 'p', 'p%00', 'p%ff', 'p%E0%A4%A']) {
      expect(await at(ref)).toEqual([404, null]);
    }
  });

  it('leads nowhere beyond the table', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    const { app, counters } = publicListener(db);
    for (const ref of ['2', '-1', '00', '1e0', '0x1', '1.0', 'https:', '0%2f1', '99999']) {
      const answer = await app.request(`/c/${tokenOf(no, person!)}/${ref}`, asBrowser);
      expect([ref, answer.status, answer.headers.get('location')]).toEqual([ref, 404, null]);
    }
    expect(counters.unknownLinks).toBe(9);
  });

  it('is a machine’s for HEAD, scanners, and within two seconds of the delivery', async () => {
    const [slow, quick, scanned, under] = await people(db, 4);
    const { no } = await campaign(db);
    await sentMail(db, no, slow!);
    await sentMail(db, no, quick!, { agoMs: 500 });
    await sentMail(db, no, scanned!);
    await sentMail(db, no, under!, { state: 3 });
    const { app, reactions } = publicListener(db);
    const path = (person: number): string => `/c/${tokenOf(no, person)}/0`;
    await app.request(path(slow!), asBrowser);
    await app.request(path(quick!), asBrowser);
    await app.request(path(scanned!), { ...asBrowser, method: 'HEAD' });
    await app.request(path(under!), asBrowser);
    await reactions.flush();
    const clicks = await eventsOf(db, 'Email Link Clicked');
    expect(clicks.map((click) => [click.personId, click.properties['machine']])).toEqual([
      [slow, false],
      [quick, true],
      [scanned, true],
      [under, true],
    ]);
  });

  it('twice within seconds is one event, and of an erased person none', async () => {
    const [person, gone] = await people(db, 2);
    const { no } = await campaign(db);
    await sentMail(db, no, person!);
    await db.query('delete from person where id = $1', [gone]);
    const { app, clock, reactions, counters } = publicListener(db, 1_700_000_000_000);
    for (const who of [person!, person!, gone!]) {
      const answer = await app.request(`/c/${tokenOf(no, who)}/0`, asBrowser);
      expect(answer.status).toBe(302);
    }
    clock.advance(30_000);
    await app.request(`/c/${tokenOf(no, person!)}/0`, asBrowser);
    await reactions.flush();
    expect((await eventsOf(db, 'Email Link Clicked')).map((event) => event.personId)).toEqual([
      person,
      person,
    ]);
    expect(counters.clicks).toBe(4);
    expect(reactions.counters).toMatchObject({ written: 2, forgotten: 1, queued: 0 });
  });

  it('of a campaign that is gone shows a page, and no trace of it', async () => {
    const { app, reactions } = publicListener(db);
    const answer = await app.request(`/c/${tokenOf(99, 1)}/0`, {
      headers: { 'user-agent': BROWSER, 'accept-language': 'fr;q=0.9, de-AT;q=0.8, en;q=0.2' },
    });
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain('lang="de"');
    await reactions.flush();
    expect(await eventsOf(db, 'Email Link Clicked')).toEqual([]);
  });
});

describe('an open', () => {
  it('is a pixel, and by a proxy it is a machine’s', async () => {
    const [reader, apple] = await people(db, 2);
    const { no } = await campaign(db);
    await sentMail(db, no, reader!, { variant: 1 });
    await sentMail(db, no, apple!);
    const { app, reactions } = publicListener(db);
    const answer = await app.request(`/o/${tokenOf(no, reader!)}.gif`, asBrowser);
    await app.request(`/o/${tokenOf(no, apple!)}.gif`, {
      headers: { 'user-agent': 'Mozilla/5.0' },
    });

    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('image/gif');
    expect(answer.headers.get('cache-control')).toContain('no-store');
    expect(
      Buffer.from(await answer.arrayBuffer())
        .subarray(0, 6)
        .toString(),
    ).toBe('GIF89a');
    await reactions.flush();
    const opens = await eventsOf(db, 'Email Opened');
    expect(opens.map((open) => open.properties)).toEqual([
      { campaign: 'win-back', step: 0, variant: 'offer', machine: false },
      { campaign: 'win-back', step: 0, variant: 'plain', machine: true },
    ]);
  });

  it('with another token is refused', async () => {
    const { app } = publicListener(db);
    const token = tokenOf(1, 1);
    const forged = token.slice(0, 9) + (token[9] === 'A' ? 'B' : 'A') + token.slice(10);
    expect((await app.request(`/o/${forged}.gif`, asBrowser)).status).toBe(404);
  });
});

describe('the queue of reactions', () => {
  it('drops and counts what does not fit while the database is away, and keeps the rest', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    await sentMail(db, no, person!);
    const other = connectPostgres(database.url, 'away');
    const reactions = new ReactionLog(other, () => {}, 10);
    const query = other.query.bind(other);
    let away = true;
    other.query = ((...args: Parameters<typeof query>) =>
      away
        ? Promise.reject(Object.assign(new Error('down'), { code: 'ECONNREFUSED' }))
        : query(...args)) as typeof other.query;
    for (let index = 0; index < 15; index += 1) {
      reactions.add({
        kind: 'click',
        campaignNo: no,
        step: 0,
        personId: person!,
        link: String(index),
        method: 'GET',
        userAgent: BROWSER,
        atMs: Date.now(),
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(reactions.counters).toMatchObject({ queued: 10, dropped: 5, written: 0 });
    expect(reactions.counters.failures).toBeGreaterThan(0);
    away = false;
    await reactions.flush();
    expect(reactions.counters).toMatchObject({ queued: 0, dropped: 5, written: 10 });
    await reactions.close();
    await other.end();
  });

  it('loses only the one that the database will never take', async () => {
    const [person] = await people(db, 1);
    const { no } = await campaign(db);
    const reactions = new ReactionLog(db);
    for (const link of ['0', 'a\0b', '1']) {
      reactions.add({
        kind: 'click',
        campaignNo: no,
        step: 0,
        personId: person!,
        link,
        method: 'GET',
        userAgent: BROWSER,
        atMs: Date.now(),
      });
    }
    await reactions.flush();
    expect(reactions.counters).toMatchObject({ written: 2, rejected: 1, queued: 0 });
  });
});
