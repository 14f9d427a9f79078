import type { Matrix } from './matrix.ts';

/** Mean and standard deviation (of the population) of each column; a constant column has scale 1. */
export interface Scale {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

export function scaleOf(X: Matrix): Scale {
  const mean = new Float64Array(X.columns);
  const scale = new Float64Array(X.columns);
  for (let i = 0, at = 0; i < X.rows; i++) {
    for (let j = 0; j < X.columns; j++, at++) mean[j]! += X.data[at]! / X.rows;
  }
  for (let i = 0, at = 0; i < X.rows; i++) {
    for (let j = 0; j < X.columns; j++, at++) {
      const difference = X.data[at]! - mean[j]!;
      scale[j]! += (difference * difference) / X.rows;
    }
  }
  for (let j = 0; j < X.columns; j++) {
    const deviation = Math.sqrt(scale[j]!);
    // Below this it is the rounding of a constant.
    scale[j] = deviation > 1e-12 * Math.max(1, Math.abs(mean[j]!)) ? deviation : 1;
  }
  return { mean, scale };
}

export function standardise(X: Matrix, { mean, scale }: Scale): Matrix {
  const data = new Float64Array(X.data.length);
  for (let i = 0, at = 0; i < X.rows; i++) {
    for (let j = 0; j < X.columns; j++, at++) data[at] = (X.data[at]! - mean[j]!) / scale[j]!;
  }
  return { ...X, data };
}
