import type { BinaryModel, Model, RegressionModel } from '../../models/estimator.ts';
import { BgNbd } from '../../models/lifetime/bg-nbd.ts';
import { Churn } from '../../models/lifetime/churn.ts';
import { betaDraw, gammaDraw } from '../../models/lifetime/draws.ts';
import { GammaGamma } from '../../models/lifetime/gamma-gamma.ts';
import type { Matrix, Target } from '../../models/matrix.ts';
import { matrixOf } from '../../models/matrix.ts';
import { rocAuc } from '../../models/metrics.ts';
import { Random } from '../../models/random.ts';
import type { ContractCase } from './estimator-contract.ts';

export interface Shoppers {
  readonly X: Matrix;
  /** Whether each is still a customer, which no shop knows. */
  readonly y: Uint8Array;
  /** Purchases in each `horizon` after the moment. */
  readonly later: Float64Array;
  readonly ownMean: Float64Array;
}

/** People who buy and leave exactly as BG/NBD and Gamma-Gamma say, watched for at most `span` units of time. */
export function shoppers(seed: number, rows = 500, span = 5, horizon = 5): Shoppers {
  const random = new Random(seed);
  const values: number[][] = [];
  const y = new Uint8Array(rows);
  const later = new Float64Array(rows);
  const ownMean = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const T = (span * (1 + random.next())) / 2;
    const rate = gammaDraw(0.8, random) / 0.6;
    const leaves = betaDraw(0.8, 2.4, random);
    const scale = gammaDraw(4, random) / 15;
    ownMean[i] = 6 / scale;
    let [at, frequency, recency, worth] = [0, 0, 0, 0];
    let alive = true;
    for (;;) {
      at -= Math.log(1 - random.next()) / rate;
      if (at > T + horizon) break;
      if (at <= T) {
        frequency++;
        recency = at;
        worth += gammaDraw(6, random) / scale;
      } else later[i]! += 1;
      if (random.next() < leaves) {
        alive = at > T;
        break;
      }
    }
    y[i] = alive ? 1 : 0;
    values.push([frequency, recency, T, frequency > 0 ? worth / frequency : 0]);
  }
  return { X: matrixOf(values, ['frequency', 'recency', 'T', 'value']), y, later, ownMean };
}

const only = (X: Matrix, columns: number) =>
  matrixOf(
    Array.from({ length: X.rows }, (_, i) =>
      X.data.subarray(i * X.columns, i * X.columns + columns),
    ),
    X.names.slice(0, columns),
  );

/** Rows of people and periods: who pauses longer leaves sooner, and fewer leave as time goes by. */
function periods(seed: number, rows = 500): { X: Matrix; y: Uint8Array } {
  const random = new Random(seed);
  const y = new Uint8Array(rows);
  const values = Array.from({ length: rows }, (_, i) => {
    const recency = -Math.log(1 - random.next()) * 2;
    const period = 1 + random.int(12);
    const logit = -1 + recency - 0.8 * Math.log1p(period);
    y[i] = random.next() < 1 / (1 + Math.exp(-logit)) ? 1 : 0;
    return [recency, random.normal(), period];
  });
  return { X: matrixOf(values, ['recency', 'noise', 'period']), y };
}

const auc = (model: Model, X: Matrix, y?: Target) =>
  rocAuc(y!, (model as BinaryModel).predictProba(X));

export const LIFETIME_CASES: Record<string, ContractCase> = {
  BgNbd: {
    make: () => new BgNbd(),
    data: (seed) => {
      const { X, y } = shoppers(seed);
      return { X: only(X, 3), y };
    },
    quality: auc,
    qualityTolerance: 1e-9,
    qualityMin: 0.7,
  },
  GammaGamma: {
    make: () => new GammaGamma(),
    data: (seed) => {
      const { X, ownMean } = shoppers(seed);
      return { X, y: ownMean };
    },
    // Against everybody's own mean: how much better than saying one mean for all.
    quality: (model, X, y) => {
      const said = (model as RegressionModel).predict(X);
      const mean = Array.from(y!).reduce((sum, value) => sum + value, 0) / X.rows;
      const error = (guess: (i: number) => number) =>
        Array.from(y!).reduce((sum, value, i) => sum + (value - guess(i)) ** 2, 0);
      return 1 - error((i) => said[i]!) / error(() => mean);
    },
    qualityTolerance: 1e-9,
    qualityMin: 0.2,
  },
  Churn: {
    make: () => new Churn({ ageing: ['recency'] }),
    data: periods,
    quality: auc,
    qualityTolerance: 1e-6,
    qualityMin: 0.75,
  },
};
