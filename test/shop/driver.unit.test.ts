import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import nodemailer from 'nodemailer';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAddress } from '../../domain/address.ts';
import type { EventRecord } from '../../domain/records.ts';
import { type Inbox, startInbox } from '../../server/inbox/inbox.ts';
import { GONE_DOMAIN as REFUSED } from '../../server/inbox/smtp.ts';
import { type Action, type Performed, createShopDriver, slicesOf } from '../../shop/driver.ts';
import { createShopPeople } from '../../shop/people.ts';
import { GONE_DOMAIN } from '../../shop/places.ts';
import type { InboxMail } from '../../shop/reading.ts';
import { createSampleShop } from '../../shop/sample.ts';
import { createTruth } from '../../shop/truth.ts';

const DAY = 86_400_000;
const options = { seed: 24, people: 500, endMs: Date.UTC(2026, 10, 24, 6) };
const untilMs = options.endMs + 15 * DAY;

interface Asked {
  method: string;
  url: string;
  agent: string;
  type: string;
  body: string;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

/** A real inbox with one mail to everyone, and a server that notes what is asked of it, in place of Kairos's. */
describe('the sample shop’s people and real mails', () => {
  let directory: string;
  let inbox: Inbox;
  const asked: Asked[] = [];
  const tracked: EventRecord[] = [];
  const sentTo = new Map<string, string>();
  let refused = 0;
  let busiest = 0;
  let busy = 0;
  const server = createServer((request, answer) => {
    busy += 1;
    busiest = Math.max(busiest, busy);
    // Some milliseconds, so that requests can overlap.
    void Promise.all([bodyOf(request), setTimeout(5)]).then(([body]) => {
      asked.push({
        method: request.method!,
        url: request.url!,
        agent: request.headers['user-agent'] ?? '',
        type: request.headers['content-type'] ?? '',
        body,
      });
      busy -= 1;
      if (request.url!.startsWith('/c/')) {
        answer.writeHead(302, { location: 'http://shop.example.test/?utm_campaign=win-back' });
      }
      answer.end();
    });
  });
  let origin: string;
  let mails: InboxMail[];
  let actions: Action[];
  let done: Performed;
  const people = createShopPeople(options);
  const shop = createSampleShop(options);

  const driver = () =>
    createShopDriver({
      people,
      async listMails(after) {
        const answer = await fetch(
          `http://127.0.0.1:${inbox.webPort}/api/mails?parts=1&limit=100&after=${after}`,
        );
        return ((await answer.json()) as { mails: InboxMail[] }).mails;
      },
      async fetchUrl({ url, ...init }) {
        const answer = await fetch(url, { ...init, redirect: 'manual' });
        await answer.arrayBuffer();
        return { status: answer.status, location: answer.headers.get('location') };
      },
      track: (events) => Promise.resolve(void tracked.push(...events)),
      toShopMs: () => options.endMs + 3_600_000,
      campaignOf: () => 'win-back',
      trackingOrigin: origin,
      concurrency: 8,
    });

  async function sendAll(): Promise<void> {
    const pool = nodemailer.createTransport({
      host: '127.0.0.1',
      port: inbox.smtpPort,
      pool: true,
    });
    const send = async (externalId: string, to: string): Promise<void> => {
      const token = externalId.toLowerCase();
      try {
        await pool.sendMail({
          from: 'news@shop.example.test',
          to,
          subject: 'We miss you',
          text: 'Take 20 % off.\nYour code at the checkout:\nBACK20',
          html: `<p>Take 20 % off with <b>BACK20</b></p>
            <a href="${origin}/c/${token}/0">Shop now</a> <a href="${origin}/c/${token}/1">Coffee</a>
            <a href="http://elsewhere.example.test/">Elsewhere</a> <a href="${origin}/u/${token}">Unsubscribe</a>
            <img src="http://elsewhere.example.test/logo.png"><img src="${origin}/o/${token}" width="1" height="1">`,
          headers: {
            'List-Unsubscribe': `<${origin}/u/${token}>`,
            'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
          },
        });
        sentTo.set(externalId, to);
      } catch (error) {
        if ((error as { responseCode?: number }).responseCode !== 550) throw error;
        refused += 1;
      }
    };
    await Promise.all([
      ...shop.people.map((person) => {
        const address = person.email === null ? null : parseAddress(person.email);
        const first = person.email === null ? null : people.personAt(person.email);
        return address && first === person.externalId && person.consent?.granted
          ? send(person.externalId, person.email!)
          : Promise.resolve();
      }),
      send('stranger', 'stranger@elsewhere.test'),
    ]);
    pool.close();
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kairos-shop-'));
    inbox = await startInbox({ directory, smtpPort: 0, webPort: 0 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await sendAll();
    const hands = driver();
    mails = await hands.newMails();
    actions = hands.planActions(mails, options.endMs, untilMs);
    const sums = { opens: 0, machineOpens: 0, clicks: 0, unsubscribes: 0, orders: 0, failures: 0 };
    for (const slice of slicesOf(actions, DAY)) {
      const part = await hands.perform(slice.actions);
      for (const key of Object.keys(sums) as (keyof Performed)[]) sums[key] += part[key];
    }
    done = sums;
    expect(await hands.newMails()).toEqual([]);
  }, 60_000);
  afterAll(async () => {
    server.close();
    await inbox.stop();
    await rm(directory, { recursive: true });
  });

  it('reads every mail once, and mailboxes that are gone got none', () => {
    expect(REFUSED).toBe(GONE_DOMAIN);
    expect(mails).toHaveLength(sentTo.size);
    expect(mails.length).toBeGreaterThan(300);
    expect(refused).toBeGreaterThan(0);
  });

  it('plans in order of time, within the window, and leaves strangers’ mail alone', () => {
    const times = actions.map((action) => action.atMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(options.endMs);
    expect(times.at(-1)).toBeLessThan(untilMs);
    expect(asked.some(({ url }) => url.includes('stranger'))).toBe(false);
  });

  it('does through the real links what the people do', () => {
    const reactions = [...sentTo.keys()]
      .filter((externalId) => externalId !== 'stranger')
      .flatMap((externalId) =>
        people.react(externalId, {
          campaign: 'win-back',
          offer: { kind: 'percent', discount: 0.2, code: 'BACK20' },
          links: 2,
          sentAtMs: options.endMs + 3_600_000,
        }),
      );
    const count = (kind: string): number =>
      reactions.filter((reaction) => reaction.kind === kind).length;
    expect(done).toMatchObject({
      opens: count('open'),
      machineOpens: count('machineOpen'),
      clicks: count('click'),
      unsubscribes: count('unsubscribe'),
      failures: 0,
    });
    expect(asked.filter(({ url }) => url.startsWith('/o/'))).toHaveLength(
      done.opens + done.machineOpens,
    );
    expect(asked.filter(({ url }) => url.startsWith('/c/'))).toHaveLength(done.clicks);
    expect(done.clicks).toBeGreaterThan(20);
    expect(done.machineOpens).toBeGreaterThan(20);
    expect(done.unsubscribes).toBeGreaterThan(0);
  });

  it('opens before it clicks, unsubscribes by POST alone, and never leaves the tracking server', () => {
    for (const { method, url, body, type } of asked) {
      expect(url).toMatch(/^\/[cou]\/c\d{5}(?:\/[01])?$/);
      if (url.startsWith('/u/')) {
        expect([method, body]).toEqual(['POST', 'List-Unsubscribe=One-Click']);
        expect(type).toBe('application/x-www-form-urlencoded');
      } else expect(method).toBe('GET');
    }
    const order = asked.map(({ url }) => url);
    for (const [place, url] of order.entries()) {
      if (!url.startsWith('/c/')) continue;
      const opened = order.indexOf(url.replace(/^\/c\/(.*)\/\d$/, '/o/$1'));
      expect(opened).toBeGreaterThanOrEqual(0);
      expect(opened).toBeLessThan(place);
    }
  });

  it('keeps no more requests under way than it may', () => {
    expect(busiest).toBeGreaterThan(1);
    expect(busiest).toBeLessThanOrEqual(8);
  });

  it('sends every order once: what everyone buys anyway, and what the mails caused', () => {
    const orders = tracked.filter((event) => event.type === 'Order Completed');
    expect(new Set(tracked.map((event) => event.messageId)).size).toBe(tracked.length);
    expect(done.orders).toBe(orders.length);
    const mailed = new Map(
      [...sentTo.keys()]
        .filter((externalId) => externalId !== 'stranger')
        .map((externalId) => [
          externalId,
          {
            campaign: 'win-back',
            offer: { kind: 'percent', discount: 0.2, code: 'BACK20' } as const,
            links: 2,
            sentAtMs: options.endMs + 3_600_000,
          },
        ]),
    );
    const caused = createTruth(options).caused(mailed, options.endMs, untilMs);
    const ofMailed = orders.filter((order) => mailed.has(order.externalId!));
    expect(ofMailed).toHaveLength(caused.orders);
    const revenue = ofMailed.reduce((sum, order) => sum + Number(order.properties['total']), 0);
    expect(revenue).toBeCloseTo(caused.revenue, 2);
    expect(caused.orders).toBeGreaterThan(caused.ordersAnyway);
    // Those without a mail buy all the same.
    expect(orders.length).toBeGreaterThan(ofMailed.length);
  });

  it('notes the campaign of the landing page on the orders that follow a click, and the code', () => {
    const extra = tracked.filter(
      (event) => event.type === 'Order Completed' && event.messageId.includes('-x'),
    );
    const byClick = extra.filter((order) => order.properties['campaign'] === 'win-back');
    expect(byClick.length).toBeGreaterThan(5);
    expect(extra.every((order) => order.properties['coupon'] === 'BACK20')).toBe(true);
  });

  it('counts what could not be done, and goes on', async () => {
    const broken = createShopDriver({
      people,
      listMails: () => Promise.resolve([]),
      fetchUrl: ({ url }) =>
        url.includes('/o/')
          ? Promise.reject(new Error('refused'))
          : Promise.resolve({ status: 503, location: null }),
      track: () => Promise.resolve(),
      toShopMs: () => options.endMs,
      campaignOf: () => 'win-back',
      trackingOrigin: origin,
    });
    const fetches = actions.filter((action) => action.kind === 'fetch');
    expect(await broken.perform(fetches)).toEqual({
      opens: 0,
      machineOpens: 0,
      clicks: 0,
      unsubscribes: 0,
      orders: 0,
      failures: fetches.length,
    });
  });
});
