import {
  checkBinaryTarget,
  checkJson,
  checkMatrix,
  checkParam,
  checkPredict,
  invalidJson,
  namesOf,
  numberOf,
} from '../check.ts';
import { figures } from '../card.ts';
import { pack, unpack } from '../codec.ts';
import type {
  Attribution,
  BinaryModel,
  Estimator,
  FitContext,
  ModelJson,
  SelfExplaining,
} from '../estimator.ts';
import { advance, classesOf } from '../estimator.ts';
import { treeShap } from '../explain/tree-shap.ts';
import type { Matrix, Target } from '../matrix.ts';
import { logLoss, rocAuc } from '../metrics.ts';
import { Random } from '../random.ts';
import { codeOf, encode, findCuts } from './bins.ts';
import type { Trees } from './grow.ts';
import { DRAWN_MAX, Grower } from './grow.ts';

export interface ForestParams {
  readonly trees: number;
  /** Different training rows in a leaf, at least; small leaves make probabilities of 0 and 1. */
  readonly minLeaf: number;
  readonly maxDepth: number;
  /** Columns tried at each node; the root of their count where absent. */
  readonly columnsTried?: number;
}

const DEFAULTS: ForestParams = { trees: 200, minLeaf: 5, maxDepth: 32 };

/**
 * A random forest of probability trees (Breiman 2001): each tree learns a bootstrap of the rows, tries few columns at
 * each node, and the forest's probability is the mean of its trees'. NaN is read as "missing", which a node may ask
 * for. Rows left out of a tree judge it, which gives a score without a second data set (`outOfBag`).
 */
export class Forest implements Estimator<FittedForest> {
  readonly kind = 'forest';
  readonly seed: number;
  readonly params: Readonly<ForestParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'accepts', rowOrder: 'statistical' } as const;

  constructor(options: Partial<ForestParams> & { seed?: number } = {}) {
    const { seed = 1, ...params } = options;
    this.seed = seed;
    this.params = { ...DEFAULTS, ...params };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedForest {
    checkMatrix(X, 'accepts');
    checkBinaryTarget(X, y);
    const { trees, minLeaf, maxDepth } = this.params;
    const columnsTried = this.params.columnsTried ?? Math.max(1, Math.floor(Math.sqrt(X.columns)));
    checkParam('trees', trees, 1, 10_000);
    checkParam('minLeaf', minLeaf, 1, 1_000_000);
    checkParam('maxDepth', maxDepth, 1, 64);
    checkParam('columnsTried', columnsTried, 1, X.columns);
    advance(ctx, 0, 'sorting values into groups');

    const target = Uint8Array.from(y!);
    const cuts = findCuts(X);
    const codes = encode(X, cuts, 'column');
    const weight = new Int32Array(X.rows);
    const input = { codes, rows: X.rows, columns: X.columns, weight, target };
    const grower = new Grower(input, { minLeaf, maxDepth, columnsTried });
    const draws = Math.min(X.rows, DRAWN_MAX);
    const drawn = new Uint8Array(X.rows * trees);
    for (let t = 0; t < trees; t++) {
      const random = new Random(this.seed, t);
      weight.fill(0);
      for (let i = 0; i < draws; i++) weight[random.int(X.rows)]! += 1;
      for (let i = 0; i < X.rows; i++) drawn[t * X.rows + i] = weight[i] === 0 ? 0 : 1;
      grower.grow(random);
      advance(ctx, (t + 1) / trees, `tree ${t + 1} of ${trees}`);
    }
    const grown = grower.trees();
    return new FittedForest({
      names: [...X.names],
      cuts,
      trees: grown,
      importance: shares(grower.gain),
      outOfBag: outOfBag(grown, encode(X, cuts, 'row'), X, target, drawn),
    });
  }
}

/** How the trees judge rows they have not seen: an honest score from the training rows alone. */
export interface OutOfBag {
  /** Rows that at least one tree left out. */
  readonly rows: number;
  /** `null` where the rows left out do not hold both classes. */
  readonly rocAuc: number | null;
  readonly logLoss: number | null;
}

interface ForestState {
  readonly names: readonly string[];
  readonly cuts: readonly Float64Array[];
  readonly trees: Trees;
  /** Share of all reduction of impurity by each column; adds up to 1. */
  readonly importance: Float64Array;
  readonly outOfBag: OutOfBag;
}

const FORMAT = 1;

export class FittedForest implements BinaryModel, SelfExplaining {
  readonly kind = 'forest';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly outOfBag: OutOfBag;
  readonly importance: Float64Array;
  readonly #cuts: readonly Float64Array[];
  readonly #trees: Trees;

  constructor(state: ForestState) {
    this.names = state.names;
    this.outOfBag = state.outOfBag;
    this.importance = state.importance;
    this.#cuts = state.cuts;
    this.#trees = state.trees;
  }

  get treeCount(): number {
    return this.#trees.start.length - 1;
  }

