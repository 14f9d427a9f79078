import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type TicketQueue, openTicketQueue } from '../../delivery/queue.ts';
import { Sender, type SenderOptions } from '../../delivery/sender.ts';
import { PipelinedTransport } from '../../delivery/smtp/pipelined-transport.ts';
import type { SmtpOptions } from '../../delivery/smtp/transport.ts';
import { DEFAULT_LANES, LANES, type LaneTable, laneIndex, laneOf } from '../../domain/lane.ts';
import { awaitDrained } from '../../activities/campaign/drain.ts';
import { campaignByNo, setPaused } from '../../store/campaigns.ts';
import { setShopClock, shopNowMs } from '../../store/clock.ts';
import { warmUpStates, warmUpWaits } from '../../store/lanes.ts';
import { ledgerCounts, reserveBatch, stopCampaign } from '../../store/ledger.ts';
import { type Db, connectPostgres, transaction } from '../../store/postgres.ts';
import {
  type Deed,
  type ScriptedSink,
  type Sink,
  type Stage,
  smtpRefusal,
  startScriptedSink,
  startSmtpServer,
} from '../support/sink.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { registered, testDeps } from '../workflows/support.ts';
import { loadPeople } from '../../store/people.ts';

let database: TestDatabase;
let db: Db;
let queue: TicketQueue;
let sender: Sender | undefined;
let transport: PipelinedTransport | undefined;
let logged: { event: string; detail: Record<string, unknown> | undefined }[];
let nextId = 0;

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'sender test', 12);
  queue = openTicketQueue(database.url);
});
afterAll(async () => {
  await queue.close();
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  logged = [];
  await db.query(
    'truncate person, consent, suppression, message, lot, audience_member, campaign, bucket cascade',
  );
});
afterEach(async () => {
  await sender?.stop();
  await transport?.close({ force: true });
  sender = transport = undefined;
});

/** A campaign with a reserved message for each domain's people. */
async function campaign(domains: Readonly<Record<string, number>>) {
  const id = `relay-${(nextId += 1)}`;
  const row = await registered(db, { id, holdout: 0 });
  const emails = Object.entries(domains).flatMap(([domain, n]) =>
    Array.from({ length: n }, (_, i) => `p${i}-${id}@${domain}`),
  );
  await loadPeople(
    db,
    emails.map((email) => ({
      externalId: email,
      email,
      name: null,
      country: null,
      timeZone: null,
      locale: null,
      consent: { granted: true, atMs: 0, source: 'test' },
      traits: {},
      createdAtMs: 0,
    })),
  );
  const { rows } = await db.query<{ id: number; address: string; unit: string }>(
    'select id, address, unit from person where external_id = any ($1)',
    [emails],
  );
  await db.query(
    `insert into audience_member (campaign_no, seq, person_id, eligible)
     select $1, row_number() over (), id, true from unnest($2::bigint[]) as p (id)`,
    [row.no, rows.map((person) => person.id)],
  );
  await transaction(db, (tx) =>
    reserveBatch(
      tx,
      row.no,
      0,
      'live',
      rows.map((person) => ({
        personId: person.id,
        skip: null,
        lane: laneIndex(laneOf(person.address.split('@')[1]!)),
        variant: 0,
        variantP: 1,
        dueAtMs: 0,
        address: person.address,
        unit: person.unit,
        decision: null,
      })),
    ),
  );
  return { no: row.no, emails };
}

async function startSender(
  smtp: Partial<SmtpOptions> & { port: number },
  options: Partial<SenderOptions> = {},
): Promise<void> {
  transport = new PipelinedTransport({
    host: '127.0.0.1',
    security: 'plain',
    sessions: 4,
    ...smtp,
  });
  sender = new Sender(
    {
      db,
      queue,
      transport,
      name: 'test-sender',
      prepare: (campaignNo) =>
        Promise.resolve({
          campaignNo,
          campaignId: 'test',
          from: 'news@shop.test',
          build: (message) => Buffer.from(`To: ${message.address}\r\n\r\nHello\r\n`),
        }),
      log: (event, detail) => void logged.push({ event, detail }),
    },
    { windowSize: 20, reconcileMs: 100, retrySeconds: 0, ...options },
  );
  await sender.start();
}

