import type { BinaryModel } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import { columnIndex, columnOf, takeRows } from '../matrix.ts';
import { sampleRows } from '../splits.ts';

export interface PartialPoint {
  readonly value: number;
  /** Mean prediction if everyone had this value. */
  readonly mean: number;
}

/**
 * What the model would say on average if everyone had a value of this column (Friedman 2001), at places of about as
 * many rows between. Where columns go together it also asks about people that there are not.
 */
export function partialDependence(
  model: BinaryModel,
  X: Matrix,
  column: string,
  {
    points = 20,
    rowsMax = 500,
    seed = 1,
  }: { points?: number; rowsMax?: number; seed?: number } = {},
): PartialPoint[] {
  const j = columnIndex(X.names, column);
  const sorted = columnOf(X, j)
    .filter((value) => !Number.isNaN(value))
    .sort();
  const places = new Set<number>();
  for (let k = 0; k < points; k++) {
    const value = sorted[Math.round((k / (points - 1)) * (sorted.length - 1))];
    if (value !== undefined) places.add(value);
  }
  const some = takeRows(X, sampleRows(X.rows, rowsMax, seed));
  return [...places].map((value) => {
    const data = some.data.slice();
    for (let i = 0; i < some.rows; i++) data[i * some.columns + j] = value;
    const p = model.predictProba({ ...some, data });
    return { value, mean: p.reduce((a, b) => a + b, 0) / p.length };
  });
}
