import { invalidJson } from '../check.ts';
import type { Platt } from '../calibration/platt.ts';
import type { ModelJson } from '../estimator.ts';
import { Random } from '../random.ts';

export type ClassWeight = 'none' | 'balanced' | readonly [zero: number, one: number];

/** How much a row of each class counts. */
export function classWeights(
  classWeight: ClassWeight,
  rows: number,
  ones: number,
): readonly [number, number] {
  if (classWeight === 'none') return [1, 1];
  return classWeight === 'balanced' ? [rows / (2 * (rows - ones)), rows / (2 * ones)] : classWeight;
}

/** The fold of each row, both classes spread evenly over the folds; fewer folds where a class has fewer rows. */
export function stratifiedFolds(y: ArrayLike<number>, folds: number, seed: number): Int32Array {
  const random = new Random(seed, 7);
  const fold = new Int32Array(y.length);
  const dealt = [0, 0];
  for (const i of random.sample(y.length, y.length)) fold[i] = dealt[y[i]!]!++ % folds;
  return fold;
}

export function plattFromJson(json: ModelJson): Platt {
  const platt = json['platt'] as Platt | undefined;
  if (platt && Number.isFinite(platt.slope) && Number.isFinite(platt.intercept)) return platt;
  throw invalidJson(json.kind, 'its curve from margins to probabilities is absent');
}
