import { checkParam, invalid } from '../check.ts';
import type { FitContext } from '../estimator.ts';
import { advance } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import { Random } from '../random.ts';
import type { Bins } from '../tree/bins.ts';
import { encode, findBins } from '../tree/bins.ts';
import { DepthFirstGrower, DRAWN_MAX } from '../tree/depth-first.ts';
import { sharesOf, TreeEnsemble } from '../tree/ensemble.ts';
import type { ColumnParams } from '../tree/params.ts';
import { directions } from '../tree/params.ts';
import { Predictor } from '../tree/predict.ts';
import type { Trees } from '../tree/trees.ts';
import { joinTrees, TreesBuilder } from '../tree/trees.ts';

export interface ForestParams extends ColumnParams {
  readonly trees: number;
  /** Different training rows in a leaf, at least; small leaves make probabilities of 0 and 1. */
  readonly minLeaf: number;
  readonly maxDepth: number;
  /** Columns tried at each node; the root of their count where absent, for a regression a third. */
  readonly columnsTried?: number;
}

export const DEFAULTS: ForestParams = { trees: 200, minLeaf: 5, maxDepth: 32 };

/**
 * What the trees of a forest are grown from: plain data, whose arrays may lie in shared memory, so that several threads
 * can grow a part each.
 */
export interface ForestTask {
  /** Codes, column after column. */
  readonly codes: Uint8Array;
  readonly rows: number;
  readonly columns: number;
  readonly categorical: Uint8Array;
  readonly target: Float64Array;
  readonly sampleWeight: Float64Array | null;
  /** Whether the target is 0 or 1. */
  readonly binary: boolean;
  readonly monotone: Int8Array | null;
  readonly params: Required<Pick<ForestParams, 'trees' | 'minLeaf' | 'maxDepth' | 'columnsTried'>>;
  readonly seed: number;
}

/** Trees `from` to `to` of a forest. */
export interface ForestPart {
  readonly trees: Trees;
  readonly gain: Float64Array;
}

export function prepare(
  X: Matrix,
  target: Float64Array,
  binary: boolean,
  params: ForestParams,
  seed: number,
  ctx: FitContext,
): { task: ForestTask; bins: Bins } {
  const { trees, minLeaf, maxDepth } = params;
  const usual = binary ? Math.sqrt(X.columns) : X.columns / 3;
  const columnsTried =
    params.columnsTried ?? Math.max(1, binary ? Math.floor(usual) : Math.ceil(usual));
  checkParam('trees', trees, 1, 10_000);
  checkParam('minLeaf', minLeaf, 1, 1_000_000);
  checkParam('maxDepth', maxDepth, 1, 64);
  checkParam('columnsTried', columnsTried, 1, X.columns);
  const monotone = directions(X, params);
  advance(ctx, 0, 'sorting values into groups');
  const bins = findBins(X, params.categorical);
  const task = {
    codes: encode(X, bins, 'column'),
    rows: X.rows,
    columns: X.columns,
    categorical: bins.categorical,
    target,
    sampleWeight: ctx.sampleWeight ?? null,
    binary,
    monotone,
    params: { trees, minLeaf, maxDepth, columnsTried },
    seed,
  };
  return { task, bins };
}

/** Grows the trees `from` to `to`: each depends on its own number and the seed alone. */
export function growPart(task: ForestTask, from: number, to: number, ctx: FitContext): ForestPart {
  const { rows, sampleWeight, params, binary, monotone } = task;
  const together = binary && !sampleWeight;
  const weight = together ? new Int32Array(rows) : new Float64Array(rows);
  const target = together ? Uint8Array.from(task.target) : task.target;
  const rules = { minWeight: 0, lambda: 0, categorySmooth: 0, categoryLambda: 0, monotone };
  const grower = new DepthFirstGrower(task, { weight, target }, { ...params, ...rules }, together);
  const builder = new TreesBuilder();
  for (let t = from; t < to; t++) {
    const random = new Random(task.seed, t);
    draw(random, task, weight);
    grower.grow(random, builder);
    advance(ctx, (t + 1 - from) / (to - from), `tree ${t + 1 - from} of ${to - from}`);
  }
  return { trees: builder.trees(), gain: grower.gain };
}

/** A bootstrap: how much each row counts in one tree; 0 where it was not drawn. */
function draw(
  random: Random,
  { rows, sampleWeight, binary }: ForestTask,
  weight: Int32Array | Float64Array,
): void {
  weight.fill(0);
  const draws = binary && !sampleWeight ? Math.min(rows, DRAWN_MAX) : rows;
  for (let i = 0; i < draws; i++) weight[random.int(rows)]! += 1;
  if (!sampleWeight) return;
  let some = 0;
  for (let i = 0; i < rows; i++) some += weight[i]! *= sampleWeight[i]!;
  // A draw of weightless rows alone would be no tree.
  if (some === 0) weight.set(sampleWeight);
}

/** What rows say of which some trees did not draw them: an honest judgement from the training rows alone. */
export interface Unseen {
  readonly truth: Float64Array;
  readonly predicted: Float64Array;
}

/** The forest of its parts, in the order of their trees, and how its trees judge rows that they did not see. */
export function finish(
  names: readonly string[],
  { task, bins }: { task: ForestTask; bins: Bins },
  parts: readonly ForestPart[],
): { ensemble: TreeEnsemble; unseen: Unseen } {
  const [first] = parts;
  if (!first) throw invalid('A forest has no parts; expected at least one.');
  const trees = parts.length === 1 ? first.trees : joinTrees(parts.map((part) => part.trees));
  const gain = new Float64Array(task.columns);
  for (const part of parts) part.gain.forEach((value, j) => (gain[j]! += value));
  const count = trees.start.length - 1;
  const ensemble = new TreeEnsemble({
    names: [...names],
    bins,
    trees,
    importance: sharesOf(gain),
    base: 0,
    factor: 1 / count,
  });
  return { ensemble, unseen: judge(task, trees) };
}

function judge(task: ForestTask, trees: Trees): Unseen {
  const { rows, columns, target } = task;
  const codes = byRow(task);
  const predictor = new Predictor(trees);
  const sum = new Float64Array(rows);
  const count = new Int32Array(rows);
  const weight = new Float64Array(rows);
  const unseen = new Int32Array(rows);
  for (let t = 0; t < trees.start.length - 1; t++) {
    draw(new Random(task.seed, t), task, weight);
    let found = 0;
    for (let i = 0; i < rows; i++) {
      if (weight[i] !== 0) continue;
      unseen[found++] = i;
      count[i]! += 1;
    }
    predictor.add(t, codes, columns, unseen, found, sum);
  }
  const judged = Int32Array.from(count.keys()).filter((i) => count[i]! > 0);
  return {
    truth: Float64Array.from(judged, (i) => target[i]!),
    predicted: Float64Array.from(judged, (i) => sum[i]! / count[i]!),
  };
}

/** Codes row after row. */
function byRow({ codes, rows, columns }: ForestTask): Uint8Array {
  const turned = new Uint8Array(codes.length);
  for (let j = 0; j < columns; j++) {
    for (let i = 0, at = j; i < rows; i++, at += columns) turned[at] = codes[j * rows + i]!;
  }
  return turned;
}
