import type { EventRecord, PersonRecord } from '../../domain/records.ts';
import { loadPeople } from '../people.ts';
import type { Db } from '../postgres.ts';
import { Baskets } from './baskets.ts';
import type { FieldCompiler, Row } from './fields.ts';
import { keepUnnamed, productCategories, putConsents, putEvents, putProducts } from './load.ts';
import type { Mapping } from './mapping.ts';
import { lineMaker, orderEvents } from './orders.ts';
import {
  type ConsentRecord,
  consentMaker,
  type CustomerDefaults,
  customerMaker,
  eventMaker,
  type Maker,
  productMaker,
  reject,
} from './records.ts';
import { Rejection } from './rejection.ts';
import { count, type ImportReport } from './report.ts';
import { SeenIds } from './seen.ts';

/** Records of one load: a transaction each, so that an interrupted import keeps what it has, and memory stays flat. */
const PEOPLE = 20_000;
const PRODUCTS = 20_000;
const EVENTS = 20_000;
/** Lines of orders in one load; an order of a grocer has ten. */
const LINES = 40_000;

export type Taken = 'accepted' | 'duplicate' | Rejection;

export type Take = (row: Row, place: () => RowPlace) => Taken;

/** Rejects a row that was accepted before, once the database was asked about it. */
export type RejectLater = (place: RowPlace, rejection: Rejection) => void;

export interface RowPlace {
  readonly file: number;
  readonly line: number;
  readonly row: Row;
}

/** Takes the rows of a kind, and loads them in parts. */
export interface Sink {
  /** Prepares for a file; what it returns is called with each row. */
  open(compiler: FieldCompiler, mapping: Mapping): Promise<Take>;
  /** Enough for a load. */
  isFull(): boolean;
  /** Begins to load what was taken, once the load before has ended. */
  flush(): Promise<void>;
  /** Behind the last row; `onLoad` is told how much of what is left is loaded, 0 to 1. */
  finish(onLoad: (done: number) => void, signal: AbortSignal | undefined): Promise<void>;
  /** Once, however the import ended: waits for the load in flight, which must not outlive its connection. */
  close(): Promise<void>;
}

export interface SinkContext {
  readonly db: Db;
  readonly mapping: Mapping;
  readonly report: ImportReport;
  readonly defaults: CustomerDefaults;
  readonly spillFolder: string;
  readonly rejectLater: RejectLater;
}

export function sinkFor(context: SinkContext): Sink {
  switch (context.mapping.kind) {
    case 'customers':
      return customerSink(context);
    case 'products':
      return productSink(context);
    case 'orders':
      return orderSink(context);
    case 'events':
    case 'reviews':
      return eventSink(context);
    case 'consents':
      return consentSink(context);
  }
}

/** One load at a time, while the next part is read: the database works on one core, and we on the other. */
class Pump {
  #running: Promise<void> = Promise.resolve();

  async submit(work: () => Promise<void>): Promise<void> {
    await this.#running;
    this.#running = work();
    // Heard of by the next submit or the end; until then it must not count as unhandled.
    this.#running.catch(() => {});
  }

  end(): Promise<void> {
    return this.#running;
  }

  /** As `end`, where whatever failed has been told already. */
  close(): Promise<void> {
    return this.#running.catch(() => {});
  }
}

const noteOf =
  (report: ImportReport) =>
  (what: string): void =>
    count(report.notes, what);

/** A sink of records with an id of their own, of which the last one counts. */
function keyedSink<R>(
  context: SinkContext,
  options: {
    size: number;
    maker: (compiler: FieldCompiler, mapping: Mapping) => Maker<R>;
    keyOf: (record: R) => string;
    merge: (earlier: R, later: R) => R;
    load: (records: R[], mapping: Mapping) => Promise<{ added: number; changed: number }>;
  },
): Sink {
  const { report } = context;
  const seen = new SeenIds();
  const pump = new Pump();
  let current = context.mapping;
  let records = new Map<string, R>();
  const flush = async (): Promise<void> => {
    const part = [...records.values()];
    const mapping = current;
    records = new Map();
    await pump.submit(async () => {
      if (part.length === 0) return;
      const { added, changed } = await options.load(part, mapping);
      report.records += part.length;
      report.added += added;
      report.changed += changed;
    });
  };
  return {
    async open(compiler, mapping) {
      const make = options.maker(compiler, mapping);
      // Two files without a mapping can name different columns, and what a file does not name it does not change.
      if (mapping !== current) await flush();
      current = mapping;
      return (row) => {
        const record = make(row);
        if (record instanceof Rejection) return record;
        const key = options.keyOf(record);
        const earlier = records.get(key);
        if (earlier) {
          records.set(key, options.merge(earlier, record));
          return 'duplicate';
        }
        records.set(key, record);
        return seen.add(key) ? 'duplicate' : 'accepted';
      };
    },
    isFull: () => records.size >= options.size,
    flush,
    async finish() {
      await flush();
      await pump.end();
    },
    close: () => pump.close(),
  };
}

