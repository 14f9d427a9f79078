import { RandomForestClassifier } from 'ml-random-forest';
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
import type { BinaryModel, Estimator, FitContext, ModelJson } from '../estimator.ts';
import { advance, classesOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { plainDesign } from '../design.ts';
import { newton } from '../logistic/newton.ts';
import { matrixOf, rowOf, takeRows, takeTarget } from '../matrix.ts';
import { sampleRows, splitByFraction } from '../splits.ts';

export interface MlForestParams {
  readonly trees: number;
  /** Share of the columns that each tree sees; the package chooses columns by tree, not by node. */
  readonly columnShare: number;
  readonly maxDepth: number;
  /** More rows are sampled down to this: its time grows with the square of the rows. */
  readonly rowsMax: number;
}

const DEFAULTS: MlForestParams = { trees: 25, columnShare: 0.7, maxDepth: 10, rowsMax: 1500 };

/**
 * The forest of the npm package `ml-random-forest`, behind our interface: a second opinion on small data and the peer
 * that `bench/models.ts` measures ours against. Its trees vote 0 or 1, and the share of votes is far from a
 * probability (log loss above the constant's), so a fifth of the rows is kept back to learn what a share means (Platt).
 */
export class MlForest implements Estimator<FittedMlForest> {
  readonly kind = 'ml-forest';
  readonly seed: number;
  readonly params: Readonly<MlForestParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'rejects', rowOrder: 'statistical' } as const;

  constructor(options: Partial<MlForestParams> & { seed?: number } = {}) {
    const { seed = 1, ...params } = options;
    this.seed = seed;
    this.params = { ...DEFAULTS, ...params };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedMlForest {
    checkMatrix(X, 'rejects');
    checkBinaryTarget(X, y);
    const { trees, columnShare, maxDepth, rowsMax } = this.params;
    checkParam('trees', trees, 1, 10_000);
    checkParam('columnShare', columnShare, 1e-9, 0.999_999);
    checkParam('maxDepth', maxDepth, 1, 64);
    checkParam('rowsMax', rowsMax, 2, 1_000_000);
    const rows = sampleRows(X.rows, rowsMax, this.seed);
    const used = takeRows(X, rows);
    const target = takeTarget(y!, rows);
    const split = splitByFraction(used.rows, KEPT_BACK, this.seed);
    const values = Array.from(split.train, (i) => Array.from(rowOf(used, i)));
    const labels = Array.from(split.train, (i) => target[i]!);
    const forests: unknown[] = [];
    // One tree at a time, since the package can neither tell its progress nor be stopped.
    for (let t = 0; t < trees; t++) {
      advance(ctx, t / trees, `tree ${t + 1} of ${trees}`);
      const forest = new RandomForestClassifier({
        nEstimators: 1,
        maxFeatures: Math.max(columnShare, 1 / X.columns),
        replacement: false,
        useSampleBagging: true,
        noOOB: true,
        seed: (Math.imul(this.seed, 10_007) + t) | 0,
        treeOptions: { maxDepth },
      });
      forest.train(values, labels);
      // Through JSON at once, so that a stored model and a fresh one cannot differ.
      forests.push(JSON.parse(JSON.stringify(forest)));
    }
    const state = { names: [...X.names], forests, rowsUsed: used.rows, rowsGiven: X.rows };
    const votes = votesOf(load(forests), takeRows(used, split.later));
    const curve = plattCurve(votes, takeTarget(target, split.later));
    advance(ctx, 1, `${trees} trees`);
    return new FittedMlForest({ ...state, curve });
  }
}

/** Share of the rows that the trees do not see. */
const KEPT_BACK = 0.2;

/** Intercept and slope of the log-odds over the share of votes; the slope is not negative. */
function plattCurve(votes: Float64Array, y: Float64Array): Curve {
  // One row without votes that was a no and one with all that was a yes: else a few rows could claim certainty.
  const X = matrixOf([...Array.from(votes, (vote) => [vote]), [0], [1]], ['votes']);
  const target = Float64Array.from([...y, 0, 1]);
  const weight = new Float64Array(target.length).fill(1);
  const { intercept, weights } = newton(
    plainDesign(X),
    target,
    weight,
    { lambda: 0.01, iterations: 50 },
    {},
  );
  return { intercept, slope: Math.max(0, weights[0]!) };
}

interface Curve {
  readonly intercept: number;
  readonly slope: number;
}

interface MlForestState {
  readonly names: readonly string[];
  /** One forest of one tree each, as the package writes them. */
  readonly forests: readonly unknown[];
  readonly curve: Curve;
  readonly rowsUsed: number;
  readonly rowsGiven: number;
}

const FORMAT = 1;

export class FittedMlForest implements BinaryModel {
  readonly kind = 'ml-forest';
  readonly task = 'binary';
  readonly names: readonly string[];
  /** Rows that it was fitted on, and that it was given. */
  readonly rowsUsed: number;
  readonly rowsGiven: number;
  readonly #state: MlForestState;
  readonly #trees: readonly RandomForestClassifier[];

  constructor(state: MlForestState) {
    this.names = state.names;
    this.rowsUsed = state.rowsUsed;
    this.rowsGiven = state.rowsGiven;
    this.#state = state;
    this.#trees = load(state.forests);
  }

  predictProba(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'rejects');
    const { intercept, slope } = this.#state.curve;
    return votesOf(this.#trees, X).map((vote) => 1 / (1 + Math.exp(-intercept - slope * vote)));
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  toJSON(): ModelJson {
    return { kind: this.kind, format: FORMAT, ...this.#state };
  }

  static fromJSON(json: ModelJson): FittedMlForest {
    checkJson(json, 'ml-forest', FORMAT);
    const { forests, curve } = json as unknown as MlForestState;
    if (!Array.isArray(forests) || forests.length === 0) {
      throw invalidJson('ml-forest', 'it has no trees');
    }
    return new FittedMlForest({
      names: namesOf(json),
      forests,
      curve: {
        intercept: numberOf(json, 'intercept', curve),
        slope: numberOf(json, 'slope', curve),
      },
      rowsUsed: numberOf(json, 'rowsUsed'),
      rowsGiven: numberOf(json, 'rowsGiven'),
    });
  }
}

type Stored = Parameters<typeof RandomForestClassifier.load>[0];

function load(forests: readonly unknown[]): RandomForestClassifier[] {
  return forests.map((forest) => RandomForestClassifier.load(forest as Stored));
}

/** The share of trees that say yes. The package's own `predictProbability` takes the first tree's label for a share. */
function votesOf(trees: readonly RandomForestClassifier[], X: Matrix): Float64Array {
  const votes = new Float64Array(X.rows);
  if (X.rows === 0) return votes;
  const values = Array.from({ length: X.rows }, (_, i) => Array.from(rowOf(X, i)));
  for (const tree of trees) {
    const predicted = tree.predict(values);
    for (let i = 0; i < X.rows; i++) if (predicted[i] === 1) votes[i]! += 1 / trees.length;
  }
  return votes;
}
