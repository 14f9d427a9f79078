import type { BinaryModel } from './estimator.ts';
import type { DriftLevel, OutcomeDrift } from './evaluate/drift.ts';
import { driftLevel, outcomeDrift, psi } from './evaluate/drift.ts';
import { columnOf } from './matrix.ts';
import { calibrationTable, expectedCalibrationError, rocAuc } from './metrics.ts';
import type { Dataset } from './train-order.ts';

export interface DriftReport {
  /** The worst of all that was looked at. */
  readonly level: DriftLevel;
  /** PSI of each feature, the largest first. */
  readonly features: readonly { readonly feature: string; readonly psi: number }[];
  /** PSI of the scores. */
  readonly score: number;
  readonly outcome: OutcomeDrift;
  /** On people whose outcome is known by now; `null` where only one outcome came. */
  readonly ece: number;
  readonly rocAuc: number | null;
  /** What moved, in sentences. */
  readonly says: readonly string[];
}

const Z_MAX = 3;
/** Points of probability by which the last outcomes may differ, whatever the count of people makes certain. */
const POINTS_MIN = 0.01;

/** `then`: what the model learnt from; `now`: people of today; `judged`: people whose outcome has become known. */
export function driftReport(
  model: BinaryModel,
  then: Dataset,
  now: Dataset,
  judged: Dataset,
): DriftReport {
  const features = model.names
    .map((feature, j) => ({ feature, psi: psi(columnOf(then.X, j), columnOf(now.X, j)) }))
    .sort((a, b) => b.psi - a.psi);
  const score = psi(model.predictProba(then.X), model.predictProba(now.X));
  const p = model.predictProba(judged.X);
  const outcome = outcomeDrift(judged.y, p);
  const moved = features.filter((one) => driftLevel(one.psi) === 'much');
  const says = moved.map((one) => `${one.feature} has moved much (PSI ${one.psi.toFixed(2)}).`);
  if (driftLevel(score) !== 'none') says.push(`The scores have moved (PSI ${score.toFixed(2)}).`);
  const off =
    Math.abs(outcome.z) > Z_MAX && Math.abs(outcome.observed - outcome.predicted) > POINTS_MIN;
  if (off) {
    const share = (value: number): string => `${(100 * value).toFixed(1)} %`;
    says.push(`It said ${share(outcome.predicted)}, and ${share(outcome.observed)} came true.`);
  }
  const worst = Math.max(score, features[0]?.psi ?? 0);
  const auc = rocAuc(judged.y, p);
  return {
    level: off ? 'much' : driftLevel(worst),
    features,
    score,
    outcome,
    ece: expectedCalibrationError(calibrationTable(judged.y, p)),
    rocAuc: Number.isNaN(auc) ? null : auc,
    says,
  };
}
