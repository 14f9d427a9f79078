import { basename } from 'node:path';
import { KairosError } from '../domain/errors.ts';
import { guessMapping } from '../store/import/guess.ts';
import { guessYaml } from '../store/import/guess-yaml.ts';
import { IMPORT_KINDS, type ImportKind } from '../store/import/mapping.ts';
import { importFiles, type ImportRequest } from '../store/import/pipeline.ts';
import type { ImportProgress, ImportReport } from '../store/import/report.ts';
import type { Db } from '../store/postgres.ts';
import { dateReader } from '../store/import/dates.ts';
import { isTimeZone } from '../domain/local-time.ts';
import { readMapping, type MappingFile } from './import-mapping.ts';

export interface ImportArgs {
  /** One of `IMPORT_KINDS`; checked here. */
  kind: string;
  files: readonly string[];
  /** A mapping file in YAML. */
  map?: string | undefined;
  /** The customers have agreed to marketing mails; says how. */
  consent?: string | undefined;
  /** When they did; the day that each joined by default. */
  consentAt?: string | undefined;
  /** For files without a mapping that have no such column. */
  currency?: string | undefined;
  timeZone?: string | undefined;
  /** Folder for `*.rejected.csv`; beside each file by default. */
  rejected?: string | undefined;
  json?: boolean | undefined;
}

export interface ImportIo {
  db: Db;
  /** The summary. */
  out: Writer;
  /** Progress. */
  err: Writer & { isTTY?: boolean | undefined };
  /** Ctrl-C is listened to where this is absent. */
  signal?: AbortSignal | undefined;
  /** Where lines of orders are gathered; the system's temporary folder by default. */
  spillFolder?: string | undefined;
}

interface Writer {
  write(text: string): unknown;
}

export const IMPORT_EXIT = { done: 0, usage: 2, rejected: 4, interrupted: 130 } as const;

/**
 * `kairos import KIND FILE…`: exit code 0 where every row is in, 4 where some were rejected, 130 where it was stopped.
 * @throws KairosError IMPORT_INVALID where the mapping or a file cannot be read
 */
export async function runImport(args: ImportArgs, io: ImportIo): Promise<number> {
  const report = await importReport(args, io);
  io.out.write(args.json ? `${JSON.stringify(report)}\n` : `${summary(report)}\n`);
  if (report.interrupted) return IMPORT_EXIT.interrupted;
  return Object.keys(report.rejected).length > 0 ? IMPORT_EXIT.rejected : IMPORT_EXIT.done;
}

/**
 * `kairos import --guess FILE` and `kairos import KIND --guess FILE`: prints a mapping to look at, which `--map` takes as
 * it is. Exit code 0, or 4 where a field is missing that no column seems to hold.
 * @throws KairosError IMPORT_INVALID where the file cannot be read
 */
export async function runGuess(
  args: { kind?: string | undefined; files: readonly string[]; json?: boolean | undefined },
  out: Writer,
): Promise<number> {
  const [file, ...others] = args.files;
  if (file === undefined || others.length > 0) {
    throw new KairosError('IMPORT_INVALID', '--guess looks at one file; name just one.');
  }
  const guess = await guessMapping(file, args.kind === undefined ? undefined : kindOf(args.kind));
  const yaml = guessYaml(guess, basename(file));
  out.write(args.json ? `${JSON.stringify({ ...guess, yaml })}\n` : yaml);
  return guess.missing.length > 0 ? IMPORT_EXIT.rejected : IMPORT_EXIT.done;
}

function kindOf(text: string): ImportKind {
  const kind = IMPORT_KINDS.find((name): name is ImportKind => name === text);
  if (kind) return kind;
  throw new KairosError(
    'IMPORT_INVALID',
    `"${text}" cannot be imported; expected one of ${IMPORT_KINDS.join(', ')}.`,
  );
}

/** The import itself, for callers that print in their own way. */
export async function importReport(
  args: ImportArgs,
  io: Omit<ImportIo, 'out'>,
): Promise<ImportReport> {
  const mapping = args.map === undefined ? undefined : await readMapping(args.map);
  const request = requestOf(args, mapping, io.spillFolder);
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  if (!io.signal) process.once('SIGINT', onInterrupt);
  const progress = progressPrinter(io.err);
  try {
    return await importFiles(io.db, request, {
      onProgress: progress.tell,
      signal: io.signal ?? stop.signal,
    });
  } catch (error) {
    throw located(error, mapping);
  } finally {
    progress.end();
    process.off('SIGINT', onInterrupt);
  }
}

