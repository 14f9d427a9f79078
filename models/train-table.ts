import type { Costs } from './calibration/threshold.ts';
import { thresholdFromCosts } from './calibration/threshold.ts';
import { chooseCalibrator } from './calibration/calibrate.ts';
import type { Figures, ModelCard } from './card.ts';
import { figures } from './card.ts';
import { checkParam, invalid } from './check.ts';
import { aucDifference } from './compare.ts';
import type { FitContext } from './estimator.ts';
import { advance, partOf } from './estimator.ts';
import { sha256 } from './hash.ts';
import type { CalibrationBin } from './metrics.ts';
import { binaryMetrics, calibrationTable } from './metrics.ts';
import type { Importance } from './importance.ts';
import type { Schema } from './preprocess/infer.ts';
import { inferSchema } from './preprocess/infer.ts';
import type { RawTable } from './preprocess/table.ts';
import { checkTable, takeTableRows } from './preprocess/table.ts';
import type { Score } from './select/blend.ts';
import { blend } from './select/blend.ts';
import { candidatesOf, labelOf } from './select/families.ts';
import type { Selected, Tried } from './select/select.ts';
import { refit, select } from './select/select.ts';
import { tableImportance } from './table-explain.ts';
import { TableModel } from './table-model.ts';
import type { Split } from './splits.ts';
import type { HoldOut } from './table-split.ts';
import { foldsFor, holdOut } from './table-split.ts';
import { readTarget } from './table-target.ts';

export interface TrainTableInput extends HoldOut {
  readonly table: RawTable;
  readonly target: string;
  /** The target's value that is yes; found where it is "yes", "true" or 1. */
  readonly positive?: string;
  /** Columns that are not looked at. */
  readonly ignore?: readonly string[];
  /** Only this family; all by default. */
  readonly family?: string;
  readonly name?: string;
  readonly seed?: number;
  /** Units of work for the choice, about a second each; 120 by default. */
  readonly budget?: number;
  readonly score?: Score;
  /** The threshold follows from them; without them it is 0.5. */
  readonly costs?: Costs;
  /** Ends the choice early, so that it may not be the same again; never by default. */
  readonly secondsMax?: number;
  readonly clock?: () => number;
  readonly ctx?: FitContext;
}

export interface TableCard extends ModelCard {
  readonly target: { readonly name: string; readonly positive: string; readonly rate: number };
  /** SHA-256 of the rows it was judged on. */
  readonly laterHash: string;
  readonly split: { readonly how: string; readonly train: number; readonly later: number };
  /** Column by column: what it was taken for, or why it was left out. */
  readonly columns: readonly { readonly name: string; readonly as: string }[];
  readonly warnings: readonly string[];
  /** On the rows held out. */
  readonly metrics: Figures;
  readonly baseline: { readonly kind: string; readonly metrics: Figures };
  readonly aucGain: {
    readonly estimate: number | null;
    readonly low: number | null;
    readonly high: number | null;
  };
  readonly threshold: number;
  readonly calibration: readonly CalibrationBin[];
  readonly calibrator: string;
  readonly importance: readonly Importance[];
  readonly selection: {
    readonly how: string;
    readonly score: Score;
    readonly validated: number;
    readonly tried: readonly Tried[];
    readonly members: readonly { readonly label: string; readonly weight: number }[];
    readonly units: number;
    readonly notes: readonly string[];
  };
}

export interface TrainedTable {
  readonly model: TableModel;
  readonly card: TableCard;
  /** Why the model must not be used. */
  readonly refused?: string;
}

/** What a family is called where several are averaged. */
const BLEND = 'blend';

/**
 * Learns yes or no from a table as a file has it: finds what the columns mean, chooses family and settings on the rows
 * to learn from alone, fits the choice on all of them, and judges it on the rows held out, which nothing saw before.
 */
export function trainTable(input: TrainTableInput): TrainedTable {
  const { seed = 1, score = 'rocAuc', ctx = {} } = input;
  const data = prepare(input, seed);
  const { train, later, schema } = data;
  advance(ctx, 0.02, 'read the columns');
  const { folds, how } = foldsFor(train.table, train.y, input, seed);
  const chosen = choose(input, data, folds, partOf(ctx, 0.02, 0.8));
  const truth = Float64Array.from(chosen.judged, (row) => train.y[row]!);
  const weights = chosen.members.map((member) => member.weight);
  const calibrator = chooseCalibrator(truth, blend(weights, chosen.said), { seed, monotone: true });
  const whole = { table: train.table, y: train.y, plans: schema.columns, seed };
  const model = new TableModel({
    names: schema.columns.map((column) => column.name),
    target: { name: input.target, positive: data.positive },
    members: refit(chosen, whole, partOf(ctx, 0.8, 0.93, 'final ')),
    calibrator,
    threshold: input.costs ? thresholdFromCosts(input.costs) : 0.5,
  });
  const judged = judge(model, later, train.y);
  advance(ctx, 0.95, 'judged on the rows held out');
  const importance = tableImportance(model, later.table, later.y, { seed }, partOf(ctx, 0.95, 1));
  const alone = chosen.members.length === 1 ? chosen.members[0]!.candidate : undefined;
  const card: TableCard = {
    name: input.name ?? input.target,
    kind: alone?.family ?? BLEND,
    params: alone?.params ?? {},
    seed,
    dataHash: tableHash(train),
    laterHash: tableHash(later),
    features: model.names,
    rowsGiven: train.table.rows,
    rowsUsed: train.table.rows,
    target: { ...model.target, rate: meanOf(train.y) },
    split: { how: data.how, train: train.table.rows, later: later.table.rows },
    columns: columnsOf(schema),
    warnings: [...data.warnings, ...schema.warnings],
    ...judged.figures,
    threshold: model.threshold,
    calibrator: calibrator.method,
    importance,
    selection: selectionOf(chosen, how, score),
    limits: judged.limits,
  };
  return judged.refused === undefined ? { model, card } : { model, card, refused: judged.refused };
}

