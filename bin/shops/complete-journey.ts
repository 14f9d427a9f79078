import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { priceBySales } from '../../store/import/prices.ts';
import type { ImportReport } from '../../store/import/report.ts';
import type { Db } from '../../store/postgres.ts';
import { importReport } from '../import.ts';
import { completeJourneyFolder } from './complete-journey-data.ts';

/** Each file by the mapping beside this one, in an order in which later ones know of earlier ones. */
const STEPS = [
  { kind: 'products', file: 'products', map: 'products', words: 'products' },
  { kind: 'customers', file: 'transactions', map: 'households', words: 'households' },
  { kind: 'customers', file: 'demographics', map: 'demographics', words: 'households described' },
  { kind: 'orders', file: 'transactions', map: 'orders', words: 'orders' },
  { kind: 'events', file: 'campaigns', map: 'campaigns', words: 'campaigns received' },
  { kind: 'events', file: 'coupon_redemptions', map: 'redemptions', words: 'coupons redeemed' },
] as const;

export const COMPLETE_JOURNEY_CONSENT = 'panel of the data set, taken as consent for this demo';

const MAPPINGS = fileURLToPath(new URL('./complete-journey/', import.meta.url));

export interface ShopImport {
  db: Db;
  /** The shop's data folder, for rejected rows. */
  dataDir: string;
  /** One line a step. */
  out: (text: string) => void;
  signal?: AbortSignal | undefined;
}

/**
 * A year of a real grocer, loaded like any user's files. The whole year goes into the log; what is at or after the shop
 * clock is invisible to segments and features, so the caller sets the clock first. Times are taken as UTC, as the
 * package has them. Loading again adds nothing.
 * @returns the report of each step by its mapping's name
 */
export async function importCompleteJourney(
  shop: ShopImport,
): Promise<Record<(typeof STEPS)[number]['map'], ImportReport>> {
  const folder = await completeJourneyFolder(shop.out);
  const reports: Partial<Record<string, ImportReport>> = {};
  for (const { kind, file, map, words } of STEPS) {
    const report = await importReport(
      {
        kind,
        files: [join(folder, `${file}.parquet`)],
        map: join(MAPPINGS, `${map}.yaml`),
        rejected: shop.dataDir,
        ...(map === 'households' && { consent: COMPLETE_JOURNEY_CONSENT }),
      },
      { db: shop.db, err: { write: () => {} }, signal: shop.signal },
    );
    shop.signal?.throwIfAborted();
    reports[map] = report;
    const rows = `${report.records.toLocaleString('en-US')} ${words}`;
    const seconds = `${report.seconds.toFixed(1)} s`;
    shop.out(
      `    ${rows.padEnd(30)} from ${report.read.toLocaleString('en-US')} rows in ${seconds}`,
    );
  }
  const began = performance.now();
  const priced = await priceBySales(shop.db);
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  shop.out(
    `    ${priced.toLocaleString('en-US')} products priced by what was paid for them in ${seconds} s`,
  );
  return reports as Record<(typeof STEPS)[number]['map'], ImportReport>;
}
