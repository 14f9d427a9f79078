/**
 * Columns that never speak at the same time, as the columns of a one-hot encoding do, share one place in the histogram
 * (exclusive feature bundling, Ke et al. 2017). Only strict exclusion is used, so the sums are the same as without.
 */
export interface Layout {
  /** Bundles, and so values a row. */
  readonly width: number;
  /** Row after row, the cell of each bundle. */
  readonly cells: Uint16Array | Uint32Array;
  /** Cells of a histogram. */
  readonly size: number;
  /** First cell of each column. */
  readonly base: Int32Array;
  /** Codes of each column: the largest one + 1. */
  readonly codes: Int32Array;
  /** The code that has no cell of its own, of columns that share a bundle; else −1. */
  readonly silent: Int32Array;
}

/** A bundle has no more cells than a byte can tell apart. */
const CELLS_MAX = 256;
/** A column is silent on at least this share of rows, else it would exclude nobody. */
const SILENT_MIN = 0.7;
/** Bundles that a column is tried with. */
const TRIES = 64;

interface Bundle {
  readonly columns: number[];
  cells: number;
  readonly speaks: Int32Array;
}

export function layOut(codes: Uint8Array, rows: number, columns: number): Layout {
  const { most, silent } = describe(codes, rows, columns);
  const bundles = bundle(codes, rows, columns, most, silent);
  const base = new Int32Array(columns);
  let size = 0;
  for (const { columns: inside, cells } of bundles) {
    // The first cell of a shared bundle is for rows of which no column speaks.
    let next = inside.length > 1 ? size + 1 : size;
    for (const j of inside) {
      base[j] = next;
      if (inside.length === 1) silent[j] = -1;
      next += most[j]! + (inside.length > 1 ? 0 : 1);
    }
    size += cells;
  }
  const width = bundles.length;
  const cells = size <= 65_536 ? new Uint16Array(rows * width) : new Uint32Array(rows * width);
  let first = 0;
  bundles.forEach((each, b) => {
    fill(cells, codes, { rows, width, b, first }, each.columns, base, silent);
    first += each.cells;
  });
  return { width, cells, size, base, codes: most.map((code) => code + 1), silent };
}

/** The largest code of each column, and the one that most rows have. */
function describe(codes: Uint8Array, rows: number, columns: number) {
  const most = new Int32Array(columns);
  const silent = new Int32Array(columns).fill(-1);
  const counts = new Int32Array(256);
  for (let j = 0; j < columns; j++) {
    counts.fill(0);
    for (let at = j * rows; at < (j + 1) * rows; at++) counts[codes[at]!]! += 1;
    let frequent = 0;
    for (let code = 0; code < 256; code++) {
      if (counts[code]! === 0) continue;
      most[j] = code;
      if (counts[code]! > counts[frequent]!) frequent = code;
    }
    if (counts[frequent]! >= SILENT_MIN * rows) silent[j] = frequent;
  }
  return { most, silent };
}

function bundle(
  codes: Uint8Array,
  rows: number,
  columns: number,
  most: Int32Array,
  silent: Int32Array,
): Bundle[] {
  const bundles: Bundle[] = [];
  const open: Bundle[] = [];
  const words = (rows + 31) >> 5;
  for (let j = 0; j < columns; j++) {
    if (silent[j]! < 0) {
      bundles.push({ columns: [j], cells: most[j]! + 1, speaks: new Int32Array(0) });
      continue;
    }
    const speaks = new Int32Array(words);
    for (let i = 0; i < rows; i++) {
      if (codes[j * rows + i] !== silent[j]) speaks[i >> 5]! |= 1 << (i & 31);
    }
    const fits = ({ cells, speaks: taken }: Bundle): boolean => {
      if (cells + most[j]! > CELLS_MAX) return false;
      for (let w = 0; w < words; w++) if ((taken[w]! & speaks[w]!) !== 0) return false;
      return true;
    };
    const found = open.slice(-TRIES).find(fits);
    if (found) {
      found.columns.push(j);
      found.cells += most[j]!;
      for (let w = 0; w < words; w++) found.speaks[w]! |= speaks[w]!;
    } else {
      const fresh = { columns: [j], cells: most[j]! + 1, speaks };
      open.push(fresh);
      bundles.push(fresh);
    }
  }
  return bundles;
}

interface Place {
  readonly rows: number;
  readonly width: number;
  readonly b: number;
  readonly first: number;
}

function fill(
  cells: Uint16Array | Uint32Array,
  codes: Uint8Array,
  { rows, width, b, first }: Place,
  columns: readonly number[],
  base: Int32Array,
  silent: Int32Array,
): void {
  if (columns.length > 1) {
    for (let at = b; at < cells.length; at += width) cells[at] = first;
  }
  for (const j of columns) {
    const quiet = silent[j]!;
    const from = base[j]!;
    for (let i = 0, at = b; i < rows; i++, at += width) {
      const code = codes[j * rows + i]!;
      // Codes above the silent one move down by one, since it has no cell here.
      if (code !== quiet) cells[at] = from + code - (quiet >= 0 && code > quiet ? 1 : 0);
    }
  }
}
