import type { BinaryModel, FitContext } from '../estimator.ts';
import { advance, partOf } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import type { ColumnPlan } from '../preprocess/infer.ts';
import type { Flavour, FittedTableEncoder } from '../preprocess/table-encoder.ts';
import { TableEncoder } from '../preprocess/table-encoder.ts';
import type { RawTable } from '../preprocess/table.ts';
import { takeTableRows } from '../preprocess/table.ts';
import type { Split } from '../splits.ts';
import { sampleRows } from '../splits.ts';
import type { Score } from './blend.ts';
import { chooseBlend, scoreOf } from './blend.ts';
import type { Candidate } from './families.ts';
import { labelOf } from './families.ts';

export interface SelectInput {
  readonly table: RawTable;
  readonly y: Float64Array;
  readonly plans: readonly ColumnPlan[];
  readonly candidates: readonly Candidate[];
  /** How the rows are judged: by fold, or by slices of time. */
  readonly folds: readonly Split[];
  readonly seed: number;
  /** Units of work that all fits together may take; see `Candidate.units`. */
  readonly budget: number;
  readonly score: Score;
  /** Milliseconds since some beginning; with `stopAtMs`, the choice stops early and says so. Absent: never. */
  readonly clock?: () => number;
  readonly stopAtMs?: number;
  readonly ctx?: FitContext;
}

export interface Tried {
  readonly label: string;
  readonly family: string;
  readonly rows: number;
  /** Of the last round it was in; higher is better. */
  readonly score: number;
  readonly round: number;
}

export interface Selected {
  readonly members: readonly { readonly candidate: Candidate; readonly weight: number }[];
  /** Rows that were predicted by models that had not seen them, and what the blend's members said of them. */
  readonly judged: Int32Array;
  readonly said: readonly Float64Array[];
  readonly score: number;
  readonly tried: readonly Tried[];
  readonly unitsSpent: number;
  readonly notes: readonly string[];
}

/** The first round looks at so many rows; each next one at four times as many. */
const FIRST_ROWS = 3_000;
/** How many go into the last round, which judges all rows. */
const LAST_ROUND = 4;

/**
 * Chooses among candidates by successive halving (Jamieson & Talwalkar 2016): all on few rows, the better half on more,
 * the last few on all folds; then a blend of those where it judges better than the best alone. The best of each family
 * stays until the last round, since models of different families blend best.
 */
export function select(input: SelectInput): Selected {
  const { table, folds, seed, score, ctx = {} } = input;
  const budget = new Budget(input);
  const data = new FoldData(input);
  const tried = new Map<Candidate, Tried>();
  let alive = [...input.candidates];
  for (let round = 0; alive.length > LAST_ROUND; round++) {
    const rows = FIRST_ROWS * 4 ** round;
    if (rows * 1.5 > table.rows && round > 0) break;
    const scored: { candidate: Candidate; score: number }[] = [];
    const fold = round % folds.length;
    alive.forEach((candidate, k) => {
      const set = data.of(fold, candidate.flavour, rows);
      if (!budget.allows(candidate.units(set.X.rows, set.X.columns), 0.4)) return;
      const model = candidate.make(seed, set.categorical).fit(set.X, set.y, silent(ctx));
      const found = scoreOf(score, set.laterY, model.predictProba(set.later));
      scored.push({ candidate, score: found });
      tried.set(candidate, {
        label: labelOf(candidate),
        family: candidate.family,
        rows: set.X.rows,
        score: found,
        round,
      });
      advance(
        ctx,
        0.3 * budget.share(),
        `round ${round + 1}: ${k + 1} of ${alive.length} candidates`,
      );
    });
    if (scored.length === 0) break;
    scored.sort((a, b) => b.score - a.score);
    alive = survivors(scored.map(({ candidate }) => candidate));
  }
  return lastRound(input, alive, data, budget, tried);
}

/** The better half, and the best of each family. */
function survivors(ranked: readonly Candidate[]): Candidate[] {
  const half = Math.max(LAST_ROUND, Math.ceil(ranked.length / 2));
  return ranked.filter(
    (candidate, k) =>
      k < half || ranked.findIndex((other) => other.family === candidate.family) === k,
  );
}

/** The best of each family first, then whatever ranks high. */
function finalists(ranked: readonly Candidate[]): Candidate[] {
  const firsts = ranked.filter(
    (candidate, k) => ranked.findIndex((other) => other.family === candidate.family) === k,
  );
  const others = ranked.filter((candidate) => !firsts.includes(candidate));
  return [...firsts, ...others].slice(0, Math.max(LAST_ROUND, firsts.length));
}

