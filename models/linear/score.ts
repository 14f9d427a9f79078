import { checkPredict, namesOf, numberOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type { ModelJson } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';

/** A weighted sum of standardised columns: what every linear model says before its own curve. */
export interface LinearState {
  readonly names: readonly string[];
  readonly mean: Float64Array;
  readonly scale: Float64Array;
  /** Per standard deviation of each column. */
  readonly weights: Float64Array;
  /** What is said of the average row. */
  readonly intercept: number;
}

/** intercept + Σ weight · (value − mean) / scale for each row; refuses other columns, NaN and infinities. */
export function linearScores(state: LinearState, X: Matrix): Float64Array {
  checkPredict(X, state.names, 'rejects');
  const { mean, scale, weights, intercept } = state;
  const factor = weights.map((weight, j) => weight / scale[j]!);
  const scores = new Float64Array(X.rows);
  for (let i = 0, at = 0; i < X.rows; i++) {
    let sum = intercept;
    for (let j = 0; j < X.columns; j++, at++) sum += (X.data[at]! - mean[j]!) * factor[j]!;
    scores[i] = sum;
  }
  return scores;
}

/** By how much each column moves the sum away from what is said of the average row. */
export function linearParts(state: LinearState, row: Float64Array): Float64Array {
  const { names, mean, scale, weights } = state;
  checkPredict({ rows: 1, columns: row.length, data: row, names }, names, 'rejects');
  return row.map((value, j) => (weights[j]! * (value - mean[j]!)) / scale[j]!);
}

export function linearToJson(state: LinearState): Record<string, unknown> {
  return {
    names: state.names,
    mean: pack(state.mean),
    scale: pack(state.scale),
    weights: pack(state.weights),
    intercept: state.intercept,
  };
}

export function linearFromJson(json: ModelJson): LinearState {
  const names = namesOf(json);
  return {
    names,
    mean: unpack(json['mean'], 'f64', names.length),
    scale: unpack(json['scale'], 'f64', names.length),
    weights: unpack(json['weights'], 'f64', names.length),
    intercept: numberOf(json, 'intercept'),
  };
}
