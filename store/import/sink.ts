import type { Db } from '../postgres.ts';
import { personIds } from '../people.ts';
import type { FieldCompiler, Row } from './fields.ts';
import { putEvents } from './load.ts';
import { reject } from './makers.ts';
import type { Mapping } from './mapping.ts';
import type { LoadEvent } from './put-events.ts';
import type { CustomerDefaults } from './records.ts';
import type { Rejection } from './rejection.ts';
import { count, type ImportReport } from './report.ts';
import { rulesOf } from './rules.ts';
import type { LastPlaces } from './seen.ts';

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

/** Parts of events and orders that are loaded at once: no part changes what another one says. */
export const LOADS = 2;

/** Loads while the next part is read: the database works on one core, and we on the other. */
export class Pump {
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

export const noteOf =
  (report: ImportReport) =>
  (what: string): void =>
    count(report.notes, what);

/** Loads events and counts them; shared by events, reviews and orders. */
export async function loadPart(context: SinkContext, events: readonly LoadEvent[]): Promise<void> {
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
export async function strangerCheck(
  db: Db,
  mapping: Mapping,
): Promise<(externalId: string | null) => Rejection | null> {
  if (rulesOf(mapping.rules).unknownCustomer !== 'reject') return () => null;
  const known = await personIds(db);
  return (externalId) =>
    externalId === null || known.has(externalId) ? null : reject('customer', 'customer not known');
}
