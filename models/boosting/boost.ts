import { checkParam, invalid } from '../check.ts';
import type { FitContext } from '../estimator.ts';
import { advance } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { takeRows } from '../matrix.ts';
import { Random } from '../random.ts';
import { encode, findBins } from '../tree/bins.ts';
import { sharesOf, TreeEnsemble } from '../tree/ensemble.ts';
import { LeafWiseGrower } from '../tree/leaf-wise.ts';
import type { ColumnParams } from '../tree/params.ts';
import { directions } from '../tree/params.ts';
import { Predictor } from '../tree/predict.ts';
import { TreesBuilder } from '../tree/trees.ts';
import type { Loss } from './loss.ts';

export interface BoostingParams extends ColumnParams {
  /** At most so many; fewer where early stopping says so. */
  readonly trees: number;
  readonly learningRate: number;
  readonly maxLeaves: number;
  readonly maxDepth: number;
  /** Rows in a leaf, at least. */
  readonly minLeaf: number;
  /** Added to the weight of each leaf, which draws its prediction to 0. */
  readonly lambda: number;
  /** Share of the columns that each tree looks at, drawn by the seed. */
  readonly columnShare: number;
  /**
   * Keeps the last `share` of the rows, which should be the later ones, out of training, and ends when `rounds` trees in
   * a row did not lower the loss on them; the trees after the best one are dropped.
   */
  readonly earlyStopping?: { readonly rounds: number; readonly share: number };
}

export const DEFAULTS: BoostingParams = {
  trees: 100,
  learningRate: 0.1,
  maxLeaves: 31,
  maxDepth: 64,
  minLeaf: 20,
  lambda: 0,
  columnShare: 1,
};

/** Smallest Σh of a leaf: without it a leaf that is sure of itself would leap to infinity. */
const MIN_WEIGHT = 1e-3;
const CATEGORY_SMOOTH = 10;
const CATEGORY_LAMBDA = 10;

export interface Stopped {
  readonly treesTried: number;
  /** Mean loss on the later slice of the trees that were kept; `null` without early stopping. */
  readonly laterLoss: number | null;
}

function check(X: Matrix, params: BoostingParams): void {
  checkParam('trees', params.trees, 1, 100_000);
  checkParam('learningRate', params.learningRate, Number.MIN_VALUE, 1 - Number.EPSILON);
  checkParam('maxLeaves', params.maxLeaves, 2, 65_536);
  checkParam('maxDepth', params.maxDepth, 1, 64);
  checkParam('minLeaf', params.minLeaf, 1, 1_000_000);
  checkParam('lambda', params.lambda, 0, Number.MAX_VALUE);
  checkParam('columnShare', params.columnShare, Number.MIN_VALUE, 1);
  const { earlyStopping } = params;
  if (!earlyStopping) return;
  checkParam('earlyStopping.rounds', earlyStopping.rounds, 1, 100_000);
  checkParam('earlyStopping.share', earlyStopping.share, Number.MIN_VALUE, 1 - Number.EPSILON);
  if (
    Math.round(X.rows * earlyStopping.share) < 1 ||
    Math.round(X.rows * earlyStopping.share) >= X.rows
  ) {
    throw invalid(
      `Of ${X.rows} rows a share of ${earlyStopping.share} leaves none to learn from or none to judge on; give it more rows.`,
    );
  }
}