  predictProba(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'accepts');
    const codes = encode(X, this.#cuts, 'row');
    const sum = new Float64Array(X.rows);
    const { start, value } = this.#trees;
    // Tree by tree, so that one tree's nodes stay in the cache for all rows.
    for (let t = 0; t < this.treeCount; t++) {
      for (let i = 0; i < X.rows; i++) {
        sum[i]! += value[leafOf(this.#trees, start[t]!, codes, i * X.columns)]!;
      }
    }
    for (let i = 0; i < X.rows; i++) sum[i]! /= this.treeCount;
    return sum;
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  /** Exact path-dependent Shapley values of one prediction, as probabilities. */
  contributions(row: Float64Array): Attribution {
    checkPredict(
      { rows: 1, columns: row.length, data: row, names: this.names },
      this.names,
      'accepts',
    );
    const codes = Uint8Array.from(row, (value, j) => codeOf(value, this.#cuts[j]!));
    return { scale: 'probability', ...treeShap(this.#trees, codes) };
  }

  toJSON(): ModelJson {
    const { start, feature, split, right, value, cover } = this.#trees;
    return {
      kind: this.kind,
      format: FORMAT,
      names: this.names,
      cuts: this.#cuts.map((cuts) => pack(cuts)),
      trees: {
        start: pack(start),
        feature: pack(feature),
        split: pack(split),
        right: pack(right),
        value: pack(value),
        cover: pack(cover),
      },
      importance: pack(this.importance),
      outOfBag: this.outOfBag,
    };
  }

  static fromJSON(json: ModelJson): FittedForest {
    checkJson(json, 'forest', FORMAT);
    const names = namesOf(json);
    const stored = json['trees'] as Record<keyof Trees, string>;
    const start = unpack(stored.start, 'i32');
    const nodes = start.at(-1) ?? 0;
    const trees: Trees = {
      start,
      feature: unpack(stored.feature, 'i32', nodes),
      split: unpack(stored.split, 'u8', nodes),
      right: unpack(stored.right, 'i32', nodes),
      value: unpack(stored.value, 'f64', nodes),
      cover: unpack(stored.cover, 'i32', nodes),
    };
    checkTrees(trees, names.length);
    const judged = json['outOfBag'] as OutOfBag;
    return new FittedForest({
      names,
      cuts: readCuts(json['cuts'], names.length),
      trees,
      importance: unpack(json['importance'], 'f64', names.length),
      outOfBag: {
        rows: numberOf(json, 'rows', judged),
        rocAuc: judged.rocAuc === null ? null : numberOf(json, 'rocAuc', judged),
        logLoss: judged.logLoss === null ? null : numberOf(json, 'logLoss', judged),
      },
    });
  }
}

/** The leaf that a row of codes, which begin at `at`, ends in. */
function leafOf(trees: Trees, first: number, codes: Uint8Array, at: number): number {
  const { feature, split, right } = trees;
  let node = first;
  for (let column = feature[node]!; column >= 0; column = feature[node]!) {
    node = codes[at + column]! <= split[node]! ? node + 1 : first + right[node]!;
  }
  return node;
}

function outOfBag(
  trees: Trees,
  codes: Uint8Array,
  X: Matrix,
  target: Uint8Array,
  drawn: Uint8Array,
): OutOfBag {
  const sum = new Float64Array(X.rows);
  const count = new Int32Array(X.rows);
  for (let t = 0; t < trees.start.length - 1; t++) {
    for (let i = 0; i < X.rows; i++) {
      if (drawn[t * X.rows + i] === 1) continue;
      sum[i]! += trees.value[leafOf(trees, trees.start[t]!, codes, i * X.columns)]!;
      count[i]! += 1;
    }
  }
  const judged = Int32Array.from(count.keys()).filter((i) => count[i]! > 0);
  const y = Float64Array.from(judged, (i) => target[i]!);
  const p = Float64Array.from(judged, (i) => sum[i]! / count[i]!);
  return { rows: judged.length, ...figures({ rocAuc: rocAuc(y, p), logLoss: logLoss(y, p) }) };
}

function readCuts(stored: unknown, columns: number): Float64Array[] {
  if (!Array.isArray(stored) || stored.length !== columns) {
    throw invalidJson('forest', `it has no cuts for ${columns} columns`);
  }
  return stored.map((cuts: unknown) => unpack(cuts, 'f64'));
}

/** A walk through the trees must end: every right child lies ahead and inside its tree. */
function checkTrees(trees: Trees, columns: number): void {
  const { start, feature, right } = trees;
  if (start.length < 2 || start[0] !== 0) throw invalidJson('forest', 'it has no trees');
  for (let t = 0; t < start.length - 1; t++) {
    const size = start[t + 1]! - start[t]!;
    for (let node = 0; node < size; node++) {
      const at = start[t]! + node;
      if (feature[at]! < 0) continue;
      if (feature[at]! < columns && right[at]! > node + 1 && right[at]! < size) continue;
      throw invalidJson('forest', `node ${node} of tree ${t} points nowhere`);
    }
    if (size < 1 || feature[start[t + 1]! - 1]! >= 0) {
      throw invalidJson('forest', `tree ${t} does not end in a leaf`);
    }
  }
}

function shares(gain: Float64Array): Float64Array {
  const total = gain.reduce((sum, value) => sum + value, 0);
  return gain.map((value) => (total > 0 ? value / total : 0));
}
