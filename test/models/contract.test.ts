import { expect, it } from 'vitest';
import { Constant, RecencyRule } from '../../models/baseline.ts';
import { Boosting, BoostingRegression } from '../../models/boosting/boosting.ts';
import { Hierarchical } from '../../models/cluster/hierarchical.ts';
import { KMeans } from '../../models/cluster/kmeans.ts';
import { RfmClusters } from '../../models/cluster/rfm.ts';
import type { BinaryModel, ClusterModel, Model, RegressionModel } from '../../models/estimator.ts';
import { Forest } from '../../models/forest/forest.ts';
import { MlForest } from '../../models/forest/ml-forest.ts';
import { ForestRegression } from '../../models/forest/regression.ts';
import { Logistic } from '../../models/logistic/logistic.ts';
import type { Matrix, Target } from '../../models/matrix.ts';
import { matrixOf } from '../../models/matrix.ts';
import { logLoss, rocAuc } from '../../models/metrics.ts';
import { Pipeline } from '../../models/preprocess/pipeline.ts';
import { Random } from '../../models/random.ts';
import { MODEL_KINDS } from '../../models/registry.ts';
import { DecisionTree, TreeRegression } from '../../models/tree/decision-tree.ts';
import { LINEAR_CASES } from './linear-cases.ts';
import type { ContractCase } from './estimator-contract.ts';
import { describeEstimator } from './estimator-contract.ts';
import { LIFETIME_CASES } from './lifetime-cases.ts';

/** People who order by a law: more with orders, less with the days since the last one. */
function orders(seed: number, rows = 400): { X: Matrix; y: Float64Array } {
  const random = new Random(seed);
  const values: number[][] = [];
  const y: number[] = [];
  for (let i = 0; i < rows; i++) {
    const recency = Math.floor(-Math.log(1 - random.next()) * 90);
    const count = 1 + random.int(12);
    const noise = random.normal();
    const logit = 1.5 - recency / 60 + (count - 6) / 3;
    values.push([recency, count, noise, random.int(2)]);
    y.push(random.next() < 1 / (1 + Math.exp(-logit)) ? 1 : 0);
  }
  const X = matrixOf(values, ['recencyDays', 'ordersAll', 'noise', 'flag']);
  return { X, y: Float64Array.from(y) };
}

/** What people spend: more with orders, less with the days since the last one. */
function spending(seed: number, rows = 400): { X: Matrix; y: Float64Array } {
  const { X } = orders(seed, rows);
  const random = new Random(seed, 1);
  const y = Float64Array.from({ length: rows }, (_, i) => {
    const [recency, count] = X.data.subarray(4 * i, 4 * i + 2) as unknown as [number, number];
    return 5 * count - recency / 10 + 3 * random.normal();
  });
  return { X, y };
}

/** Customers in four groups that lie apart. */
function customers(seed: number, rows = 300): { X: Matrix } {
  const random = new Random(seed);
  const groups = [
    [5, 20, 2000],
    [10, 1, 30],
    [200, 1, 40],
    [150, 10, 1500],
  ] as const;
  const values = Array.from({ length: rows }, (_, i) =>
    groups[i % 4]!.map((value) => value * Math.exp(random.normal() / 5)),
  );
  return { X: matrixOf(values, ['recencyDays', 'orders', 'revenue']) };
}

const auc = (model: Model, X: Matrix, y?: Target) =>
  rocAuc(y!, (model as BinaryModel).predictProba(X));

const minusError = (model: Model, X: Matrix, y?: Target) =>
  -(model as RegressionModel)
    .predict(X)
    .reduce((sum, value, i) => sum + (value - y![i]!) ** 2 / X.rows, 0);

/** Minus the mean squared distance to the own centre. */
const tightness = (model: Model, X: Matrix) => {
  const distances = (model as ClusterModel).transform(X);
  const k = distances.columns;
  const own = (model as ClusterModel).predict(X);
  return -own.reduce((sum, c, i) => sum + distances.data[i * k + c]! ** 2 / X.rows, 0);
};