function customerSink(context: SinkContext): Sink {
  const { db, report, defaults } = context;
  const note = noteOf(report);
  return keyedSink<PersonRecord>(context, {
    size: PEOPLE,
    maker: (compiler, mapping) => customerMaker(compiler, mapping, defaults, note),
    keyOf: (person) => person.externalId,
    // Whoever is in a file many times, as in a list of orders, joined at the first.
    merge: (earlier, later) => ({
      ...later,
      createdAtMs: Math.min(earlier.createdAtMs, later.createdAtMs),
      consent: earliestConsent(earlier, later, defaults),
    }),
    load: async (people, mapping) => {
      await keepUnnamed(db, people, mapping);
      const receipt = await loadPeople(db, people);
      const { withoutAddress, malformedAddress } = receipt;
      if (withoutAddress > 0) count(report.notes, 'customer without an address', withoutAddress);
      if (malformedAddress > 0) {
        count(report.notes, 'address that cannot be mailed to, left out', malformedAddress);
      }
      return receipt;
    },
  });
}

/** A consent by the flag dates from the day they joined; one of the file's own is the newest that it has. */
function earliestConsent(
  earlier: PersonRecord,
  later: PersonRecord,
  { consent }: CustomerDefaults,
): PersonRecord['consent'] {
  if (!earlier.consent || !later.consent) return later.consent ?? earlier.consent;
  const laterIsNewer = later.consent.atMs >= earlier.consent.atMs;
  return laterIsNewer === (consent === null) ? later.consent : earlier.consent;
}

function productSink(context: SinkContext): Sink {
  const note = noteOf(context.report);
  return keyedSink(context, {
    size: PRODUCTS,
    maker: (compiler, mapping) => productMaker(compiler, mapping, note),
    keyOf: (product) => product.sku,
    merge: (_earlier, later) => later,
    load: (products, mapping) => putProducts(context.db, products, mapping),
  });
}

/** Loads events and counts them; shared by events, reviews and orders. */
async function loadPart(context: SinkContext, events: EventRecord[]): Promise<void> {
  const { db, mapping, report } = context;
  const unknown = mapping.rules?.unknownCustomer ?? 'add';
  const { added, peopleAdded } = await putEvents(db, events, unknown, noteOf(report));
  report.records += events.length;
  report.added += added;
  report.customersAdded += peopleAdded;
}

function eventSink(context: SinkContext): Sink {
  const seen = new SeenIds();
  const pump = new Pump();
  let events: EventRecord[] = [];
  const flush = async (): Promise<void> => {
    const part = events;
    events = [];
    await pump.submit(() => loadPart(context, part));
  };
  return {
    async open(compiler, mapping) {
      const make = eventMaker(compiler, mapping);
      return (row) => {
        const event = make(row);
        if (event instanceof Rejection) return event;
        events.push(event);
        return seen.add(event.messageId) ? 'duplicate' : 'accepted';
      };
    },
    isFull: () => events.length >= EVENTS,
    flush,
    async finish() {
      await flush();
      await pump.end();
    },
    close: () => pump.close(),
  };
}

/** Lines are gathered over all files, then loaded: any line may belong to any order. */
function orderSink(context: SinkContext): Sink {
  const { db, mapping, report, spillFolder } = context;
  const baskets = new Baskets(spillFolder);
  const pump = new Pump();
  let lines = 0;
  const finish: Sink['finish'] = async (onLoad, signal) => {
    const options = {
      sumNames: Object.keys(mapping.sums ?? {}),
      dropRepeated: mapping.rules?.repeatedLine === 'drop',
      categories: await productCategories(db),
      note: noteOf(report),
      onDropped: () => {
        report.duplicates += 1;
        report.accepted -= 1;
      },
    };
    let part: EventRecord[] = [];
    let [partLines, submitted] = [0, 0];
    const load = async (): Promise<void> => {
      const events = part;
      part = [];
      submitted += partLines;
      partLines = 0;
      await pump.submit(() => loadPart(context, events));
      onLoad(submitted / Math.max(1, lines));
    };
    for (const basket of baskets.drain()) {
      part.push(...orderEvents(basket, options));
      partLines += basket.length;
      if (partLines < LINES) continue;
      await load();
      if (signal?.aborted) break;
    }
    if (!signal?.aborted) await load();
    await pump.end();
  };
  return {
    async open(compiler, own) {
      const make = lineMaker(compiler, own);
      return (row) => {
        const line = make(row);
        if (line instanceof Rejection) return line;
        baskets.add(line);
        lines += 1;
        return 'accepted';
      };
    },
    isFull: () => false,
    flush: async () => {},
    finish,
    async close() {
      await pump.close();
      baskets.close();
    },
  };
}

function consentSink(context: SinkContext): Sink {
  const { db, report, rejectLater } = context;
  let part: { record: ConsentRecord; place: RowPlace }[] = [];
  const flush = async (): Promise<void> => {
    if (part.length === 0) return;
    const taken = part;
    part = [];
    const { added, changed, unknown } = await putConsents(
      db,
      taken.map(({ record }) => record),
    );
    for (const { record, place } of taken) {
      if (unknown.has(record.externalId)) {
        rejectLater(place, reject('customer', 'customer not known'));
      } else report.records += 1;
    }
    report.added += added;
    report.changed += changed;
  };
  return {
    async open(compiler, mapping) {
      const make = consentMaker(compiler, mapping);
      return (row, place) => {
        const record = make(row);
        if (record instanceof Rejection) return record;
        part.push({ record, place: place() });
        return 'accepted';
      };
    },
    isFull: () => part.length >= PEOPLE,
    flush,
    finish: flush,
    close: async () => {},
  };
}
