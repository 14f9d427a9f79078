import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { assert, KairosError } from '../../domain/errors.ts';
import { shopNowMs } from '../clock.ts';
import type { Db } from '../postgres.ts';
import { FieldCompiler, type Row } from './fields.ts';
import type { FormatRules, ImportKind, Mapping } from './mapping.ts';
import { openTable } from './open.ts';
import { awaitDisk } from './put-events.ts';
import { RejectedFile } from './rejected-file.ts';
import {
  count,
  emptyReport,
  type FileReport,
  type ImportProgress,
  type ImportReport,
  sumOf,
} from './report.ts';
import type { RowPlace, Sink, Take } from './sink.ts';
import { sinkFor } from './sinks.ts';
import { rowTest } from './lines.ts';
import { type LoadedLookup, loadLookups } from './lookups.ts';
import { Rejection } from './rejection.ts';
import { rulesOf } from './rules.ts';
import { LastPlaces } from './seen.ts';
import type { Batch, Table, TextFormat } from './table.ts';
import { wellKnownMapping } from './well-known.ts';

export interface ImportRequest {
  readonly kind: ImportKind;
  readonly files: readonly string[];
  /** Without it the names of the columns decide. */
  readonly mapping?: Mapping | undefined;
  /** All customers of the files have consented, by the word of whoever runs this; `atMs` null is the day they joined. */
  readonly consent?: { readonly source: string; readonly atMs: number | null } | undefined;
  /** For files without a mapping that have no such column. */
  readonly currency?: string | undefined;
  readonly timeZone?: string | undefined;
  /** Where `*.rejected.csv` go; beside each file by default. */
  readonly rejectedFolder?: string | undefined;
  /** Where lines of orders are kept while they are gathered; they are nameless and vanish with the process. */
  readonly spillFolder?: string | undefined;
}

export interface ImportWatch {
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
  /** Stops between two loads; what is loaded stays, and the same import again does the rest. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Imports files of one kind. Idempotent: records have ids of their own content, so a file imported twice adds nothing.
 * @throws KairosError IMPORT_INVALID where a file or the mapping cannot be read; rows that cannot are rejected
 */
export async function importFiles(
  db: Db,
  request: ImportRequest,
  watch: ImportWatch = {},
): Promise<ImportReport> {
  return new ImportRun(db, request, watch).run();
}

interface Opened {
  readonly path: string;
  readonly table: Table;
  readonly mapping: Mapping;
  readonly lookups: ReadonlyMap<string, LoadedLookup>;
}

/** Lines of one file; those of the next come behind them. */
const PLACES_PER_FILE = 2 ** 40;

class ImportRun {
  readonly #db: Db;
  readonly #request: ImportRequest;
  readonly #watch: ImportWatch;
  readonly #report: ImportReport;
  readonly #rejected: RejectedFile[] = [];
  readonly #started = performance.now();
  #phaseStarted = this.#started;
  #sink: Sink | null = null;
  #totalBytes = 0;
  #doneBytes = 0;
  #lastLines: LastPlaces | null = null;

  constructor(db: Db, request: ImportRequest, watch: ImportWatch) {
    this.#db = db;
    this.#request = request;
    this.#watch = watch;
    const zone = request.mapping?.format?.timeZone ?? request.timeZone ?? 'UTC';
    this.#report = emptyReport(request.kind, zone);
    if (request.mapping && request.mapping.kind !== request.kind) {
      throw new KairosError(
        'IMPORT_INVALID',
        `the mapping is for ${request.mapping.kind}, but ${request.kind} are imported; use the other command or another mapping.`,
        { pointer: '/kind' },
      );
    }
  }

