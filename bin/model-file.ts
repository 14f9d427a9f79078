import { readFile } from 'node:fs/promises';
import { KairosError } from '../domain/errors.ts';
import { delong } from '../models/evaluate/delong.ts';
import { liftTable, prAuc } from '../models/evaluate/ranking.ts';
import type { LiftStep } from '../models/evaluate/ranking.ts';
import type { PairedTest } from '../models/evaluate/delong.ts';
import { binaryMetrics, calibrationTable, confusionMatrix } from '../models/metrics.ts';
import type { RawTable } from '../models/preprocess/table.ts';
import { cellsOf, takeTableRows } from '../models/preprocess/table.ts';
import type { RowExplanation } from '../models/table-explain.ts';
import { explainRow } from '../models/table-explain.ts';
import type { TableModel } from '../models/table-model.ts';
import { tableModelFromJSON } from '../models/table-model.ts';
import { sampleRows } from '../models/splits.ts';
import type { TableCard } from '../models/train-table.ts';
import { readRawTable } from './raw-table.ts';

/** A file that `train --csv --out` wrote. Errors: MODEL_INVALID where it is something else. */
export async function readModelFile(path: string): Promise<{ model: TableModel; card: TableCard }> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new KairosError('MODEL_UNKNOWN', `${path}: the model file cannot be read; is it there?`);
  });
  let parsed: { model?: unknown; card?: TableCard };
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch {
    throw new KairosError(
      'MODEL_INVALID',
      `${path}: this is no JSON; expected a file of \`train --out\`.`,
    );
  }
  const model = tableModelFromJSON(parsed.model);
  if (!parsed.card) throw new KairosError('MODEL_INVALID', `${path}: the model has no card.`);
  return { model, card: parsed.card };
}

export interface Slice {
  /** Only rows that say `test` (or this value) in this column. */
  readonly fold?: string;
  readonly foldValue?: string;
}

async function rowsOf(path: string, { fold, foldValue = 'test' }: Slice): Promise<RawTable> {
  const { table } = await readRawTable(path);
  if (fold === undefined) return table;
  const cells = cellsOf(table, fold);
  const rows = [...cells.keys()].filter((row) => cells[row]!.trim() === foldValue);
  if (rows.length > 0) return takeTableRows(table, rows);
  throw new KairosError(
    'MODEL_INVALID',
    `${path}: no row says "${foldValue}" in the column "${fold}"; name another with --fold-value.`,
  );
}

function outcomesOf(model: TableModel, table: RawTable): Float64Array {
  const { name, positive } = model.target;
  return Float64Array.from(cellsOf(table, name), (cell) => (cell.trim() === positive ? 1 : 0));
}

export interface Evaluation {
  readonly metrics: ReturnType<typeof binaryMetrics> & { prAuc: number };
  readonly threshold: number;
  readonly confusion: ReturnType<typeof confusionMatrix>;
  readonly calibration: ReturnType<typeof calibrationTable>;
  readonly lift: readonly LiftStep[];
}

export async function evaluateFile(path: string, csv: string, slice: Slice): Promise<Evaluation> {
  const { model } = await readModelFile(path);
  const table = await rowsOf(csv, slice);
  const y = outcomesOf(model, table);
  const p = model.predictProba(table);
  return {
    metrics: { ...binaryMetrics(y, p, model.threshold), prAuc: prAuc(y, p) },
    threshold: model.threshold,
    confusion: confusionMatrix(y, p, model.threshold),
    calibration: calibrationTable(y, p),
    lift: liftTable(y, p),
  };
}

export interface Comparison extends PairedTest {
  readonly logLossA: number;
  readonly logLossB: number;
  /** In a sentence. */
  readonly verdict: string;
}

/** Whether model B ranks the rows of a file better than model A, by DeLong's paired test. */
export async function compareFiles(
  a: string,
  b: string,
  csv: string,
  slice: Slice,
): Promise<Comparison> {
  const [one, other] = await Promise.all([readModelFile(a), readModelFile(b)]);
  const { name, positive } = one.model.target;
  if (other.model.target.name !== name || other.model.target.positive !== positive) {
    throw new KairosError(
      'MODEL_INVALID',
      `The models predict different things: ${name} = ${positive} and ${other.model.target.name} = ${other.model.target.positive}.`,
    );
  }
  const table = await rowsOf(csv, slice);
  const y = outcomesOf(one.model, table);
  const [pa, pb] = [one.model.predictProba(table), other.model.predictProba(table)];
  const test = delong(y, pa, pb);
  const better = test.difference > 0 ? 'B' : 'A';
  const verdict =
    test.p < 0.05
      ? `${better} ranks better: ROC AUC ${test.aucA.toFixed(4)} and ${test.aucB.toFixed(4)}, p = ${test.p.toPrecision(2)}.`
      : `No difference is proven: ROC AUC ${test.aucA.toFixed(4)} and ${test.aucB.toFixed(4)}, p = ${test.p.toPrecision(2)}.`;
  return {
    ...test,
    logLossA: binaryMetrics(y, pa).logLoss,
    logLossB: binaryMetrics(y, pb).logLoss,
    verdict,
  };
}

const BACKGROUND_ROWS = 300;

/** Why row `row` (from 1, without the header) of a file has its score. */
export async function explainFileRow(
  path: string,
  csv: string,
  row: number,
): Promise<RowExplanation> {
  const { model } = await readModelFile(path);
  const { table } = await readRawTable(csv);
  if (!Number.isInteger(row) || row < 1 || row > table.rows) {
    throw new KairosError(
      'MODEL_INVALID',
      `There is no row ${row}; ${csv} has rows 1 to ${table.rows}.`,
    );
  }
  const background = takeTableRows(table, sampleRows(table.rows, BACKGROUND_ROWS, 1));
  return explainRow(model, takeTableRows(table, [row - 1]), background);
}
