import { setTimeout as sleep } from 'node:timers/promises';
import { parseSpan } from '../../domain/campaign.ts';
import { MS_PER_DAY } from '../../domain/clock.ts';
import type { EventRecord } from '../../domain/records.ts';
import { createShopDriver, slicesOf } from '../../shop/driver.ts';
import { createShopPeople } from '../../shop/people.ts';
import type { InboxMail } from '../../shop/reading.ts';
import type { CampaignRow } from '../../store/campaigns.ts';
import { shopNowMs } from '../../store/clock.ts';
import { type Demo, count, step } from './context.ts';
import { moveClock } from './clock.ts';
import { SAMPLE } from './shops.ts';

/** Processes read the shop clock again every half second. */
const CLOCK_SETTLES_MS = 600;
/** How finely the demo's time moves; orders carry their own times, opens and clicks the clock's. */
const SLICE_MS = MS_PER_DAY;

/** The shop's people read their mails through the real tracking links, and buy, until the goal window is over. */
export async function letPeopleReact(demo: Demo, row: CampaignRow): Promise<void> {
  const launchedMs = row.launchedAtMs!;
  const endMs = launchedMs + (parseSpan(row.definition.goal.window) ?? 0);
  const offset = (await shopNowMs(demo.db)) - Date.now();
  const driver = createShopDriver({
    people: createShopPeople(SAMPLE),
    toShopMs: (wallMs) => wallMs + offset,
    campaignOf: () => row.id,
    trackingOrigin: new URL(demo.config.publicUrl).origin,
    listMails: (after) => listMails(demo, after),
    fetchUrl: async ({ url, ...request }) => {
      const answer = await fetch(url, { ...request, redirect: 'manual' });
      await answer.arrayBuffer();
      return { status: answer.status, location: answer.headers.get('location') };
    },
    track: (events) => track(demo, events),
  });
  await step(
    demo,
    'People',
    async () => {
      const actions = driver.planActions(await driver.newMails(), launchedMs, endMs);
      const done = {
        opens: 0,
        machineOpens: 0,
        clicks: 0,
        unsubscribes: 0,
        orders: 0,
        failures: 0,
      };
      for (const slice of slicesOf(actions, SLICE_MS)) {
        await moveClock(demo, row.id, slice.atMs);
        await sleep(CLOCK_SETTLES_MS);
        const part = await driver.perform(slice.actions);
        for (const key of Object.keys(done) as (keyof typeof done)[]) done[key] += part[key];
      }
      return done;
    },
    (done) =>
      `${count(done.opens)} opens, ${count(done.clicks)} clicks, ${count(done.orders)} orders, ${done.unsubscribes} left`,
  );
}

async function listMails(demo: Demo, after: number): Promise<InboxMail[]> {
  const answer = await fetch(`${demo.config.inboxUrl}/api/mails?after=${after}&limit=200&parts=1`);
  if (!answer.ok) throw new Error(`the inbox answered ${answer.status}`);
  const { mails } = (await answer.json()) as { mails: InboxMail[] };
  return mails;
}

async function track(demo: Demo, events: readonly EventRecord[]): Promise<void> {
  const answer = await fetch(`${demo.config.publicUrl}/v1/batch`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from(`${demo.config.writeKey.reveal()}:`).toString('base64')}`,
    },
    body: JSON.stringify({
      batch: events.map((event) => ({
        type: 'track',
        messageId: event.messageId,
        event: event.type,
        ...(event.externalId === null
          ? { anonymousId: event.messageId }
          : { userId: event.externalId }),
        timestamp: new Date(event.atMs).toISOString(),
        properties: event.properties,
      })),
    }),
  });
  const body = await answer.text();
  if (!answer.ok) throw new Error(`the intake answered ${answer.status}: ${body.slice(0, 200)}`);
}