  async run(): Promise<ImportReport> {
    const { files } = this.#request;
    const report = this.#report;
    try {
      const opened = await this.#openAll(files);
      try {
        if (this.#request.kind === 'orders') await this.#findLastLines(opened);
        for (const [index, file] of opened.entries()) {
          if (!this.#isStopped) await this.#readFile(index, file);
        }
      } finally {
        for (const { table } of opened) await table.close();
      }
      // Each order is loaded as a whole or not at all; of other kinds what was read is loaded.
      if (!this.#isStopped || this.#request.kind !== 'orders') await this.#finish();
    } finally {
      await this.#sink?.close();
      for (const file of this.#rejected) file.close();
    }
    await awaitDisk(this.#db, this.#request.kind);
    this.#balance();
    for (const [index, file] of report.files.entries()) {
      file.rejectedFile = this.#rejected[index]!.isWritten ? this.#rejected[index]!.path : null;
    }
    report.interrupted = this.#isStopped;
    report.seconds = (performance.now() - this.#started) / 1_000;
    report.rowsPerSecond = Math.round(report.read / report.seconds);
    return report;
  }

  get #isStopped(): boolean {
    return this.#watch.signal?.aborted ?? false;
  }

  /** Opens and checks every file before the first row of any is loaded: a wrong name should cost nothing. */
  async #openAll(files: readonly string[]): Promise<Opened[]> {
    const { kind, mapping, currency, timeZone } = this.#request;
    const opened: Opened[] = [];
    try {
      for (const path of files) {
        const table = await openTable(path, formatOf(mapping));
        const own = mapping ?? wellKnownMapping(kind, path, table, { currency, timeZone });
        opened.push({
          path,
          table,
          mapping: own,
          lookups: await loadLookups(path, own.lookups, own.format),
        });
        this.#checkConsent(own);
        this.#totalBytes += table.bytes;
      }
    } catch (error) {
      for (const { table } of opened) await table.close();
      throw error;
    }
    return opened;
  }

  /**
   * A first look that finds the last line of each order, so that the second can load an order as soon as it is whole:
   * what waits in memory is the orders that are open, and not all of them.
   */
  async #findLastLines(opened: readonly Opened[]): Promise<void> {
    const last = new LastPlaces();
    let done = 0;
    for (const [index, { path, mapping, lookups, table: main }] of opened.entries()) {
      const table = await openTable(path, formatOf(mapping));
      try {
        const compiler = new FieldCompiler(path, table, mapping.format, lookups);
        const order = compiler.text(mapping.fields['order'], '/fields/order');
        const wanted = [...compiler.wanted].sort((a, b) => a - b);
        for await (const { rows, lines, bytesRead } of table.batches(wanted, true)) {
          await nextTurn();
          if (this.#isStopped) return;
          for (let at = 0; at < rows.length; at += 1) {
            const id = order(rows[at]!);
            if (id !== null) last.set(id, index * PLACES_PER_FILE + lines[at]!);
          }
          this.#tell('looking', path, (done + bytesRead) / this.#totalBytes);
        }
      } finally {
        await table.close();
      }
      done += main.bytes;
    }
    this.#lastLines = last;
    this.#phaseStarted = performance.now();
  }

  /** Consent without a day proves nothing, and the day of the import would overrule a withdrawal before it. */
  #checkConsent({ fields }: Mapping): void {
    const { consent } = this.#request;
    if (!consent || consent.atMs !== null || fields['createdAt'] !== undefined) return;
    throw new KairosError(
      'IMPORT_INVALID',
      'it is not said when these customers consented: add --consent-at DATE, or map createdAt.',
    );
  }

  async #readFile(index: number, { path, table, mapping, lookups }: Opened): Promise<void> {
    const report = this.#report;
    const file: FileReport = {
      file: path,
      read: 0,
      accepted: 0,
      duplicates: 0,
      skipped: 0,
      rejected: {},
      rejectedFile: null,
    };
    report.files.push(file);
    const folder = this.#request.rejectedFolder;
    const name = `${path}.rejected.csv`;
    const rejected = new RejectedFile(
      folder === undefined ? name : join(folder, basename(name)),
      table.columns,
      table.delimiter,
      isUtf8(mapping.format),
    );
    this.#rejected.push(rejected);
    const rules = rulesOf(mapping.rules);
    const note = (what: string): void => count(report.notes, what);
    const compiler = new FieldCompiler(path, table, mapping.format, lookups, { ...rules, note });
    this.#sink ??= await this.#openSink(mapping);
    const sink = this.#sink;
    const take = filtered(await sink.open(compiler, mapping), compiler, mapping);
    const recoded = rules.mixedEncoding === 'reject' ? RECODED : null;
    for await (const batch of table.batches([...compiler.wanted].sort((a, b) => a - b))) {
      // Signals and the loads in flight are only heard between two turns, and unpacking a file needs none.
      await nextTurn();
      if (this.#isStopped) break;
      this.#takeBatch(batch, take, file, index, recoded);
      if (sink.isFull()) await sink.flush();
      this.#tell('reading', path, (this.#doneBytes + batch.bytesRead) / this.#totalBytes);
    }
    this.#doneBytes += table.bytes;
  }

  #takeBatch(
    batch: Batch,
    take: FilteredTake,
    file: FileReport,
    index: number,
    recodedFlaw: Rejection | null,
  ): void {
    const { rows, lines, broken } = batch;
    const report = this.#report;
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at]!;
      const line = lines[at]!;
      const isRecoded = batch.recoded !== undefined && batch.recoded.has(at);
      if (isRecoded) count(report.notes, 'line not in the encoding of the file');
      const taken =
        isRecoded && recodedFlaw
          ? recodedFlaw
          : take(row, () => ({ file: index, line, row }), index * PLACES_PER_FILE + line);
      if (taken === 'accepted') file.accepted += 1;
      else if (taken === 'duplicate') file.duplicates += 1;
      else if (taken === 'skipped') file.skipped += 1;
      else this.#rejectRow(file, index, line, row, taken);
    }
    for (const { line, reason, cells } of broken) {
      count(file.rejected, reason);
      count(report.rejected, reason);
      this.#rejected[index]!.addBroken(line, reason, cells);
    }
    const { repeatedHeaders = 0, quotesMended = 0 } = batch;
    if (repeatedHeaders > 0) count(report.notes, 'header once more, left out', repeatedHeaders);
    if (quotesMended > 0) count(report.notes, 'quote within a field, not doubled', quotesMended);
    file.duplicates += repeatedHeaders;
    file.read += rows.length + broken.length + repeatedHeaders;
    report.read += rows.length + broken.length + repeatedHeaders;
  }