interface Prepared {
  readonly train: Labelled;
  readonly later: Labelled;
  readonly schema: Schema;
  readonly positive: string;
  /** How the rows were held out. */
  readonly how: string;
  readonly warnings: readonly string[];
}

function prepare(input: TrainTableInput, seed: number): Prepared {
  checkTable(input.table);
  const columns = [input.target, input.fold, input.group, ...(input.ignore ?? [])];
  const ignore = columns.filter((column) => column !== undefined);
  for (const column of ignore) knownColumn(input.table, column);
  const read = readTarget(input.table, input.target, input.positive);
  const { split, how } = holdOut(read.table, read.y, input, seed);
  const train = slice(read.table, read.y, split.train);
  const later = slice(read.table, read.y, split.later);
  checkBoth(train.y, 'to learn from');
  checkBoth(later.y, 'to judge on');
  const schema = inferSchema(train.table, train.y, { ignore });
  if (schema.columns.length === 0) throw invalid('No column is left to learn from.');
  return { train, later, schema, positive: read.positive, how, warnings: read.warnings };
}

function choose(
  input: TrainTableInput,
  { train, schema }: Prepared,
  folds: Split[],
  ctx: FitContext,
): Selected {
  const { seed = 1, score = 'rocAuc', budget = 120, clock, secondsMax, family } = input;
  checkParam('budget', budget, Number.MIN_VALUE, 1e9);
  const timed =
    clock && secondsMax !== undefined ? { clock, stopAtMs: clock() + 1000 * secondsMax } : {};
  return select({
    table: train.table,
    y: train.y,
    plans: schema.columns,
    candidates: candidatesOf(family === undefined ? undefined : [family]),
    folds,
    seed,
    budget,
    score,
    ...timed,
    ctx,
  });
}

function checkBoth(y: Float64Array, which: string): void {
  const mean = meanOf(y);
  if (mean > 0 && mean < 1) return;
  throw invalid(`All ${y.length} rows ${which} have the same outcome; expected some of both.`);
}

const meanOf = (y: Float64Array): number => y.reduce((a, b) => a + b, 0) / y.length;

function columnsOf({ columns, dropped }: Schema): TableCard['columns'] {
  return [
    ...columns.map((column) => ({ name: column.name, as: column.kind })),
    ...dropped.map(({ name, why }) => ({ name, as: `left out: ${why}` })),
  ];
}

interface Labelled {
  readonly table: RawTable;
  readonly y: Float64Array;
}

function slice(table: RawTable, y: Float64Array, rows: Int32Array): Labelled {
  return { table: takeTableRows(table, rows), y: Float64Array.from(rows, (row) => y[row]!) };
}

function knownColumn(table: RawTable, name: string): void {
  if (table.names.includes(name)) return;
  throw invalid(
    `There is no column "${name}"; the table has ${table.names.map((n) => `"${n}"`).join(', ')}.`,
    { column: name },
  );
}

function judge(
  model: TableModel,
  { table, y }: Labelled,
  trainY: Float64Array,
): {
  figures: Pick<TableCard, 'metrics' | 'baseline' | 'aucGain' | 'calibration'>;
  limits: string[];
  refused?: string;
} {
  const p = model.predictProba(table);
  const rate = meanOf(trainY);
  const constant = new Float64Array(y.length).fill(rate);
  const metrics = binaryMetrics(y, p, model.threshold);
  const naive = binaryMetrics(y, constant, model.threshold);
  const gain = aucDifference(y, p, constant);
  const limits: string[] = [];
  const ones = Math.round(metrics.rate * metrics.rows);
  if (Math.min(ones, metrics.rows - ones) < 100) {
    limits.push(`It was judged on ${ones} yes among ${metrics.rows} rows: its figures are rough.`);
  }
  if (metrics.ece > 0.05) {
    limits.push(
      `Its probabilities were off by ${(100 * metrics.ece).toFixed(1)} points on average; see the calibration.`,
    );
  }
  const result = {
    figures: {
      metrics: figures(metrics),
      baseline: { kind: 'constant', metrics: figures(naive) },
      aucGain: figures(gain),
      calibration: calibrationTable(y, p),
    },
    limits,
  };
  if (metrics.rocAuc > 0.5 && metrics.logLoss < naive.logLoss) return result;
  const refused =
    `It is no better than saying ${(100 * rate).toFixed(1)} % of everyone: log loss ${metrics.logLoss.toFixed(4)} ` +
    `against ${naive.logLoss.toFixed(4)}, ROC AUC ${metrics.rocAuc.toFixed(4)}.`;
  return { ...result, refused };
}

function selectionOf(chosen: Selected, how: string, score: Score): TableCard['selection'] {
  return {
    how,
    score,
    validated: chosen.score,
    tried: chosen.tried,
    members: chosen.members.map((m) => ({ label: labelOf(m.candidate), weight: m.weight })),
    units: Math.round(chosen.unitsSpent * 100) / 100,
    notes: chosen.notes,
  };
}

/** SHA-256 over names, cells and targets. */
function tableHash({ table, y }: Labelled): string {
  const encoder = new TextEncoder();
  const parts = table.columns.map((cells, j) =>
    sha256(encoder.encode(`${table.names[j]!}\u0000${cells.join('\u0000')}`)),
  );
  return sha256(encoder.encode([...parts, sha256(Uint8Array.from(y))].join()));
}
