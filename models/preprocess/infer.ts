import type { DateOrder, Decimal } from './parse.ts';
import { dateOrderOf, decimalOf, isBlank, parseNumber, saysMissing } from './parse.ts';
import type { RawTable } from './table.ts';

/** What a column means, found from its cells; what an encoder is fitted by. */
export type ColumnKind =
  | { readonly kind: 'number'; readonly decimal: Decimal }
  | { readonly kind: 'category' }
  | { readonly kind: 'date'; readonly order: DateOrder }
  | { readonly kind: 'text' };

export type ColumnPlan = ColumnKind & { readonly name: string };

export interface Schema {
  readonly columns: readonly ColumnPlan[];
  /** Columns that are not learnt from, and why, in a sentence. */
  readonly dropped: readonly { readonly name: string; readonly why: string }[];
  /** What a person should look at, in sentences. */
  readonly warnings: readonly string[];
}

/** A column is of numbers or dates where at least this share of what is filled reads as one. */
const READABLE = 0.95;
/** More different values than this share of the rows name each row instead of grouping them. */
const ALMOST_UNIQUE = 0.9;
/** Words a cell, from which on different cells are text instead of names. */
const TEXT_WORDS = 3;
/** One column that ranks the target as well as this knows it already. */
const LEAK_AUC = 0.995;

/**
 * Finds what each column means, leaves out what nothing can be learnt from (constants, copies, ids), and warns of what
 * looks like the target itself. `y` is 0 or 1 for each row.
 */
export function inferSchema(
  table: RawTable,
  y: ArrayLike<number>,
  options: { ignore?: readonly string[] } = {},
): Schema {
  const ignored = new Set(options.ignore ?? []);
  const columns: ColumnPlan[] = [];
  const dropped: { name: string; why: string }[] = [];
  const warnings: string[] = [];
  const seen = new Map<string, string>();
  table.names.forEach((name, j) => {
    if (ignored.has(name)) return;
    const cells = table.columns[j]!;
    const drop = (why: string): void => void dropped.push({ name, why });
    const shape = shapeOf(cells);
    if (shape.filled === 0) return drop('it is empty.');
    if (shape.distinct === 1) return drop('it says the same in every row.');
    const twin = seen.get(shape.print);
    const kind = kindOf(cells, shape);
    if (twin !== undefined) {
      const other = table.columns[table.names.indexOf(twin)]!;
      // Numbers that only go together still differ in their distances.
      const same = kind.kind === 'number' ? sameCells(cells, other) : sameGroups(cells, other);
      if (same) return drop(`it says the same as "${twin}".`);
    }
    seen.set(shape.print, name);
    const id = idWords(name, cells, kind, shape);
    if (id !== null) {
      warnings.push(
        `"${name}" looks like an id: it was left out. Name it with --ignore to say so.`,
      );
      return drop(id);
    }
    if (isCopyOfTarget(cells, y, shape)) {
      warnings.push(`"${name}" is the target in other words: it was left out.`);
      return drop('it is the target in other words.');
    }
    const auc = aucAlone(cells, y, kind);
    if (auc >= LEAK_AUC) {
      warnings.push(
        `"${name}" alone ranks the target with an AUC of ${auc.toFixed(4)}: is it known before the outcome? If not, leave it out with --ignore.`,
      );
    }
    columns.push({ name, ...kind });
  });
  return { columns, dropped, warnings };
}

interface Shape {
  readonly filled: number;
  /** Different cells, a blank being one of them. */
  readonly distinct: number;
  /** Of the filled cells. */
  readonly distinctFilled: number;
  /** Equal for columns that group the rows in the same way, and for few others. */
  readonly print: string;
}

function shapeOf(cells: readonly string[]): Shape {
  const places = new Map<string, number>();
  let filled = 0;
  let hash = 0;
  for (const cell of cells) {
    const text = cell.trim();
    if (text !== '') filled++;
    let place = places.get(text);
    if (place === undefined) places.set(text, (place = places.size));
    hash = (Math.imul(hash, 31) + place + 1) | 0;
  }
  const distinctFilled = places.size - (places.has('') ? 1 : 0);
  return { filled, distinct: places.size, distinctFilled, print: `${places.size}:${hash}` };
}

/** Whether two columns group the rows in the same way, whatever they call the groups; hashes alone could collide. */
function sameGroups(a: readonly string[], b: readonly string[]): boolean {
  const there = new Map<string, string>();
  for (let i = 0; i < a.length; i++) {
    const known = there.get(a[i]!.trim());
    if (known === undefined) there.set(a[i]!.trim(), b[i]!.trim());
    else if (known !== b[i]!.trim()) return false;
  }
  return true;
}

function sameCells(a: readonly string[], b: readonly string[]): boolean {
  return a.every((cell, i) => cell.trim() === b[i]!.trim());
}

