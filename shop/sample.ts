import type { EventRecord, PersonRecord, ProductRecord, ShopSource } from '../domain/records.ts';
import { historyOf } from './history.ts';
import { newslettersOf } from './newsletters.ts';
import { personRecords } from './person-records.ts';
import { type SampleOptions, createWorld } from './world.ts';

/** What the shop hands to Kairos. `events` may be read more than once, and is made while it is read. */
export interface SampleShop extends ShopSource {
  readonly people: readonly PersonRecord[];
  readonly products: readonly ProductRecord[];
  readonly events: Iterable<EventRecord[]>;
}

/** Events of one batch at most; a batch is in order of time. */
export const BATCH_MAX = 2_000;

/**
 * A deterministic sample shop: 300 products, people in several countries and two years of events, up to `endMs`.
 * The truth behind it is in `truth.ts`, the people's reactions to mails are in `people.ts`; both take the same options.
 */
export function createSampleShop(options: SampleOptions): SampleShop {
  const world = createWorld(options);
  const newsletters = newslettersOf(world);
  return {
    people: personRecords(world, newsletters),
    products: world.catalogue.products,
    events: {
      *[Symbol.iterator]() {
        let batch: EventRecord[] = [];
        for (const persona of world.personas) {
          const history = historyOf(world, newsletters, persona);
          if (batch.length + history.length > BATCH_MAX) {
            yield batch.sort((a, b) => a.atMs - b.atMs);
            batch = [];
          }
          for (const event of history) {
            // Nobody does that much; but a batch must never grow beyond its bound.
            if (batch.length === BATCH_MAX) {
              yield batch;
              batch = [];
            }
            batch.push(event);
          }
        }
        if (batch.length > 0) yield batch.sort((a, b) => a.atMs - b.atMs);
      },
    },
  };
}