const CASES: Record<string, ContractCase> = {
  ...LIFETIME_CASES,
  ...LINEAR_CASES,
  Constant: {
    make: () => new Constant(),
    data: orders,
    quality: (model, X, y) => -logLoss(y!, (model as BinaryModel).predictProba(X)),
    qualityTolerance: 1e-9,
    qualityMin: -0.7,
  },
  RecencyRule: {
    make: () => new RecencyRule(),
    data: orders,
    quality: auc,
    qualityTolerance: 1e-9,
    qualityMin: 0.65,
  },
  Logistic: {
    make: () => new Logistic({ classWeight: 'balanced' }),
    data: orders,
    quality: auc,
    qualityTolerance: 1e-6,
    qualityMin: 0.8,
  },
  Forest: {
    make: (seed) => new Forest({ trees: 40, ...(seed === undefined ? {} : { seed }) }),
    data: orders,
    quality: auc,
    qualityTolerance: 0.03,
    qualityMin: 0.78,
  },
  Pipeline: {
    make: () =>
      new Pipeline({ steps: ['impute', 'log', 'scale'], estimator: new Logistic({ lambda: 2 }) }),
    data: orders,
    quality: auc,
    qualityTolerance: 1e-6,
    qualityMin: 0.8,
  },
  ForestRegression: {
    make: (seed) => new ForestRegression({ trees: 40, ...(seed === undefined ? {} : { seed }) }),
    data: spending,
    quality: minusError,
    qualityTolerance: 8,
    qualityMin: -50,
  },
  Boosting: {
    make: (seed) =>
      new Boosting({ trees: 30, columnShare: 0.75, ...(seed === undefined ? {} : { seed }) }),
    data: orders,
    quality: auc,
    qualityTolerance: 1e-6,
    qualityMin: 0.78,
  },
  BoostingRegression: {
    make: () => new BoostingRegression({ trees: 40 }),
    data: spending,
    quality: minusError,
    qualityTolerance: 1e-6,
    qualityMin: -22,
  },
  DecisionTree: {
    make: () => new DecisionTree({ maxDepth: 4, minLeaf: 20 }),
    data: orders,
    quality: auc,
    qualityTolerance: 1e-6,
    qualityMin: 0.75,
  },
  TreeRegression: {
    make: () => new TreeRegression({ maxLeaves: 16, minLeaf: 10 }),
    data: spending,
    quality: minusError,
    qualityTolerance: 1e-6,
    qualityMin: -50,
  },
  MlForest: {
    make: (seed) =>
      new MlForest({ trees: 8, rowsMax: 250, ...(seed === undefined ? {} : { seed }) }),
    data: orders,
    quality: auc,
    qualityTolerance: 0.12,
    qualityMin: 0.65,
  },
  KMeans: {
    make: (seed) =>
      new KMeans({ k: 4, log1p: ['orders'], ...(seed === undefined ? {} : { seed }) }),
    data: customers,
    quality: tightness,
    qualityTolerance: 0.01,
    qualityMin: -0.6,
  },
  Hierarchical: {
    make: () => new Hierarchical({ k: 4 }),
    data: customers,
    quality: tightness,
    qualityTolerance: 0.01,
    qualityMin: -0.6,
  },
  RfmClusters: {
    make: (seed) => new RfmClusters({ k: 4, ...(seed === undefined ? {} : { seed }) }),
    data: customers,
    quality: tightness,
    qualityTolerance: 0.01,
    qualityMin: -0.3,
  },
};

for (const [name, contract] of Object.entries(CASES)) describeEstimator(name, contract);

it('every kind in the registry is held to the contract', () => {
  expect(
    Object.values(CASES)
      .map(({ make }) => make().kind)
      .toSorted(),
  ).toEqual(MODEL_KINDS.toSorted());
});