  #rejectRow(file: FileReport, index: number, line: number, row: Row, rejection: Rejection): void {
    count(file.rejected, rejection.text);
    count(this.#report.rejected, rejection.text);
    this.#rejected[index]!.add(line, rejection.field, rejection.reason, row);
  }

  async #openSink(mapping: Mapping): Promise<Sink> {
    const nowMs = await shopNowMs(this.#db);
    return sinkFor({
      db: this.#db,
      mapping,
      report: this.#report,
      defaults: { nowMs, consent: this.#request.consent ?? null },
      spillFolder: this.#request.spillFolder ?? tmpdir(),
      lastLines: this.#lastLines,
      rejectLater: (place: RowPlace, rejection) => {
        const file = this.#report.files[place.file]!;
        file.accepted -= 1;
        this.#rejectRow(file, place.file, place.line, place.row, rejection);
      },
    });
  }

  async #finish(): Promise<void> {
    const last = this.#report.files.at(-1)?.file ?? '';
    this.#phaseStarted = performance.now();
    await this.#sink?.finish((done) => this.#tell('loading', last, done), this.#watch.signal);
  }

  /** Adds up the files; lines that were dropped while orders were put together are in the report already. */
  #balance(): void {
    const report = this.#report;
    for (const file of report.files) {
      report.accepted += file.accepted;
      report.duplicates += file.duplicates;
      report.skipped += file.skipped;
    }
    const { read, records, added, changed, unchanged } = report;
    const rows = report.accepted + report.duplicates + report.skipped + sumOf(report.rejected);
    assert(rows === read, `${read} rows read, ${rows} accounted for`);
    const known = added + changed + unchanged;
    assert(known === records, `${records} records made, ${known} accounted for`);
  }

  #tell(phase: ImportProgress['phase'], file: string, done: number): void {
    const { onProgress } = this.#watch;
    if (!onProgress) return;
    const seconds = (performance.now() - this.#started) / 1_000;
    const phaseSeconds = (performance.now() - this.#phaseStarted) / 1_000;
    onProgress({
      phase,
      file,
      rows: this.#report.read,
      rowsPerSecond: Math.round(this.#report.read / seconds),
      done: Math.min(1, done),
      secondsLeft: done > 0.01 ? (phaseSeconds * (1 - done)) / done : null,
    });
  }
}

const RECODED = new Rejection('', 'not in the encoding of the file');

type FilteredTake = (...args: Parameters<Take>) => ReturnType<Take> | 'skipped';

/** Leaves out the rows that the mapping does not mean. */
function filtered(take: Take, compiler: FieldCompiler, mapping: Mapping): FilteredTake {
  if (!mapping.only && !mapping.skip) return take;
  const isMeant = mapping.only ? rowTest(compiler, mapping.only, '/only/column') : () => true;
  const isSkipped = rowTest(compiler, mapping.skip, '/skip/column');
  return (row, place, line) =>
    isMeant(row) && !isSkipped(row) ? take(row, place, line) : 'skipped';
}

function formatOf(mapping: Mapping | undefined): TextFormat {
  const keepsBytes = mapping?.rules?.mixedEncoding === 'keep';
  return { ...mapping?.format, ...(keepsBytes && { recode: false }) };
}

function isUtf8(format: FormatRules = {}): boolean {
  return /^(?:utf-?8)?$/i.test(format.encoding ?? '');
}
