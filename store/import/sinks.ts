import type { PersonRecord } from '../../domain/records.ts';
import { loadPeople, readAddress } from '../people.ts';
import type { FieldCompiler } from './fields.ts';
import { keepUnnamed, putConsents, putProducts } from './load.ts';
import { type Maker, reject } from './makers.ts';
import type { Mapping } from './mapping.ts';
import { OrderSink } from './order-sink.ts';
import type { LoadEvent } from './put-events.ts';
import {
  type ConsentRecord,
  consentMaker,
  type CustomerDefaults,
  customerMaker,
  eventMaker,
  productMaker,
} from './records.ts';
import { Rejection } from './rejection.ts';
import { count } from './report.ts';
import { rulesOf } from './rules.ts';
import { SeenIds } from './seen.ts';
import {
  LOADS,
  loadPart,
  noteOf,
  Pump,
  type RowPlace,
  type Sink,
  type SinkContext,
  strangerCheck,
  type Taken,
} from './sink.ts';

/** Records of one load: a transaction each, so that an interrupted import keeps what it has, and memory stays flat. */
const PEOPLE = 20_000;
const PRODUCTS = 20_000;
const EVENTS = 20_000;

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
