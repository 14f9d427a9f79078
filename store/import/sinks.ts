import type { PersonRecord, ProductRecord } from '../../domain/records.ts';
import { loadPeople, personIds, readAddress } from '../people.ts';
import type { Db } from '../postgres.ts';
import { Baskets, type Line } from './baskets.ts';
import type { FieldCompiler, Row } from './fields.ts';
import {
  addUnknownProducts,
  catalogue,
  keepUnnamed,
  putConsents,
  putEvents,
  putProducts,
} from './load.ts';
import type { Mapping } from './mapping.ts';
import { lineMaker } from './lines.ts';
import { type Maker, reject } from './makers.ts';
import { likenessOf, orderEvents, type OrderOptions } from './orders.ts';
import type { LoadEvent } from './put-events.ts';
import { rulesOf } from './rules.ts';
import {
  type ConsentRecord,
  consentMaker,
  type CustomerDefaults,
  customerMaker,
  eventMaker,
  productMaker,
} from './records.ts';
import { Rejection } from './rejection.ts';
import { count, type ImportReport } from './report.ts';
import { type LastPlaces, SeenIds } from './seen.ts';

/** Records of one load: a transaction each, so that an interrupted import keeps what it has, and memory stays flat. */
const PEOPLE = 20_000;
const PRODUCTS = 20_000;
const EVENTS = 20_000;
/** Lines of orders in one load; an order of a grocer has ten. */
const LINES = 40_000;
/** Parts of events and orders that are loaded at once: no part changes what another one says. */
const LOADS = 2;

export type Taken = 'accepted' | 'duplicate' | Rejection;

/** @param line where the row stands among all files: it grows from row to row */
export type Take = (row: Row, place: () => RowPlace, line: number) => Taken;

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
  /** The last line of each order; null where it is not known. */
  readonly lastLines: LastPlaces | null;
  readonly rejectLater: RejectLater;
}

export function sinkFor(context: SinkContext): Sink {
  switch (context.mapping.kind) {
    case 'customers':
      return customerSink(context);
    case 'products':
      return productSink(context);
    case 'orders':
      return new OrderSink(context);
    case 'events':
    case 'reviews':
      return eventSink(context);
    case 'consents':
      return consentSink(context);
  }
}

/** Loads while the next part is read: the database works on one core, and we on the other. */
class Pump {
  readonly #depth: number;
  #running: Promise<void>[] = [];

  /** @param depth loads at once; one where a later part must come after an earlier one */
  constructor(depth = 1) {
    this.#depth = depth;
  }

