import { checkBinaryTarget, checkJson, checkMatrix, checkParam } from '../check.ts';
import type { Estimator, FitContext, ModelJson } from '../estimator.ts';
import { advance } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { Random } from '../random.ts';
import { encode, findBins } from './bins.ts';
import { checkRegressionTarget, checkSampleWeight } from './checks.ts';
import { DepthFirstGrower, DRAWN_MAX } from './depth-first.ts';
import { sharesOf, TreeEnsemble } from './ensemble.ts';
import { FittedBinaryTrees, FittedRegressionTrees } from './fitted.ts';
import { LeafWiseGrower } from './leaf-wise.ts';
import type { ColumnParams } from './params.ts';
import { directions } from './params.ts';
import { TreesBuilder } from './trees.ts';

export interface TreeParams extends ColumnParams {
  readonly maxDepth: number;
  /** Rows in a leaf, at least. */
  readonly minLeaf: number;
  /** With it, the leaf that gains most is always cut first, until there are so many. */
  readonly maxLeaves?: number;
}

const DEFAULTS: TreeParams = { maxDepth: 6, minLeaf: 5 };

type Options = Partial<TreeParams> & { seed?: number };
type Params = Readonly<TreeParams & Record<string, unknown>>;

/**
 * One decision tree that says a probability (CART, Breiman 1984): cuts by the Gini impurity, leaves say the share of
 * ones. The seed only decides between cuts that are equally good.
 */
export class DecisionTree implements Estimator<FittedDecisionTree> {
  readonly kind = 'tree';
  readonly seed: number;
  readonly params: Params;
  readonly traits = { supervised: true, missing: 'accepts', rowOrder: 'exact' } as const;

  constructor({ seed = 1, ...params }: Options = {}) {
    this.seed = seed;
    this.params = { ...DEFAULTS, ...params };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedDecisionTree {
    checkMatrix(X, 'accepts');
    checkBinaryTarget(X, y);
    const target = Float64Array.from(y!);
    return new FittedDecisionTree(growTree(X, target, true, this.params, this.seed, ctx));
  }
}

/** One decision tree that says a number: cuts by the squared error, leaves say the mean. */
export class TreeRegression implements Estimator<FittedTreeRegression> {
  readonly kind = 'tree-regression';
  readonly seed: number;
  readonly params: Params;
  readonly traits = { supervised: true, missing: 'accepts', rowOrder: 'exact' } as const;

  constructor({ seed = 1, ...params }: Options = {}) {
    this.seed = seed;
    this.params = { ...DEFAULTS, ...params };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedTreeRegression {
    checkMatrix(X, 'accepts');
    const target = checkRegressionTarget(X, y);
    return new FittedTreeRegression(growTree(X, target, false, this.params, this.seed, ctx));
  }
}

function growTree(
  X: Matrix,
  target: Float64Array,
  binary: boolean,
  params: TreeParams,
  seed: number,
  ctx: FitContext,
): TreeEnsemble {
  const { maxDepth, minLeaf, maxLeaves } = params;
  checkParam('maxDepth', maxDepth, 1, 64);
  checkParam('minLeaf', minLeaf, 1, 1_000_000);
  if (maxLeaves !== undefined) checkParam('maxLeaves', maxLeaves, 2, 65_536);
  checkSampleWeight(X, ctx.sampleWeight);
  const monotone = directions(X, params);
  advance(ctx, 0, 'sorting values into groups');
  const bins = findBins(X, params.categorical);
  const codes = encode(X, bins, 'column');
  const { rows, columns } = X;
  const data = { codes, rows, columns, categorical: bins.categorical };
  const rules = {
    maxDepth,
    minLeaf,
    minWeight: 0,
    lambda: 0,
    categorySmooth: 0,
    categoryLambda: 0,
    monotone,
  };
  const builder = new TreesBuilder();
  const weight = ctx.sampleWeight ?? new Float64Array(rows).fill(1);
  let gain: Float64Array;
  if (maxLeaves === undefined) {
    const together = binary && !ctx.sampleWeight && rows <= DRAWN_MAX;
    const sample = { weight, target };
    const grower = new DepthFirstGrower(
      data,
      sample,
      { ...rules, columnsTried: columns },
      together,
    );
    grower.grow(new Random(seed), builder);
    gain = grower.gain;
  } else {
    const counts = Int32Array.from({ length: rows }, (_, i) => i).filter((i) => weight[i]! > 0);
    const grower = new LeafWiseGrower(data, counts, { ...rules, maxLeaves });
    const g = target.map((value, i) => -weight[i]! * value);
    grower.grow(g, weight, 1, builder, new Float64Array(rows));
    gain = grower.gain;
  }
  advance(ctx, 1, 'one tree');
  return new TreeEnsemble({
    names: [...X.names],
    bins,
    trees: builder.trees(),
    importance: sharesOf(gain),
    base: 0,
    factor: 1,
  });
}

const FORMAT = 1;

export class FittedDecisionTree extends FittedBinaryTrees {
  readonly kind = 'tree';

  constructor(ensemble: TreeEnsemble) {
    super(ensemble, 'probability');
  }

  toJSON(): ModelJson {
    return { kind: this.kind, format: FORMAT, ...this.parts() };
  }

  static fromJSON(json: ModelJson): FittedDecisionTree {
    checkJson(json, 'tree', FORMAT);
    return new FittedDecisionTree(TreeEnsemble.fromParts(json));
  }
}

export class FittedTreeRegression extends FittedRegressionTrees {
  readonly kind = 'tree-regression';

  toJSON(): ModelJson {
    return { kind: this.kind, format: FORMAT, ...this.parts() };
  }

  static fromJSON(json: ModelJson): FittedTreeRegression {
    checkJson(json, 'tree-regression', FORMAT);
    return new FittedTreeRegression(TreeEnsemble.fromParts(json));
  }
}
