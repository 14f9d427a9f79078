import type { BinaryModel, Estimator } from '../../models/estimator.ts';
import { binaryMetrics } from '../../models/metrics.ts';
import type { BenchResult } from '../support/result.ts';
import type { Judged, Slice } from './trees-references.ts';

/** What one family of models hands to `bench/models.ts`. */
export type FamilyResult = Required<BenchResult>;

export interface FamilyOptions {
  readonly rounds: number;
  readonly log: (line: string) => void;
}

/** Runs a family beside its references, in one run. */
export type Family = (options: FamilyOptions) => Promise<FamilyResult>;

/** Fits on one slice and judges on the other. */
export function judge(estimator: Estimator<BinaryModel>, train: Slice, test: Slice): Judged {
  const started = performance.now();
  const model = estimator.fit(train.X, train.y);
  const fitted = performance.now();
  const p = model.predictProba(test.X);
  const predicted = performance.now();
  const { rocAuc, logLoss } = binaryMetrics(test.y, p);
  return { fitMs: fitted - started, predictMs: predicted - fitted, rocAuc, logLoss };
}