function lastRound(
  input: SelectInput,
  alive: readonly Candidate[],
  data: FoldData,
  budget: Budget,
  tried: Map<Candidate, Tried>,
): Selected {
  const { folds, y, seed, score, ctx = {} } = input;
  const judged = Int32Array.from(folds.flatMap(({ later }) => [...later]));
  const truth = Float64Array.from(judged, (row) => y[row]!);
  const kept: Candidate[] = [];
  const said: Float64Array[] = [];
  const entrants = finalists(alive);
  for (const [k, candidate] of entrants.entries()) {
    const units = folds.map((_, f) => {
      const { X } = data.of(f, candidate.flavour, Infinity);
      return candidate.units(X.rows, X.columns);
    });
    const needed = units.reduce((a, b) => a + b, 0);
    // Something has to be chosen, whatever it costs.
    if (!budget.allows(needed, 0.85) && kept.length > 0) continue;
    const all: number[] = [];
    folds.forEach((_, f) => {
      const set = data.of(f, candidate.flavour, Infinity);
      const from = 0.3 + (0.7 * (k + f / folds.length)) / entrants.length;
      const part = partOf(
        ctx,
        from,
        from + 0.7 / entrants.length / folds.length,
        `${candidate.family}, fold ${f + 1}: `,
      );
      all.push(
        ...candidate.make(seed, set.categorical).fit(set.X, set.y, part).predictProba(set.later),
      );
    });
    const p = Float64Array.from(all);
    kept.push(candidate);
    said.push(p);
    tried.set(candidate, {
      label: labelOf(candidate),
      family: candidate.family,
      rows: y.length,
      score: scoreOf(score, truth, p),
      round: -1,
    });
  }
  const chosen = chooseBlend(truth, said, score);
  const places = [...kept.keys()].filter((m) => chosen.weights[m]! > 0);
  const sum = chosen.weights.reduce((a, b) => a + b, 0);
  advance(ctx, 1, 'chosen');
  return {
    members: places.map((m) => ({ candidate: kept[m]!, weight: chosen.weights[m]! / sum })),
    judged,
    said: places.map((m) => said[m]!),
    score: chosen.score,
    tried: [...tried.values()].sort(
      (a, b) => Number(b.round === -1) - Number(a.round === -1) || b.score - a.score,
    ),
    unitsSpent: budget.spent,
    notes: budget.notes,
  };
}

const silent = (ctx: FitContext): FitContext => (ctx.signal ? { signal: ctx.signal } : {});

/** Counts work, not seconds; the clock may only end it. */
class Budget {
  spent = 0;
  readonly notes: string[] = [];
  readonly #input: SelectInput;

  constructor(input: SelectInput) {
    this.#input = input;
  }

  /** Takes the units, where all that is spent stays below this share of the budget. */
  allows(units: number, share: number): boolean {
    const { budget, clock, stopAtMs } = this.#input;
    if (clock && stopAtMs !== undefined && clock() > stopAtMs) {
      this.#note(
        'The time was up before all candidates were tried, so another run may choose otherwise.',
      );
      return false;
    }
    if (this.spent + units > share * budget) {
      this.#note(
        'The budget did not reach for all candidates; a larger one may find a better model.',
      );
      return false;
    }
    this.spent += units;
    return true;
  }

  share(): number {
    return Math.min(1, this.spent / (0.4 * this.#input.budget));
  }

  #note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }
}

interface FoldSet {
  readonly X: Matrix;
  readonly categorical: readonly string[];
  readonly y: Float64Array;
  readonly later: Matrix;
  readonly laterY: Float64Array;
}

/** Matrices of each fold, encoded by what its own training rows say; made when they are asked for. */
class FoldData {
  readonly #input: SelectInput;
  readonly #made = new Map<string, FoldSet>();

  constructor(input: SelectInput) {
    this.#input = input;
  }

  of(fold: number, flavour: Flavour, rowsMax: number): FoldSet {
    const key = `${fold}/${flavour}/${rowsMax}`;
    let set = this.#made.get(key);
    if (!set) {
      set = this.#make(fold, flavour, rowsMax);
      this.#made.set(key, set);
    }
    return set;
  }

  #make(fold: number, flavour: Flavour, rowsMax: number): FoldSet {
    const { table, y, plans, folds, seed } = this.#input;
    const { train, later } = folds[fold]!;
    const pick = (rows: Int32Array, stream: number): Int32Array =>
      sampleRows(rows.length, rowsMax, seed + stream).map((place) => rows[place]!);
    const trainRows = pick(train, 0);
    const laterRows = pick(later, 1);
    const target = (rows: Int32Array): Float64Array => Float64Array.from(rows, (row) => y[row]!);
    const encode = new TableEncoder({ plans, flavour, seed });
    const { encoder, X } = encode.fit(takeTableRows(table, trainRows), target(trainRows));
    return {
      X,
      categorical: encoder.categorical,
      y: target(trainRows),
      later: encoder.transform(takeTableRows(table, laterRows)),
      laterY: target(laterRows),
    };
  }
}

export interface FittedMember {
  readonly weight: number;
  readonly encoder: FittedTableEncoder;
  readonly model: BinaryModel;
}

/** The chosen ones again, on all rows. */
export function refit(
  { members }: Pick<Selected, 'members'>,
  { table, y, plans, seed }: Pick<SelectInput, 'table' | 'y' | 'plans' | 'seed'>,
  ctx: FitContext,
): FittedMember[] {
  const encoded = new Map<Flavour, { encoder: FittedTableEncoder; X: Matrix }>();
  return members.map(({ candidate, weight }, k) => {
    const { flavour, family } = candidate;
    const known = encoded.get(flavour) ?? new TableEncoder({ plans, flavour, seed }).fit(table, y);
    encoded.set(flavour, known);
    const part = partOf(ctx, k / members.length, (k + 1) / members.length, `${family}: `);
    return {
      weight,
      encoder: known.encoder,
      model: candidate.make(seed, known.encoder.categorical).fit(known.X, y, part),
    };
  });
}