function kindOf(cells: readonly string[], shape: Shape): ColumnKind {
  const filled = cells.filter((cell) => !saysMissing(cell));
  if (filled.length > 0 && !filled.some(isCode)) {
    const decimal = decimalOf(filled);
    let numbers = 0;
    for (const cell of filled) if (!Number.isNaN(parseNumber(cell, decimal))) numbers++;
    if (numbers >= READABLE * filled.length) return { kind: 'number', decimal };
  }
  const order = dateOrderOf(filled, READABLE);
  if (order !== null && filled.length > 0) return { kind: 'date', order };
  return isText(filled, shape) ? { kind: 'text' } : { kind: 'category' };
}

/** A leading zero: a post code or an article number, which nobody adds up. */
const isCode = (cell: string): boolean => /^\s*0\d+\s*$/.test(cell);

function isText(filled: readonly string[], shape: Shape): boolean {
  if (shape.distinctFilled < 50) return false;
  let words = 0;
  for (const cell of filled) words += cell.trim().split(/\s+/).length;
  const mean = words / filled.length;
  const share = shape.distinctFilled / filled.length;
  return mean >= TEXT_WORDS && share >= 0.05;
}

/** Why this column names its row, or null. */
function idWords(
  name: string,
  cells: readonly string[],
  kind: ColumnKind,
  shape: Shape,
): string | null {
  if (shape.filled < 20 || shape.distinctFilled < ALMOST_UNIQUE * shape.filled) return null;
  if (kind.kind === 'category') return 'nearly every row has a value of its own, as an id has.';
  if (kind.kind !== 'number') return null;
  if (shape.distinctFilled < shape.filled) return null;
  const values = cells.map((cell) => parseNumber(cell, kind.decimal));
  if (!values.every((value) => Number.isNaN(value) || Number.isInteger(value))) return null;
  const named = /(?:^|[^a-z])(?:id|key|nr|no|number|index|uuid)$|[a-z]I[dD]$|^unnamed/i.test(name);
  const counts = isCounter(values);
  return named || counts ? 'each row has a whole number of its own, as an id has.' : null;
}

/** Each row one more than the one before it. */
function isCounter(values: readonly number[]): boolean {
  for (let i = 1; i < values.length; i++) if (values[i]! - values[i - 1]! !== 1) return false;
  return true;
}

/** Each value goes with one class, and there are as many values as classes. */
function isCopyOfTarget(cells: readonly string[], y: ArrayLike<number>, shape: Shape): boolean {
  if (shape.distinct !== 2) return false;
  const classes = new Map<string, number>();
  for (let i = 0; i < cells.length; i++) {
    const known = classes.get(cells[i]!.trim());
    if (known === undefined) classes.set(cells[i]!.trim(), y[i]!);
    else if (known !== y[i]) return false;
  }
  return new Set(classes.values()).size === 2;
}

/** How well one column ranks the target: numbers as they are, categories by the rate of the other half of the rows. */
function aucAlone(cells: readonly string[], y: ArrayLike<number>, kind: ColumnKind): number {
  if (kind.kind === 'text' || kind.kind === 'date') return 0.5;
  const score = new Float64Array(cells.length);
  if (kind.kind === 'number') {
    cells.forEach((cell, i) => {
      const value = parseNumber(cell, kind.decimal);
      score[i] = Number.isNaN(value) ? 0 : value;
    });
  } else {
    const sums = [new Map<string, number[]>(), new Map<string, number[]>()];
    cells.forEach((cell, i) => {
      const entry = sums[i % 2]!.get(cell) ?? [0, 0];
      entry[0]! += y[i]!;
      entry[1]! += 1;
      sums[i % 2]!.set(cell, entry);
    });
    cells.forEach((cell, i) => {
      const [ones = 0, count = 0] = sums[1 - (i % 2)]!.get(cell) ?? [];
      score[i] = (ones + 0.5) / (count + 1);
    });
  }
  const auc = rankAuc(score, y);
  return Math.max(auc, 1 - auc);
}

function rankAuc(score: Float64Array, y: ArrayLike<number>): number {
  const order = Int32Array.from(score.keys()).sort((a, b) => score[a]! - score[b]!);
  let [won, below, positives] = [0, 0, 0];
  for (let from = 0; from < order.length;) {
    let to = from;
    let [ones, zeros] = [0, 0];
    while (to < order.length && score[order[to]!] === score[order[from]!]) {
      if (y[order[to++]!] === 1) ones++;
      else zeros++;
    }
    won += ones * (below + zeros / 2);
    below += zeros;
    positives += ones;
    from = to;
  }
  return won / (positives * below);
}

/** Whether a cell of a target is filled; rows without an outcome cannot be learnt from. */
export const hasTarget = (cell: string): boolean => !isBlank(cell);
