import type { Matrix } from './matrix.ts';

/** Mean and standard deviation (of the population) of each column; a constant column has scale 1. */
export interface Scale {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

export function scaleOf(X: Matrix): Scale {
  const mean = new Float64Array(X.columns);
  const scale = new Float64Array(X.columns);
  for (let at = 0; at < X.data.length; at++) mean[at % X.columns]! += X.data[at]! / X.rows;
  for (let at = 0; at < X.data.length; at++) {
    scale[at % X.columns]! += (X.data[at]! - mean[at % X.columns]!) ** 2 / X.rows;
  }
  for (let j = 0; j < X.columns; j++) {
    const deviation = Math.sqrt(scale[j]!);
    // Below this it is the rounding of a constant.
    scale[j] = deviation > 1e-12 * Math.max(1, Math.abs(mean[j]!)) ? deviation : 1;
  }
  return { mean, scale };
}

export function standardise(X: Matrix, { mean, scale }: Scale): Matrix {
  const data = X.data.map((value, at) => {
    const j = at % X.columns;
    return (value - mean[j]!) / scale[j]!;
  });
  return { ...X, data };
}
