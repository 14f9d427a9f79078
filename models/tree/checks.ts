import { invalid } from '../check.ts';
import type { Matrix, Target } from '../matrix.ts';

/** Refuses a target that does not fit the rows or is not finite. */
export function checkRegressionTarget(X: Matrix, y: Target | undefined): Float64Array {
  if (!y) throw invalid('There is no target; expected a number for each row.');
  if (y.length !== X.rows) {
    throw invalid(`The target has ${y.length} values; expected ${X.rows}, one for each row.`, {
      row: Math.min(y.length, X.rows),
    });
  }
  for (let i = 0; i < y.length; i++) {
    if (Number.isFinite(y[i])) continue;
    throw invalid(`The target is ${y[i]} in row ${i}; expected a finite number.`, { row: i });
  }
  return Float64Array.from(y);
}

/** Refuses weights that do not fit the rows, are negative or not finite, or are all 0. */
export function checkSampleWeight(X: Matrix, weight: Float64Array | undefined): void {
  if (!weight) return;
  if (weight.length !== X.rows) {
    throw invalid(`There are ${weight.length} weights; expected ${X.rows}, one for each row.`);
  }
  let some = false;
  for (let i = 0; i < weight.length; i++) {
    if (!(weight[i]! >= 0 && weight[i]! < Infinity)) {
      throw invalid(`The weight is ${weight[i]} in row ${i}; expected a number of at least 0.`, {
        row: i,
      });
    }
    if (weight[i]! > 0) some = true;
  }
  if (!some) throw invalid('All weights are 0; expected some rows that count.');
}