function requestOf(
  args: ImportArgs,
  mapping: MappingFile | undefined,
  spillFolder: string | undefined,
): ImportRequest {
  const kind = kindOf(args.kind);
  if (args.consent !== undefined && kind !== 'customers') {
    throw new KairosError(
      'IMPORT_INVALID',
      '--consent is about customers; import consents of their own with `import consents`.',
    );
  }
  if (args.timeZone !== undefined && !isTimeZone(args.timeZone)) {
    throw new KairosError(
      'IMPORT_INVALID',
      '--time-zone is not an IANA time zone; expected one such as Europe/Berlin.',
    );
  }
  return {
    kind,
    files: args.files,
    mapping: mapping?.mapping,
    consent: consentOf(args),
    currency: args.currency,
    timeZone: args.timeZone,
    rejectedFolder: args.rejected,
    spillFolder,
  };
}

function consentOf({ consent, consentAt }: ImportArgs): ImportRequest['consent'] {
  if (consent === undefined) return undefined;
  if (consent.trim() === '') {
    throw new KairosError(
      'IMPORT_INVALID',
      '--consent says nothing; expected how the customers agreed, such as "newsletter form of the shop".',
    );
  }
  if (consentAt === undefined) return { source: consent, atMs: null };
  const atMs = dateReader(undefined, (localMs) => localMs)(consentAt);
  if (Number.isNaN(atMs)) {
    throw new KairosError(
      'IMPORT_INVALID',
      '--consent-at is not a date; expected ISO 8601 such as 2026-05-01 or 2026-05-01T10:00:00+02:00.',
    );
  }
  return { source: consent, atMs };
}

/** Says where in the mapping, for a problem that only showed with the file. */
function located(error: unknown, mapping: MappingFile | undefined): unknown {
  if (!(error instanceof KairosError) || !mapping) return error;
  const { pointer } = error.details;
  if (typeof pointer !== 'string') return error;
  return new KairosError(error.code, mapping.locate(pointer, error.message), error.details);
}

function progressPrinter(err: ImportIo['err']): {
  tell: (progress: ImportProgress) => void;
  end: () => void;
} {
  const everyMs = err.isTTY ? 250 : 5_000;
  let told = performance.now();
  let isOpen = false;
  return {
    tell(progress) {
      const now = performance.now();
      if (now - told < everyMs) return;
      told = now;
      const rate = `${number(progress.rows)} rows, ${number(progress.rowsPerSecond)}/s`;
      const left = progress.secondsLeft === null ? '' : `, ${duration(progress.secondsLeft)} left`;
      const text = `${progress.phase} ${Math.floor(progress.done * 100)} %: ${rate}${left}`;
      err.write(err.isTTY ? `\r\u001b[2K${text}` : `${text}\n`);
      isOpen = err.isTTY === true;
    },
    end() {
      if (isOpen) err.write('\r\u001b[2K');
    },
  };
}

const number = (value: number): string => Math.round(value).toLocaleString('en-US');

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

/** The report as people read it: numbers to the right, what is odd below. */
export function summary(report: ImportReport): string {
  const made: [string, number][] = [
    ['rows read', report.read],
    ['accepted', report.accepted],
    ['duplicates', report.duplicates],
    ...(report.skipped > 0 ? [['skipped', report.skipped] as [string, number]] : []),
    ['rejected', report.read - report.accepted - report.duplicates - report.skipped],
    ...Object.entries(report.rejected).map(([why, n]): [string, number] => [`  ${why}`, n]),
    [WORDS[report.kind], report.records],
    ['  added', report.added],
    ['  changed', report.changed],
    ['  unchanged', report.unchanged],
    ...(report.customersAdded > 0
      ? [['customers known by their orders only', report.customersAdded] as [string, number]]
      : []),
    ...Object.entries(report.notes),
  ];
  const width = Math.max(...made.map(([name]) => name.length));
  const digits = Math.max(...made.map(([, n]) => number(n).length));
  const lines = made.map(([name, n]) => `${name.padEnd(width)}  ${number(n).padStart(digits)}`);
  const rejected = report.files.flatMap(({ rejectedFile }) => rejectedFile ?? []);
  return [
    ...lines,
    `${report.seconds.toFixed(1)} s, ${number(report.rowsPerSecond)} rows/s; times without a zone were read as ${report.timeZone}`,
    ...rejected.map((path) => `rejected rows: ${path}`),
    ...(report.interrupted
      ? ['Stopped before the end: the same command again does the rest.']
      : []),
  ].join('\n');
}

const WORDS: Readonly<Record<ImportKind, string>> = {
  customers: 'customers',
  products: 'products',
  orders: 'orders and refunds',
  events: 'events',
  reviews: 'reviews',
  consents: 'consents',
};
