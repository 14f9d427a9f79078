import { Random } from '../random.ts';

/** How the categories of a column become columns of a matrix. */
export interface CategoryOptions {
  /** At most so many levels get a column each; more are said by their rate of the target and their frequency. */
  readonly levelsMax: number;
  /** Levels become one column of numbers, for models that know categories. */
  readonly codes: boolean;
}

/** Levels with fewer rows share one column with everything that was never seen. */
const LEVEL_ROWS_MIN = 5;
/** A level's rate counts as if so many more rows had the mean rate. */
const SMOOTHING = 20;
const FOLDS = 5;

export interface CategoryState {
  readonly kind: 'category';
  readonly name: string;
  readonly encode: 'one-hot' | 'target' | 'codes';
  readonly levels: readonly string[];
  /** Of each level: log-odds of the target above the mean, smoothed, and its share of the rows. */
  readonly rates: readonly number[];
  readonly shares: readonly number[];
}

export function fitCategory(
  cells: readonly string[],
  y: ArrayLike<number>,
  name: string,
  { levelsMax, codes }: CategoryOptions,
): CategoryState {
  const counts = countLevels(cells, y, null);
  const levels = [...counts.keys()].filter((level) => counts.get(level)!.rows >= LEVEL_ROWS_MIN);
  // The most frequent first, then by name, so that the order of the rows changes nothing.
  levels.sort((a, b) => counts.get(b)!.rows - counts.get(a)!.rows || (a < b ? -1 : 1));
  const encode = levels.length > levelsMax ? 'target' : codes ? 'codes' : 'one-hot';
  const prior = meanOf(counts);
  return {
    kind: 'category',
    name,
    encode,
    levels,
    rates: levels.map((level) => rateOf(counts.get(level)!, prior)),
    shares: levels.map((level) => counts.get(level)!.rows / cells.length),
  };
}

export function categoryNames({ name, encode, levels }: CategoryState): string[] {
  if (encode === 'target') return [`rate of ${name}`, `frequency of ${name}`];
  if (encode === 'codes') return [name];
  // Two levels are one question.
  return (levels.length === 2 ? levels.slice(0, 1) : levels).map(
    (level) => `${name} = ${level === '' ? '(blank)' : level}`,
  );
}

/** Values of one column of cells; a category that was never seen is none of the levels, and as likely as the mean. */
export function encodeCategories(
  state: CategoryState,
  cells: readonly string[],
  out: Float64Array,
  place: number,
  stride: number,
): void {
  const index = new Map(state.levels.map((level, k) => [level, k]));
  const columns = categoryNames(state).length;
  for (let i = 0; i < cells.length; i++) {
    const k = index.get(cells[i]!.trim());
    const at = i * stride + place;
    if (k === undefined) {
      if (state.encode === 'codes') out[at] = Number.NaN;
      continue;
    }
    if (state.encode === 'one-hot') {
      if (k < columns) out[at + k] = 1;
    } else if (state.encode === 'codes') {
      out[at] = k;
    } else {
      out[at] = state.rates[k]!;
      out[at + 1] = state.shares[k]!;
    }
  }
}

/**
 * The rates for the rows that the model learns from, each from the other folds: a row must not read its own outcome
 * (Micci-Barreca 2001, with cross-fitting).
 */
export function crossFitRates(
  cells: readonly string[],
  y: ArrayLike<number>,
  seed: number,
): Float64Array {
  const random = new Random(seed, 77);
  const fold = Int32Array.from(cells, () => random.int(FOLDS));
  const rates = new Float64Array(cells.length);
  for (let f = 0; f < FOLDS; f++) {
    const counts = countLevels(cells, y, (i) => fold[i] !== f);
    const prior = meanOf(counts);
    for (let i = 0; i < cells.length; i++) {
      if (fold[i] !== f) continue;
      const level = counts.get(cells[i]!.trim());
      rates[i] = level ? rateOf(level, prior) : 0;
    }
  }
  return rates;
}

interface Level {
  rows: number;
  ones: number;
}

function countLevels(
  cells: readonly string[],
  y: ArrayLike<number>,
  counts: ((row: number) => boolean) | null,
): Map<string, Level> {
  const levels = new Map<string, Level>();
  for (let i = 0; i < cells.length; i++) {
    if (counts && !counts(i)) continue;
    const text = cells[i]!.trim();
    const level = levels.get(text);
    if (level) {
      level.rows++;
      level.ones += y[i]!;
    } else levels.set(text, { rows: 1, ones: y[i]! });
  }
  return levels;
}

function meanOf(levels: Map<string, Level>): number {
  let [rows, ones] = [0, 0];
  for (const level of levels.values()) {
    rows += level.rows;
    ones += level.ones;
  }
  return (ones + 0.5) / (rows + 1);
}

function rateOf({ rows, ones }: Level, prior: number): number {
  const rate = (ones + SMOOTHING * prior) / (rows + SMOOTHING);
  return Math.log(rate / (1 - rate)) - Math.log(prior / (1 - prior));
}
