/** What every reader of files yields: rows of cells, in batches, with the place of each. */
export type Cell = string | number | bigint | boolean | Date | null;

export interface Column {
  readonly name: string;
  /** Its dates say what a clock on the wall showed, so that the mapping's time zone decides the instant. */
  readonly wallClock: boolean;
}

export interface Batch {
  readonly rows: readonly (readonly Cell[])[];
  /** Of each row the line it begins at (CSV, NDJSON) or its number (Parquet), from 1. */
  readonly lines: readonly number[];
  /** Rows that could not even be split into cells. */
  readonly broken: readonly BrokenRow[];
  /** Bytes of the file read so far, as it lies on the disk. */
  readonly bytesRead: number;
  /** Places in `rows` whose text was not in the file's encoding, and was read as Windows-1252. */
  readonly recoded?: ReadonlySet<number> | undefined;
  /** Lines that say once more what the header says. */
  readonly repeatedHeaders?: number | undefined;
  /** Rows with a quote that should have been doubled, and could be read all the same. */
  readonly quotesMended?: number | undefined;
}

export interface BrokenRow {
  readonly line: number;
  readonly reason:
    | 'wrong number of columns'
    | 'quote never closed'
    | 'quote not doubled'
    | 'not JSON'
    | 'not an object'
    | 'line too long';
  readonly cells: readonly string[];
}

/** An open file. Cells stand in the order of `columns`. */
export interface Table {
  readonly format: 'csv' | 'ndjson' | 'parquet';
  readonly columns: readonly Column[];
  readonly bytes: number;
  /** Between the fields of a CSV file. */
  readonly delimiter: string;
  /** Of text: a label of the Encoding Standard. */
  readonly encoding: string;
  /** Index of a column, or -1; in NDJSON, where columns are paths, any name can be asked for. */
  indexOf(name: string): number;
  /**
   * Rows from the first; once only. Cells of columns that are not `wanted` may be null. With `onlyThose` the reader may
   * leave out all that lies behind them, and does not ask whether rows are whole.
   */
  batches(wanted: readonly number[], onlyThose?: boolean): AsyncGenerator<Batch>;
  close(): Promise<void>;
}

/** How the text of a file is written. */
export interface TextFormat {
  /** Found from the first line where absent. */
  readonly delimiter?: string | undefined;
  /** A label of the Encoding Standard, such as `windows-1252`; UTF-8 by default. */
  readonly encoding?: string | undefined;
  /** False: lines that are not UTF-8 stay as they are, with U+FFFD for what cannot be read. */
  readonly recode?: boolean | undefined;
  /** Lines above the header. */
  readonly skipLines?: number | undefined;
  /** Names of the columns, for a file without a header. */
  readonly columns?: readonly string[] | undefined;
}
