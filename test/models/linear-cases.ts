import { GaussianBayes } from '../../models/bayes/gaussian.ts';
import { MultinomialBayes } from '../../models/bayes/multinomial.ts';
import type { BinaryModel, Model, RegressionModel } from '../../models/estimator.ts';
import { LinearRegression } from '../../models/linear/regression.ts';
import type { Matrix, Target } from '../../models/matrix.ts';
import { matrixOf } from '../../models/matrix.ts';
import { rocAuc } from '../../models/metrics.ts';
import { Net } from '../../models/net/net.ts';
import { Random } from '../../models/random.ts';
import { SvmLinear } from '../../models/svm/linear.ts';
import { SvmRbf } from '../../models/svm/rbf.ts';
import type { ContractCase } from './estimator-contract.ts';

/** Counts and a flag that speak for yes or no, and noise. */
function counts(seed: number, rows = 300): { X: Matrix; y: Float64Array } {
  const random = new Random(seed);
  const y = Float64Array.from({ length: rows }, () => random.int(2));
  const values = Array.from(y, (yes) => [
    random.int(yes ? 9 : 4),
    random.int(yes ? 3 : 8),
    random.next() < (yes ? 0.4 : 0.1) ? 1 : 0,
    random.int(5),
  ]);
  return { X: matrixOf(values, ['clicks', 'daysAway', 'isMember', 'noise']), y };
}

function amounts(seed: number): { X: Matrix; y: Float64Array } {
  const { X } = counts(seed);
  const random = new Random(seed, 1);
  const y = Float64Array.from({ length: X.rows }, (_, i) => {
    const [clicks, away] = [X.data[4 * i]!, X.data[4 * i + 1]!];
    return 4 + 3 * clicks - 2 * away + random.normal();
  });
  return { X, y };
}

const auc = (model: Model, X: Matrix, y?: Target): number =>
  rocAuc(y!, (model as BinaryModel).predictProba(X));

const minusError = (model: Model, X: Matrix, y?: Target): number => {
  const said = (model as RegressionModel).predict(X);
  return -said.reduce((sum, value, i) => sum + (value - y![i]!) ** 2 / X.rows, 0);
};

const yesNo = { data: counts, quality: auc, qualityTolerance: 0.02, qualityMin: 0.85 };

/** The linear families, naive Bayes, the support vector machines and the network, for the contract's test. */
export const LINEAR_CASES: Readonly<Record<string, ContractCase>> = {
  LinearRegression: {
    make: () => new LinearRegression({ ridge: 0.1 }),
    data: amounts,
    quality: minusError,
    qualityTolerance: 1e-6,
    qualityMin: -1.5,
  },
  GaussianBayes: { ...yesNo, make: () => new GaussianBayes() },
  MultinomialBayes: { ...yesNo, make: () => new MultinomialBayes() },
  SvmLinear: { ...yesNo, make: (seed) => new SvmLinear(seed === undefined ? {} : { seed }) },
  SvmRbf: { ...yesNo, make: (seed) => new SvmRbf(seed === undefined ? {} : { seed }) },
  Net: {
    ...yesNo,
    make: (seed) =>
      new Net({
        layers: [
          { units: 12, activation: 'relu', dropout: 0.1 },
          { units: 4, activation: 'sigmoid', dropout: 0 },
        ],
        embeddings: { isMember: 2 },
        epochs: 40,
        rate: 0.01,
        heldOut: 0.1,
        patience: 10,
        ...(seed === undefined ? {} : { seed }),
      }),
  },
};
