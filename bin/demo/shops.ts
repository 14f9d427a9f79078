import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { createSampleShop } from '../../shop/sample.ts';
import { createTruth } from '../../shop/truth.ts';
import { setShopClock } from '../../store/clock.ts';
import { type NewEvent, loadEvents } from '../../store/events.ts';
import { loadPeople, loadProducts, personIds } from '../../store/people.ts';
import { connectPostgres } from '../../store/postgres.ts';
import { readSetting, writeSetting } from '../../store/settings.ts';
import type { Config } from '../config.ts';
import { type Demo, count, step } from './context.ts';

/** The sample shop's history ends here; 14:00 UTC is a waking hour from Los Angeles to Delhi. */
export const SAMPLE = { seed: 1, endMs: Date.parse('2026-10-01T14:00:00Z') } as const;
/** Where the real shop's clock stands: its last quarter is kept to judge models on. */
const COMPLETE_JOURNEY_CUT_MS = Date.parse('2017-10-01T12:00:00Z');

/** Needs no more than PostgreSQL: it loads while the rest of the stack still starts. */
type Loading = Pick<Demo, 'config' | 'db' | 'say'>;

/** Loads the shop once; a later start finds it. */
export async function loadShop(config: Config, say: Demo['say']): Promise<void> {
  const db = connectPostgres(config.database.url.reveal(), 'shop', 6);
  try {
    if ((await readSetting(db, 'shop loaded')) !== null) return;
    if (config.shop === 'sample') await loadSample({ config, db, say });
    else if (config.shop === 'complete-journey') await loadCompleteJourney({ config, db, say });
    await writeSetting(db, 'shop loaded', config.shop);
  } finally {
    await db.end();
  }
}

async function loadSample(demo: Loading): Promise<void> {
  const { db } = demo;
  await step(
    demo,
    'Sample shop',
    async () => {
      // The clock first: what is loaded carries shop time.
      await setShopClock(db, SAMPLE.endMs);
      const shop = createSampleShop(SAMPLE);
      const people = await loadPeople(db, shop.people);
      const products = await loadProducts(db, shop.products);
      const ids = await personIds(db);
      function* batches(): Generator<NewEvent[]> {
        for (const batch of shop.events) {
          yield batch.map(({ externalId, ...event }) => ({
            ...event,
            personId: externalId === null ? null : (ids.get(externalId) ?? null),
          }));
        }
      }
      const events = await loadEvents(db, batches());
      return { people, products, events };
    },
    ({ people, products, events }) =>
      `${count(people.added)} customers, ${count(products.read)} products, ${count(events.added)} events`,
  );
  await writeSetting(db, 'shop', {
    name: 'Kairos Sample Shop',
    url: 'https://shop.example/',
    postalAddress: 'Kairos Sample Shop, 1 Example Street, 10115 Berlin',
    currency: 'EUR',
  });
  await writeSetting(db, 'reactions', 'real');
}

/** The truth behind the sample shop, for tests that compare with it; nothing of the engine reads this file. */
export async function writeTruth(demo: Demo): Promise<void> {
  const path = join(demo.config.dataDir, 'truth.ndjson');
  if (demo.config.shop !== 'sample' || existsSync(path)) return;
  const lines = [...createTruth(SAMPLE).all()].map((person) => JSON.stringify(person));
  await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o600 });
}

async function loadCompleteJourney(demo: Loading): Promise<void> {
  const { db } = demo;
  const { importCompleteJourney } = await import('../shops/complete-journey.ts');
  await setShopClock(db, COMPLETE_JOURNEY_CUT_MS);
  await step(
    demo,
    'Real shop',
    () =>
      importCompleteJourney({ db, dataDir: demo.config.dataDir, out: (text) => demo.say(text) }),
    () => 'Complete Journey: a year of 2,469 households, imported',
  );
  await writeSetting(db, 'shop', {
    name: 'The Grocer',
    url: 'https://grocer.example/',
    postalAddress: 'The Grocer, 1 Example Street, Cincinnati, OH 45202',
    currency: 'USD',
  });
  await writeSetting(db, 'reactions', 'none');
}
