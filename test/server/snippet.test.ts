import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SNIPPET, SNIPPET_BYTES_MAX } from '../../server/public/snippet.ts';
import { type Db, connectPostgres } from '../../store/postgres.ts';
import { createWriteKey } from '../../store/write-keys.ts';
import { type TestDatabase, createDatabase } from '../support/stack.ts';
import { publicServer } from './shop.ts';

let database: TestDatabase;
let db: Db;
let server: Awaited<ReturnType<typeof publicServer>>;
let shop: Server;
let browser: Browser;
let html = '';

beforeAll(async () => {
  database = await createDatabase();
  db = connectPostgres(database.url, 'snippet test');
  server = await publicServer(db);
  const { key } = await createWriteKey(db, { name: 'page', kind: 'browser' }, 'test');
  html = `<!doctype html><title>Cups</title><script>
    window.kairos = { q: [['page', 'Home'], ['identify', 'ada', { plan: 'gold', marketingConsent: true }]] };
    </script><script async src="${server.origin}/k.js" data-key="${key}"></script>`;
  // Another origin than ours, as a shop is.
  shop = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(request.url === '/blank' ? '<!doctype html>' : html);
  }).listen(0, '127.0.0.1');
  await once(shop, 'listening');
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
    ],
  });
});
afterAll(async () => {
  await browser.close();
  shop.close();
  await server.close();
  await db.end();
  await database.drop();
});

async function logged(): Promise<{ type: string; who: string | null }[]> {
  const { rows } = await db.query<{ type: string; who: string | null }>(
    `select type, external_id as who from event left join person p on p.id = person_id
     where message_id like 'intake:k-%' order by at, event.id`,
  );
  return rows;
}

it('the script for pages weighs less than 4 KiB', () => {
  expect(Buffer.byteLength(SNIPPET)).toBeLessThan(SNIPPET_BYTES_MAX);
});

it('sends what a page says from another origin: calls before it was loaded, and those of a page that is left', async () => {
  const page = await browser.newPage();
  const home = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
  await page.goto(home);
  await page.waitForFunction(`typeof window.kairos.track === 'function'`);
  await expect.poll(logged).toHaveLength(2);
  // Left at once: only the beacon can have carried it.
  await page.evaluate(`kairos.track('Product Viewed', { sku: 'cup-1' }); location.href = '/blank'`);
  // In no order: the beacon and the queue are two requests.
  await expect
    .poll(async () => new Set((await logged()).map(({ type }) => type)))
    .toEqual(new Set(['Page Viewed', 'Person Identified', 'Product Viewed']));
  expect((await logged()).every(({ who }) => who === 'ada')).toBe(true);
  // The next page sends again what it cannot know to be taken; it is known.
  await page.goto(home);
  await expect.poll(async () => (await logged()).length).toBe(5);
  expect((await logged()).filter(({ type }) => type === 'Product Viewed')).toHaveLength(1);
  const { rows } = await db.query(
    `select traits, granted from person left join consent on person_id = id where external_id = 'ada'`,
  );
  expect(rows).toEqual([{ traits: { plan: 'gold' }, granted: null }]);
  await page.close();
});

it('keeps what cannot be sent, and sends it once the shop is back', async () => {
  const page = await browser.newPage();
  const home = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
  await page.goto(home);
  await page.waitForFunction(`typeof window.kairos.track === 'function'`);
  await page.waitForTimeout(600);
  await page.context().setOffline(true);
  const before = (await logged()).length;
  await page.evaluate(`kairos.track('Cart Viewed', {})`);
  await page.waitForTimeout(700);
  expect(await logged()).toHaveLength(before);
  await page.context().setOffline(false);
  await expect
    .poll(async () => (await logged()).some(({ type }) => type === 'Cart Viewed'), {
      timeout: 15_000,
    })
    .toBe(true);
  await page.close();
});