async function attempts(campaignNo: number): Promise<Record<string, number>> {
  const { rows } = await db.query<{ attempt: number; n: number }>(
    'select attempt, count(*) as n from message where campaign_no = $1 group by 1',
    [campaignNo],
  );
  return Object.fromEntries(rows.map(({ attempt, n }) => [attempt, n]));
}

const wait = (check: () => Promise<void> | void, timeout = 30_000): Promise<void> =>
  vi.waitFor(check, { timeout, interval: 50 });
const reasons = async (): Promise<string[]> => [
  ...new Set((await queue.waiting()).map(({ reason }) => reason)),
];
const sentOnce = (sink: Sink, emails: readonly string[]): void =>
  expect(sink.mails.flatMap((mail) => mail.to).toSorted()).toEqual(emails.toSorted());
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Ends its connections when it is closed, instead of waiting for their clients. */
const BRISK = { closeTimeout: 100 };

/** A port that nothing listens on. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('a relay that is down', () => {
  it('is stopped and started in mid-campaign: no attempt is spent, everyone is sent once', async () => {
    const port = await freePort();
    let sink = await startSmtpServer(BRISK, () => null, port);
    const { no, emails } = await campaign({ 'gmail.com': 150, 'shop.example': 150 });
    // Slow enough to be stopped on the way.
    const lanes = table({ gmail: { ratePerSecond: 100 }, other: { ratePerSecond: 100 } });
    await startSender({ port }, { lanes });
    await wait(async () => expect((await ledgerCounts(db, no)).sent).toBeGreaterThan(40));
    await sink.close();
    const before = sink.mails;
    await wait(async () => expect(await reasons()).toEqual(['relay']));
    await sleep(2_500);
    const { sent, unknown, handed, reserved, leased } = await ledgerCounts(db, no);
    expect({ handed, unknown }).toEqual({ handed: 0, unknown: 0 });
    expect(sent).toBe(before.length);
    expect(reserved + leased).toBe(300 - sent);
    expect(await attempts(no)).toEqual({ 0: 300 - sent, 1: sent });
    expect(logged.map(({ event }) => event)).toContain('relay is down');

    sink = await startSmtpServer(BRISK, () => null, port);
    await wait(async () => expect((await ledgerCounts(db, no)).sent).toBe(300));
    sink.mails.unshift(...before);
    sentOnce(sink, emails);
    expect(await attempts(no)).toEqual({ 1: 300 });
    expect(logged.map(({ event }) => event)).toContain('relay is back');
    await sink.close();
  });

  it('was never up: nothing is handed, and one connection at a time asks for it', async () => {
    const port = await freePort();
    const { no, emails } = await campaign({ 'shop.example': 50 });
    await startSender({ port });
    await wait(async () => expect(await reasons()).toEqual(['relay']));
    const { rows } = await db.query('select from message where handed_at is not null');
    expect(rows).toHaveLength(0);
    const sink = await startSmtpServer(BRISK, () => null, port);
    await wait(async () => expect((await ledgerCounts(db, no)).sent).toBe(50));
    sentOnce(sink, emails);
    await sink.close();
  });

  it('refuses the credentials: it is asked rarely, and the log says what to mend', async () => {
    const { no } = await campaign({ 'gmail.com': 30, 'shop.example': 30 });
    let logins = 0;
    const sink = await startSmtpServer({
      ...BRISK,
      authOptional: false,
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      onAuth: (_auth, _session, callback) => {
        logins += 1;
        callback(smtpRefusal(535, '5.7.8 no'));
      },
    });
    await startSender({ port: sink.port, auth: { user: 'u', password: 'secret-word' } });
    await wait(async () => expect(await reasons()).toEqual(['relay']));
    await sleep(1_500);
    expect(logins).toBe(1);
    expect(await attempts(no)).toEqual({ 0: 60 });
    const [told] = logged.filter(({ event }) => event === 'relay refuses the credentials');
    expect(told?.detail).toMatchObject({ stage: 'auth', code: 535, mend: /SMTP_URL/ });
    expect(Number(told!.detail!['nextTryMs'])).toBeGreaterThan(25_000);
    expect(JSON.stringify(logged)).not.toContain('secret-word');
    await expect(transport!.verify()).rejects.toThrow(/refused the credentials \(code 535\)/);
    await sink.close();
  });

  it('greets with 421: nothing is spent, and it goes on when the relay does', async () => {
    const { no, emails } = await campaign({ 'shop.example': 60 });
    let open = true;
    const sink = await scripted((stage) =>
      stage === 'greeting' && !open
        ? { reply: '421 4.3.2 come back later', hangUp: true }
        : undefined,
    );
    open = false;
    await startSender({ port: sink.port });
    await wait(async () => expect(await reasons()).toEqual(['relay']));
    const asked = sink.connections();
    await sleep(1_200);
    expect(sink.connections() - asked).toBeLessThanOrEqual(2);
    expect(await attempts(no)).toEqual({ 0: 60 });
    open = true;
    await wait(async () => expect((await ledgerCounts(db, no)).sent).toBe(60));
    sentOnce(sink, emails);
    expect(await attempts(no)).toEqual({ 1: 60 });
    await sink.close();
  });

  it('is what a draining campaign is told to wait for, in its row too', async () => {
    const port = await freePort();
    const { no } = await campaign({ 'shop.example': 20 });
    await db.query("update campaign set stage = 'draining', waiting = 'rate' where no = $1", [no]);
    await startSender({ port });
    await wait(async () => expect(await reasons()).toEqual(['relay']));
    const deps = testDeps(db, queue);
    expect(await awaitDrained(deps, { campaignNo: no, waitMs: 500 })).toMatchObject({
      open: 20,
      waiting: 'relay',
    });
    expect((await campaignByNo(db, no)).waiting).toBe('relay');
    await db.query(
      "update lot set due_at = shop_now() + interval '1 hour' where due_at is not null",
    );
    await sender!.stop();
    expect(await awaitDrained(deps, { campaignNo: no, waitMs: 500 })).toMatchObject({
      waiting: 'time',
    });
    await db.query('update lot set due_at = shop_now()');
    await setPaused(db, no, true);
    expect(await awaitDrained(deps, { campaignNo: no, waitMs: 500 })).toMatchObject({
      waiting: 'paused',
    });
  });

  it('a recall while it is down takes everything back', async () => {
    const { no } = await campaign({ 'shop.example': 40 });
    await startSender({ port: await freePort() });
    await wait(async () => expect(await reasons()).toEqual(['relay']));
    expect(await stopCampaign(db, no, 'recalled')).toEqual({ takenBack: 40, gone: 0 });
    expect(await ledgerCounts(db, no)).toMatchObject({ skipped: 40, reserved: 0 });
  });

  it('that hangs does not keep a sender from stopping, nor its messages', async () => {
    const { no } = await campaign({ 'shop.example': 40 });
    // The first connection is the sender's look at the relay; later ones are never greeted.
    let greeted = 0;
    const sink = await scripted((stage) =>
      stage === 'greeting' && (greeted += 1) > 1 ? { delayMs: 600_000 } : undefined,
    );
    await startSender({ port: sink.port });
    await wait(async () => expect((await ledgerCounts(db, no)).handed).toBe(40));
    const began = performance.now();
    await sender!.stop();
    expect(performance.now() - began).toBeLessThan(7_000);
    expect(await ledgerCounts(db, no)).toMatchObject({ handed: 0, unknown: 0, reserved: 40 });
    expect(await attempts(no)).toEqual({ 0: 40 });
    await transport!.close({ force: true });
    await sink.close();
  });

  it('a pause while it is down holds when it is back', async () => {
    const port = await freePort();
    const { no } = await campaign({ 'shop.example': 40 });
    await startSender({ port });
    await wait(async () => expect(await reasons()).toEqual(['relay']));
    await setPaused(db, no, true);
    const sink = await startSmtpServer(BRISK, () => null, port);
    await wait(() => expect(logged.map(({ event }) => event)).toContain('relay is down'));
    await sleep(2_500);
    expect(sink.mails).toHaveLength(0);
    await setPaused(db, no, false);
    await wait(async () => expect((await ledgerCounts(db, no)).sent).toBe(40));
    await sink.close();
  });
});

describe('a lane that is throttled', () => {
  it.each([
    ['rcpt', '421 4.7.0 too fast'],
    ['rcpt', '450 4.7.1 rate limited'],
    ['content', '451 4.7.500 slow down'],
  ] as const)(
    'pauses at %s by "%s" without spending attempts; other lanes go on',
    async (at, reply) => {
      const { no, emails } = await campaign({ 'gmail.com': 40, 'shop.example': 40 });
      let slow = true;
      const sink = await scripted((stage, argument) => {
        if (!slow || stage !== at || !argument.includes('@gmail.com')) return undefined;
        return { reply, hangUp: reply.startsWith('421') };
      });
      await startSender({ port: sink.port });
      await wait(async () => expect((await ledgerCounts(db, no)).sent).toBe(40));
      await wait(async () => expect(await reasons()).toEqual(['throttled']));
      // Now and then one message is on trial; it goes back as if it had not been.
      await wait(async () => expect(await attempts(no)).toEqual({ 0: 40, 1: 40 }));
      const lanes = new Set(
        logged
          .filter(({ event }) => event === 'lane is throttled')
          .map(({ detail }) => detail?.['lane']),
      );
      expect([...lanes]).toEqual(['gmail']);
      slow = false;
      await wait(async () => expect((await ledgerCounts(db, no)).sent).toBe(80));
      sentOnce(sink, emails);
      expect(await attempts(no)).toEqual({ 1: 80 });
      await sink.close();
    },
  );

  it('one greylisting host among many does not slow the lane, and its message is deferred', async () => {
    const { no } = await campaign({ 'shop.example': 39, 'grey.example': 1 });
    let refused = 0;
    const sink = await scripted((stage, argument) =>
      stage === 'rcpt' && argument.includes('@grey') && (refused += 1) <= 2
        ? { reply: '450 4.7.1 greylisted' }
        : undefined,
    );
    await startSender({ port: sink.port });
    await wait(async () => expect((await ledgerCounts(db, no)).sent).toBe(40));
    expect(await attempts(no)).toEqual({ 1: 39, 3: 1 });
    expect(logged.map(({ event }) => event)).not.toContain('lane is throttled');
    await sink.close();
  });
});

describe('warm-up', () => {
  it('lets a day’s volume go, and the rest waits for the next day of the shop clock', async () => {
    const now = await shopNowMs(db);
    await setShopClock(db, now - (now % 86_400_000) + 86_400_000 + 3_600_000);
    const { no, emails } = await campaign({ 'gmail.com': 60, 'shop.example': 30 });
    const sink = await startSmtpServer(BRISK);
    const lanes = table({ gmail: { warmUp: { start: 10, factor: 2, ceiling: 25 } } });
    await startSender({ port: sink.port }, { lanes });
    const gmail = (): number =>
      sink.mails.filter((mail) => mail.to[0]!.endsWith('@gmail.com')).length;
    // 10 on the first day, 20 on the second, 25 on the third, and the last 5.
    for (const [day, sum] of [10, 30, 55].entries()) {
      await wait(() => expect(gmail()).toBe(sum));
      await wait(async () => expect(await reasons()).toEqual(['warm-up']));
      expect(await warmUpWaits(db, no)).toBe(true);
      expect(await warmUpStates(db, lanes)).toMatchObject([{ lane: 'gmail', day }]);
      await sleep(300);
      expect(gmail()).toBe(sum);
      await setShopClock(db, (await shopNowMs(db)) + 86_400_000);
    }
    await wait(async () => expect((await ledgerCounts(db, no)).sent).toBe(90));
    sentOnce(sink, emails);
    await sink.close();
  });

  it('counts by the ledger what another sender sent before', async () => {
    const { no } = await campaign({ 'gmail.com': 30 });
    const { rows } = await db.query<{ id: number }>(
      `update message set state = 10, settled_at = shop_now(), handed_at = clock_timestamp()
       where person_id in (select person_id from message limit 8) returning person_id as id`,
    );
    await db.query(
      'update lot set person_ids = array(select unnest(person_ids) except select unnest($1::bigint[]))',
      [rows.map(({ id }) => id)],
    );
    const sink = await startSmtpServer(BRISK);
    const lanes = table({ gmail: { warmUp: { start: 10, factor: 2, ceiling: 25 } } });
    await startSender({ port: sink.port }, { lanes });
    await wait(async () => expect(await reasons()).toEqual(['warm-up']));
    await wait(async () => expect((await ledgerCounts(db, no)).sent).toBe(10));
    expect(sink.mails).toHaveLength(2);
    await sink.close();
  });
});

function table(over: Partial<Record<keyof LaneTable, Partial<LaneTable['gmail']>>>): LaneTable {
  return Object.fromEntries(
    LANES.map((lane) => [lane, { ...DEFAULT_LANES[lane], ...over[lane] }]),
  ) as unknown as LaneTable;
}

const scripted = (
  act: (stage: Stage, argument: string) => Deed | undefined,
): Promise<ScriptedSink> => startScriptedSink({ act });
