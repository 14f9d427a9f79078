import type { FitContext } from './estimator.ts';
import { advance } from './estimator.ts';
import type { Importance } from './importance.ts';
import { rocAuc } from './metrics.ts';
import type { RawTable } from './preprocess/table.ts';
import { cellsOf, takeTableRows, withCells } from './preprocess/table.ts';
import { Random } from './random.ts';
import { sampleRows } from './splits.ts';
import type { TableModel } from './table-model.ts';

/** How much a table's model relies on each column of the file; see `importance.ts`. */
export function tableImportance(
  model: TableModel,
  all: RawTable,
  truth: Float64Array,
  options: { seed?: number; repeats?: number; rowsMax?: number } = {},
  ctx: FitContext = {},
): Importance[] {
  const { seed = 1, repeats = 2, rowsMax = 2000 } = options;
  const rows = sampleRows(all.rows, rowsMax, seed);
  const table = takeTableRows(all, rows);
  const y = Float64Array.from(rows, (row) => truth[row]!);
  const whole = rocAuc(y, model.predictProba(table));
  const drops = model.names.map((feature, j) => {
    const random = new Random(seed, j);
    const cells = cellsOf(table, feature);
    let sum = 0;
    for (let r = 0; r < repeats; r++) {
      const order = random.sample(table.rows, table.rows);
      const shuffled = Array.from(order, (row) => cells[row]!);
      sum += whole - rocAuc(y, model.predictProba(withCells(table, feature, shuffled)));
    }
    advance(ctx, (j + 1) / model.names.length, `importance of ${feature}`);
    return { feature, aucDrop: sum / repeats };
  });
  return drops.sort((a, b) => b.aucDrop - a.aucDrop);
}

export interface CellEffect {
  readonly column: string;
  readonly cell: string;
  /** By how much the probability is higher with this cell than with the ones of other people. */
  readonly contribution: number;
}

export interface RowExplanation {
  readonly score: number;
  /** Mean score of the people it is compared with; base and contributions add up to the score. */
  readonly base: number;
  readonly contributions: readonly CellEffect[];
  readonly sentence: string;
  /** One other cell that would change the answer, the strongest first. */
  readonly wouldBe: readonly {
    readonly column: string;
    readonly cell: string;
    readonly score: number;
  }[];
}

/**
 * Why one row of a file has its score: sampled Shapley values over the file's own columns, so that a reader sees what
 * stands there and not how it was encoded. `background` are other rows to compare with.
 */
export function explainRow(
  model: TableModel,
  row: RawTable,
  background: RawTable,
  { samples = 100, seed = 1 }: { samples?: number; seed?: number } = {},
): RowExplanation {
  const random = new Random(seed);
  const own = model.names.map((name) => cellsOf(row, name)[0]!);
  const columns = own.length;
  const walks: string[][] = [];
  const orders: Int32Array[] = [];
  for (let s = 0; s < samples; s++) {
    const order = random.sample(columns, columns);
    const other = random.int(background.rows);
    const cells = model.names.map((name) => cellsOf(background, name)[other]!);
    walks.push([...cells]);
    for (const j of order) {
      cells[j] = own[j]!;
      walks.push([...cells]);
    }
    orders.push(order);
  }
  const p = model.predictProba(rowsTable(model.names, walks));
  const values = new Float64Array(columns);
  let base = 0;
  orders.forEach((order, s) => {
    const at = s * (columns + 1);
    base += p[at]! / samples;
    order.forEach((j, step) => (values[j]! += (p[at + step + 1]! - p[at + step]!) / samples));
  });
  const score = model.predictProba(rowsTable(model.names, [own]))[0]!;
  const contributions = model.names
    .map((column, j) => ({ column, cell: own[j]!, contribution: values[j]! }))
    .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  return {
    score,
    base,
    contributions,
    sentence: rowSentence(contributions),
    wouldBe: otherCells(model, own, background, score),
  };
}

/** Other cells of one column, as they stand in the background, that turn the answer round. */
function otherCells(
  model: TableModel,
  own: readonly string[],
  background: RawTable,
  score: number,
): RowExplanation['wouldBe'] {
  const found: { column: string; cell: string; score: number }[] = [];
  model.names.forEach((column, j) => {
    const cells = [...new Set(cellsOf(background, column))].slice(0, 50);
    const tries = cells.map((cell) => own.map((known, k) => (k === j ? cell : known)));
    const said = model.predictProba(rowsTable(model.names, tries));
    let best = -1;
    said.forEach((other, k) => {
      if (other >= model.threshold === score >= model.threshold) return;
      if (best < 0 || Math.abs(other - score) > Math.abs(said[best]! - score)) best = k;
    });
    if (best >= 0) found.push({ column, cell: cells[best]!, score: said[best]! });
  });
  return found.sort((a, b) => Math.abs(b.score - score) - Math.abs(a.score - score));
}

function rowsTable(names: readonly string[], rows: readonly (readonly string[])[]): RawTable {
  return { rows: rows.length, names, columns: names.map((_, j) => rows.map((row) => row[j]!)) };
}

/** The two strongest reasons on each side, as the file says them. */
function rowSentence(effects: readonly CellEffect[]): string {
  const least = 0.1 * Math.abs(effects[0]?.contribution ?? 0);
  const said = (sign: number): string =>
    effects
      .filter(({ contribution }) => sign * contribution > 0 && Math.abs(contribution) >= least)
      .slice(0, 2)
      .map(({ column, cell }) => `${column} is ${cell.trim() === '' ? 'not known' : short(cell)}`)
      .join(' and ');
  const parts = [
    ['higher', said(1)],
    ['lower', said(-1)],
  ].filter(([, text]) => text !== '');
  if (parts.length === 0) return 'As for anyone: nothing sets this row apart.';
  if ((effects[0]?.contribution ?? 0) < 0) parts.reverse();
  const text = parts.map(([side, why]) => `${side} because ${why}`).join('; ');
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

const short = (cell: string): string => (cell.length > 40 ? `${cell.slice(0, 39)}…` : cell);
