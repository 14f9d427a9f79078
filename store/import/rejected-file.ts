import { closeSync, openSync, writeSync } from 'node:fs';
import { KairosError } from '../../domain/errors.ts';
import type { Cell, Column } from './table.ts';

const PREFIX = 'rejected_';
const FLUSH_CHARS = 64 * 1024;

/**
 * `<file>.rejected.csv`: line, field, reason and the row, in the columns and with the delimiter of the source, so that
 * it can be mended and imported by the same mapping. Created with the first row; readable by its owner alone.
 */
export class RejectedFile {
  readonly path: string;
  readonly #columns: readonly Column[];
  readonly #kept: readonly number[];
  readonly #delimiter: string;
  readonly #mark: string;
  #file: number | null = null;
  #buffer = '';

  /** @param isUtf8 whether the mapping says UTF-8; else a mark says that this file is */
  constructor(path: string, columns: readonly Column[], delimiter: string, isUtf8: boolean) {
    this.path = path;
    this.#columns = columns;
    this.#delimiter = delimiter;
    this.#mark = isUtf8 ? '' : '\uFEFF';
    // A mended file that is imported and rejected again has those columns already.
    this.#kept = columns.flatMap(({ name }, index) => (name.startsWith(PREFIX) ? [] : [index]));
  }

  get isWritten(): boolean {
    return this.#file !== null;
  }

  add(line: number, field: string, reason: string, row: readonly Cell[]): void {
    const cells = this.#kept.map((index) => cellText(row[index], this.#columns[index]!));
    this.#write([String(line), field, reason, ...cells]);
  }

  /** A row that could not be split: its parts stand as they were found. */
  addBroken(line: number, reason: string, cells: readonly string[]): void {
    this.#write([String(line), '', reason, ...cells]);
  }

  close(): void {
    if (this.#file === null) return;
    writeSync(this.#file, this.#buffer);
    closeSync(this.#file);
    this.#buffer = '';
  }

  #write(cells: readonly string[]): void {
    if (this.#file === null) {
      this.#file = this.#open();
      const names = this.#kept.map((index) => this.#columns[index]!.name);
      const header = [`${PREFIX}line`, `${PREFIX}field`, `${PREFIX}reason`, ...names];
      this.#buffer = `${this.#mark}${this.#line(header)}`;
    }
    this.#buffer += this.#line(cells);
    if (this.#buffer.length < FLUSH_CHARS) return;
    writeSync(this.#file, this.#buffer);
    this.#buffer = '';
  }

  #open(): number {
    try {
      return openSync(this.path, 'w', 0o600);
    } catch {
      throw new KairosError(
        'IMPORT_INVALID',
        `${this.path}: the file for rejected rows cannot be written; name another folder with --rejected.`,
      );
    }
  }

  #line(cells: readonly string[]): string {
    const needsQuotes = (text: string): boolean =>
      text.includes('"') || text.includes(this.#delimiter) || /[\r\n]|^\s|\s$/.test(text);
    const quoted = cells.map((text) =>
      needsQuotes(text) ? `"${text.replaceAll('"', '""')}"` : text,
    );
    return `${quoted.join(this.#delimiter)}\n`;
  }
}

function cellText(cell: Cell | undefined, column: Column): string {
  if (cell === null || cell === undefined) return '';
  if (!(cell instanceof Date)) return String(cell);
  const text = cell.toISOString();
  return column.wallClock ? text.slice(0, -1) : text;
}