  async submit(work: () => Promise<void>): Promise<void> {
    // Failures are heard of by the next submit or the end; until then they must not count as unhandled.
    if (this.#running.length >= this.#depth) await this.#running.shift();
    const load = work();
    load.catch(() => {});
    this.#running.push(load);
  }

  async end(): Promise<void> {
    const running = this.#running;
    this.#running = [];
    await Promise.all(running);
  }

  /** As `end`, where whatever failed has been told already. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
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
    /** Turns a record away that is whole in itself. */
    check?: (record: R, mapping: Mapping) => Taken | null;
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
      report.unchanged += part.length - added - changed;
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
        const flaw = compiler.takeFlaw() ?? options.check?.(record, mapping) ?? null;
        if (flaw !== null) return flaw;
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
    check: nearDuplicates(note),
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

/** Two customers behind one mailbox, within an import. */
function nearDuplicates(
  note: (what: string) => void,
): (person: PersonRecord, mapping: Mapping) => Taken | null {
  const mailboxes = new SeenIds();
  const ids = new SeenIds();
  return (person, mapping) => {
    const isKnown = ids.add(person.externalId);
    const address = readAddress(person.email);
    if ('problem' in address || isKnown || !mailboxes.add(address.unit)) return null;
    const { nearDuplicate } = rulesOf(mapping.rules);
    if (nearDuplicate === 'reject') return reject('email', 'nearly repeated');
    if (nearDuplicate === 'mend') {
      note('customer with the mailbox of another, left out');
      return 'duplicate';
    }
    note('customer with the mailbox of another, kept');
    return null;
  };
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
async function loadPart(context: SinkContext, events: readonly LoadEvent[]): Promise<void> {
  const { db, mapping, report } = context;
  const { unknownCustomer } = rulesOf(mapping.rules);
  const note = noteOf(report);
  const put = await putEvents(db, events, unknownCustomer === 'mend' ? 'mend' : 'keep', note);
  report.records += put.added + put.changed + put.unchanged;
  report.added += put.added;
  report.changed += put.changed;
  report.unchanged += put.unchanged;
  report.customersAdded += put.peopleAdded;
  if (put.withdrawn > 0) count(report.notes, 'taken back by the corrected file', put.withdrawn);
  if (put.contradictions > 0) {
    count(
      report.notes,
      'id that stands twice with other values, the first kept',
      put.contradictions,
    );
  }
}

/** Whether a row's customer is known to the shop, where that matters. */
async function strangerCheck(
  db: Db,
  mapping: Mapping,
): Promise<(externalId: string | null) => Rejection | null> {
  if (rulesOf(mapping.rules).unknownCustomer !== 'reject') return () => null;
  const known = await personIds(db);
  return (externalId) =>
    externalId === null || known.has(externalId) ? null : reject('customer', 'customer not known');
}

function eventSink(context: SinkContext): Sink {
  const seen = new SeenIds();
  const pump = new Pump(LOADS);
  let events: LoadEvent[] = [];
  const flush = async (): Promise<void> => {
    const part = events;
    events = [];
    await pump.submit(() => loadPart(context, part));
  };
  return {
    async open(compiler, mapping) {
      const make = eventMaker(compiler, mapping);
      const strangers = await strangerCheck(context.db, mapping);
      return (row) => {
        const event = make(row);
        if (event instanceof Rejection) return event;
        const flaw = compiler.takeFlaw() ?? strangers(event.externalId);
        if (flaw !== null) return flaw;
        const repeated = seen.add(event.messageId);
        events.push(repeated ? { ...event, repeated } : event);
        return repeated ? 'duplicate' : 'accepted';
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

/**
 * Lines are gathered by their order. An order is loaded behind its last line, which was looked up before; what has no
 * known last line comes at the end.
 */
class OrderSink implements Sink {
  readonly #context: SinkContext;
  readonly #baskets: Baskets;
  readonly #pump = new Pump(LOADS);
  #options: OrderOptions | null = null;
  #ready: LoadEvent[] = [];
  /** Lines of the orders in `ready`, lines that wait, and lines that are loaded or on their way. */
  #readyLines = 0;
  #waiting = 0;
  #strangeProducts = new Map<string, ProductRecord>();

  constructor(context: SinkContext) {
    this.#context = context;
    this.#baskets = new Baskets(context.spillFolder);
  }

  async open(compiler: FieldCompiler, mapping: Mapping): Promise<Take> {
    const { db, report, lastLines } = this.#context;
    const note = noteOf(report);
    const rules = rulesOf(mapping.rules);
    const make = lineMaker(compiler, mapping, note);
    const strangers = await strangerCheck(db, mapping);
    const { categories, skus } = await catalogue(db);
    this.#options ??= {
      sumNames: Object.keys(mapping.sums ?? {}),
      repeatedLine: rules.repeatedLine,
      nearDuplicate: rules.nearDuplicate,
      categories,
      note,
      onDropped: () => {
        report.duplicates += 1;
        report.accepted -= 1;
      },
    };
    const asksProducts = skus !== null && (skus.size > 0 || rules.unknownProduct !== 'keep');
    const rejectsRepeats = rules.repeatedLine === 'reject' || rules.nearDuplicate === 'reject';
    return (row, _place, place) => {
      const line = make(row);
      if (line instanceof Rejection) return line;
      if (line === null) {
        note('cancelled line, left out');
        return 'duplicate';
      }
      const flaw = compiler.takeFlaw() ?? strangers(line.customer);
      if (flaw !== null) return flaw;
      if (asksProducts && line.sku !== null && !skus.has(line.sku)) {
        if (rules.unknownProduct === 'reject') return reject('sku', 'product not known');
        if (rules.unknownProduct === 'mend') this.#addProduct(line.sku, line);
        else note('product not known, kept');
      }
      if (rejectsRepeats) {
        const likeness = likenessOf(line, this.#baskets.linesOf(line.order));
        if (likeness === 'same' && rules.repeatedLine === 'reject') return reject('', 'repeated');
        if (likeness === 'near' && rules.nearDuplicate === 'reject') {
          return reject('sku', 'nearly repeated');
        }
      }
      this.#baskets.add(line);
      this.#waiting += 1;
      if (lastLines?.get(line.order) === place) this.#complete(line.order);
      return 'accepted';
    };
  }

  #addProduct(sku: string, line: Line): void {
    if (this.#strangeProducts.has(sku)) return;
    const name = line.lineProperties?.['name'] ?? line.lineProperties?.['title'];
    this.#strangeProducts.set(sku, {
      sku,
      title: typeof name === 'string' ? name : sku,
      category: line.category ?? '',
      price: Math.round(Math.abs(line.price) * 100) / 100,
      currency: line.currency,
      stock: null,
      description: '',
      url: null,
    });
  }

  #complete(order: string): void {
    const lines = this.#baskets.take(order);
    if (lines === null) return;
    this.#ready.push(...orderEvents(lines, this.#options!));
    this.#readyLines += lines.length;
    this.#waiting -= lines.length;
  }

  isFull(): boolean {
    return this.#readyLines >= LINES;
  }

  async flush(): Promise<void> {
    const events = this.#ready;
    this.#ready = [];
    this.#readyLines = 0;
    await this.#pump.submit(() => loadPart(this.#context, events));
  }

  async finish(onLoad: (done: number) => void, signal: AbortSignal | undefined): Promise<void> {
    await this.flush();
    const all = Math.max(1, this.#waiting);
    let drained = 0;
    for (const lines of this.#baskets.drain()) {
      this.#ready.push(...orderEvents(lines, this.#options!));
      this.#readyLines += lines.length;
      drained += lines.length;
      if (!this.isFull()) continue;
      await this.flush();
      onLoad(drained / all);
      if (signal?.aborted) break;
    }
    if (!signal?.aborted) await this.flush();
    await this.#pump.end();
    const { db, report } = this.#context;
    if (this.#strangeProducts.size > 0) {
      const added = await addUnknownProducts(db, [...this.#strangeProducts.values()]);
      count(report.notes, 'product not known, added to the catalogue', added);
    }
  }

  async close(): Promise<void> {
    await this.#pump.close();
    this.#baskets.close();
  }
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
    // Of several answers of one customer the newest counts.
    report.unchanged += taken.length - unknown.size - added - changed;
  };
  return {
    async open(compiler, mapping) {
      const make = consentMaker(compiler, mapping);
      return (row, place) => {
        const record = make(row);
        if (record instanceof Rejection) return record;
        const flaw = compiler.takeFlaw();
        if (flaw !== null) return flaw;
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