export function boost(
  X: Matrix,
  y: Target,
  loss: Loss,
  params: BoostingParams,
  seed: number,
  ctx: FitContext,
): { ensemble: TreeEnsemble; stopped: Stopped } {
  check(X, params);
  const monotone = directions(X, params);
  advance(ctx, 0, 'sorting values into groups');
  const weight = ctx.sampleWeight ?? null;
  const { rows, later } = slices(X.rows, params, weight);
  // Even how values are grouped is learnt from the earlier rows alone.
  const bins = findBins(later ? takeRows(X, rows) : X, params.categorical);
  const codes = encode(X, bins, 'column');
  const data = { codes, rows: X.rows, columns: X.columns, categorical: bins.categorical };
  const rules = {
    minWeight: MIN_WEIGHT,
    categorySmooth: CATEGORY_SMOOTH,
    categoryLambda: CATEGORY_LAMBDA,
    monotone,
  };
  const grower = new LeafWiseGrower(data, rows, { ...params, ...rules });
  const builder = new TreesBuilder();
  const base = loss.start(y, rows, weight);
  const score = new Float64Array(X.rows).fill(base);
  const g = new Float64Array(X.rows);
  const h = new Float64Array(X.rows);
  const judge = later && new Judge(later, encode(X, bins, 'row'), X.columns);
  let best = { trees: 0, loss: Infinity };
  let tried = 0;
  while (tried < params.trees) {
    loss.derive(y, score, weight, rows, g, h);
    const columns = drawColumns(X.columns, params.columnShare, seed, tried);
    grower.grow(g, h, params.learningRate, builder, score, columns);
    tried++;
    if (judge) {
      judge.add(builder, score);
      const now = loss.mean(y, score, judge.rows, weight);
      if (now < best.loss) best = { trees: tried, loss: now };
      if (tried - best.trees >= params.earlyStopping!.rounds) break;
    }
    // A tree without a cut is 0, and so would be all after it, unless other columns are drawn.
    if (grower.leafCount === 1 && params.columnShare === 1) break;
    if (tried < params.trees)
      advance(ctx, tried / params.trees, `tree ${tried} of ${params.trees}`);
  }
  if (judge && best.trees > 0) builder.keep(best.trees);
  advance(ctx, 1, `${tried} trees`);
  return {
    ensemble: new TreeEnsemble({
      names: [...X.names],
      bins,
      trees: builder.trees(),
      importance: sharesOf(grower.gain),
      base,
      factor: 1,
    }),
    stopped: { treesTried: tried, laterLoss: judge && best.trees > 0 ? best.loss : null },
  };
}

/** Row numbers to learn from and, with early stopping, to judge on; rows of weight 0 are in neither. */
function slices(
  count: number,
  { earlyStopping }: BoostingParams,
  weight: Float64Array | null,
): { rows: Int32Array; later: Int32Array | null } {
  const cut = earlyStopping ? count - Math.round(count * earlyStopping.share) : count;
  const counts = (row: number): boolean => !weight || weight[row]! > 0;
  const rows = Int32Array.from({ length: cut }, (_, i) => i).filter(counts);
  if (!earlyStopping) return { rows, later: null };
  const later = Int32Array.from({ length: count - cut }, (_, i) => cut + i).filter(counts);
  if (rows.length === 0 || later.length === 0) {
    throw invalid(
      'All weights of the earlier or the later rows are 0; expected some that count in both.',
    );
  }
  return { rows, later };
}

/** Scores the later slice tree by tree. */
class Judge {
  readonly rows: Int32Array;
  readonly #codes: Uint8Array;
  readonly #columns: number;
  readonly #places: Int32Array;

  constructor(rows: Int32Array, codes: Uint8Array, columns: number) {
    this.rows = rows;
    this.#columns = columns;
    this.#places = rows.map((_, i) => i);
    this.#codes = new Uint8Array(rows.length * columns);
    rows.forEach((row, i) =>
      this.#codes.set(codes.subarray(row * columns, (row + 1) * columns), i * columns),
    );
  }

  /** Adds the newest tree. */
  add(builder: TreesBuilder, score: Float64Array): void {
    const sum = new Float64Array(this.rows.length);
    const all = this.#places;
    new Predictor(builder.lastTree()).add(0, this.#codes, this.#columns, all, all.length, sum);
    for (let i = 0; i < sum.length; i++) score[this.rows[i]!]! += sum[i]!;
  }
}

function drawColumns(
  columns: number,
  share: number,
  seed: number,
  tree: number,
): Int32Array | undefined {
  if (share === 1) return undefined;
  const count = Math.max(1, Math.round(share * columns));
  return new Random(seed, tree).sample(columns, count).sort();
}
