/** What `bench/run.ts` hands to a bench. */
export interface BenchOptions {
  /** Rounds of each contender, interleaved; at least 5 for figures that are published. */
  readonly rounds: number;
  /** Messages, people or rows a round, where the bench has such a number. */
  readonly recipients?: number | undefined;
  /** One part of a bench that has several; all where absent. */
  readonly family?: string | undefined;
  /** Other data of the same form, where the bench reads a file. */
  readonly file?: string | undefined;
  /** Progress, on stderr. */
  readonly log: (line: string) => void;
}

/** Medians over the rounds, and tables for people. */
export interface BenchResult {
  readonly figures: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly tables: readonly BenchTable[];
  /** What was left out, and why. */
  readonly notes?: readonly string[];
}

export interface BenchTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  if (values.length === 0) return { min: Number.NaN, median: Number.NaN, max: Number.NaN };
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  return { min: sorted[0]!, median, max: sorted.at(-1)! };
}

/** `1,234 (1,100–1,300)`: the median between the extremes. */
export function spreadText(values: readonly number[], digits = 0): string {
  const { min, median, max } = spread(values);
  const text = (value: number): string =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text(median)} (${text(min)}–${text(max)})`;
}

/** Ratio of each round's pair: both ran within a minute of each other, so the machine's mood cancels out. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => value / theirs[round]!);
}
