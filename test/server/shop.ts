import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Campaign } from '../../domain/campaign.ts';
import { fixedClock } from '../../domain/clock.ts';
import { signToken } from '../../domain/link-token.ts';
import { type CampaignRow, registerCampaign } from '../../store/campaigns.ts';
import { loadPeople, loadProducts, personIds } from '../../store/people.ts';
import type { Db } from '../../store/postgres.ts';
import { Vault } from '../../store/sealed.ts';
import { createPublicApp, createPublicListener, publicCounters } from '../../server/public/app.ts';
import { ReactionLog } from '../../server/public/reaction-log.ts';

/** What the suites of the server share: a shop with people, a campaign and its mails, and the public listener. */
export const OLD_KEY = { id: 1, secret: randomBytes(32) };
export const KEY = { id: 2, secret: randomBytes(32) };
export const VAULT = new Vault(randomBytes(32));
export const WRITE_KEY = 'a-write-key-of-the-shop';

export const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

export const definition: Campaign = {
  id: 'win-back',
  name: 'Win back',
  audience: { segment: { all: [] } },
  holdout: 0,
  driftTolerance: 0.1,
  deadline: '7d',
  schedule: { kind: 'now' },
  variants: [
    { id: 'plain', subject: 'Hello', template: 'win-back' },
    { id: 'offer', subject: 'Ten off', template: 'win-back' },
  ],
  from: { name: 'Green <b>Shop</b>', address: 'news@shop.test' },
  goal: { event: 'Order Completed', window: '14d', value: 'total' },
  hash: 'hash-1',
};

export const LINKS = {
  plain: ['https://shop.test/', 'https://shop.test/sale?a=1&b=2'],
  offer: ['https://shop.test/', 'https://shop.test/offer'],
};

export async function people(db: Db, count: number, prefix = 'c'): Promise<number[]> {
  await loadPeople(
    db,
    Array.from({ length: count }, (_, index) => ({
      externalId: `${prefix}${index}`,
      email: `${prefix}${index}@mail.test`,
      name: null,
      country: 'DE',
      timeZone: 'Europe/Berlin',
      locale: 'de',
      consent: { granted: true, atMs: 1_000, source: 'test' },
      traits: {},
      createdAtMs: 0,
    })),
  );
  const ids = await personIds(
    db,
    Array.from({ length: count }, (_, index) => `${prefix}${index}`),
  );
  return Array.from({ length: count }, (_, index) => ids.get(`${prefix}${index}`)!);
}

export async function products(db: Db): Promise<void> {
  const product = {
    title: 'Cup',
    category: 'Kitchen',
    price: 9.5,
    currency: 'EUR',
    stock: 3,
    description: '',
  };
  await loadProducts(db, [
    { ...product, sku: 'cup-1', url: 'https://shop.test/p/cup-1' },
    { ...product, sku: 'ünï/1', url: 'https://shop.test/p/odd' },
    { ...product, sku: 'evil', url: 'javascript:alert(1)' },
    { ...product, sku: 'nowhere', url: null },
  ]);
}

export async function campaign(
  db: Db,
  change: Partial<Campaign> = {},
  links: Record<string, readonly string[]> = LINKS,
): Promise<CampaignRow> {
  return registerCampaign(db, {
    campaign: { ...definition, ...change },
    links,
    templates: {},
    usesProducts: false,
    mode: 'live',
    salt: 'salt',
    expectedCount: null,
  });
}

/** A mail that was accepted `agoMs` ago by the shop's clock. */
export async function sentMail(
  db: Db,
  campaignNo: number,
  personId: number,
  options: { variant?: number; agoMs?: number; state?: number } = {},
): Promise<void> {
  await db.query(
    `insert into message (campaign_no, step, person_id, state, mode, lane, variant, settled_at, address, unit)
     select $1, 0, p.id, $3::int, 1, 4, $4, case when $3::int >= 10 then shop_now() - $5 * interval '1 millisecond' end,
       p.address, p.unit from person p where p.id = $2`,
    [campaignNo, personId, options.state ?? 10, options.variant ?? 0, options.agoMs ?? 3_600_000],
  );
}

export function tokenOf(campaignNo: number, personId: number, key = KEY, step = 0): string {
  return signToken(key, 'link', { campaignNo, step, personId });
}

export function publicListener(db: Db, nowMs = Date.now()) {
  const clock = fixedClock(nowMs);
  const logged: unknown[] = [];
  const log = (event: string, detail: Record<string, unknown> = {}): void => {
    logged.push({ event, ...detail });
  };
  const reactions = new ReactionLog(db, log);
  const counters = publicCounters();
  const deps = {
    db,
    clock,
    linkKeys: [KEY, OLD_KEY],
    writeKeys: [WRITE_KEY],
    vault: VAULT,
    reactions,
    counters,
    log,
  };
  return { app: createPublicApp(deps), deps, clock, reactions, counters, logged };
}

/** The public listener on a port of its own, as the server has it. */
export async function publicServer(
  db: Db,
  nowMs = Date.now(),
  options: { inFlightBytes?: number } = {},
) {
  const parts = publicListener(db, nowMs);
  const listener = createPublicListener(parts.deps, options);
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...parts,
    listener,
    origin,
    request: (path: string, init?: RequestInit) => fetch(`${origin}${path}`, init),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await listener.idle();
    },
  };
}

export async function eventsOf(
  db: Db,
  type: string,
): Promise<{ personId: number | null; atMs: number; properties: Record<string, unknown> }[]> {
  const { rows } = await db.query<{
    personId: number | null;
    atMs: number;
    properties: Record<string, unknown>;
  }>(
    `select person_id as "personId", (extract(epoch from at) * 1000)::double precision as "atMs", properties
     from event where type = $1 order by id`,
    [type],
  );
  return rows;
}
