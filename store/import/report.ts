import type { ImportKind } from './mapping.ts';

/**
 * What an import did. Rows: read = accepted + duplicates + skipped + the sum of rejected. Records: records = added +
 * changed + unchanged. Both are asserted at the end of each import.
 */
export interface ImportReport {
  readonly kind: ImportKind;
  readonly files: FileReport[];
  read: number;
  accepted: number;
  /** Rows whose id another row of the same import has: the last one counts; of orders, repeated lines that were dropped. */
  duplicates: number;
  /** Rows that the mapping leaves out by `only` or `skip`. */
  skipped: number;
  /** Rows by "field: reason". */
  rejected: Record<string, number>;
  /** Records (customers, products, orders and refunds, events, consents) that were made of the accepted rows. */
  records: number;
  /** Of them new, known before but changed now, and there already just so. */
  added: number;
  changed: number;
  unchanged: number;
  /** Customers who were known from their orders or events only. */
  customersAdded: number;
  /** What was kept although something about it was odd, by what it was. */
  notes: Record<string, number>;
  /** The zone in which times without an offset were read. */
  timeZone: string;
  seconds: number;
  rowsPerSecond: number;
  /** Stopped by a signal: running the same command again does the rest. */
  interrupted: boolean;
}

export interface FileReport {
  readonly file: string;
  read: number;
  accepted: number;
  duplicates: number;
  skipped: number;
  rejected: Record<string, number>;
  /** Where the rejected rows are; null where there is none. */
  rejectedFile: string | null;
}

export function emptyReport(kind: ImportKind, timeZone: string): ImportReport {
  return {
    kind,
    files: [],
    read: 0,
    accepted: 0,
    duplicates: 0,
    skipped: 0,
    rejected: {},
    records: 0,
    added: 0,
    changed: 0,
    unchanged: 0,
    customersAdded: 0,
    notes: {},
    timeZone,
    seconds: 0,
    rowsPerSecond: 0,
    interrupted: false,
  };
}

export function count(counts: Record<string, number>, what: string, by = 1): void {
  counts[what] = (counts[what] ?? 0) + by;
}

export function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, value) => sum + value, 0);
}

/** How far an import is; times are wall-clock seconds. */
export interface ImportProgress {
  readonly phase: 'looking' | 'reading' | 'loading';
  readonly file: string;
  readonly rows: number;
  readonly rowsPerSecond: number;
  /** Of this phase, 0 to 1; by bytes while reading. */
  readonly done: number;
  /** Of this phase; null until it can be told. */
  readonly secondsLeft: number | null;
}
