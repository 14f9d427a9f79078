import type { Matrix } from '../matrix.ts';
import { takeRows } from '../matrix.ts';
import { sampleRows } from '../splits.ts';

/**
 * How much nearer rows are to their own cluster than to the next one: mean of (b − a) / max(a, b), from −1 to 1
 * (Rousseeuw 1987), in the space the clustering was made in. Quadratic in the rows, so at most `rowsMax` random ones
 * are looked at, among themselves; a row alone in its cluster counts 0. NaN where there is one cluster only.
 */
export function silhouette(
  space: Matrix,
  clusters: Int32Array,
  { rowsMax = 2000, seed = 1 }: { rowsMax?: number; seed?: number } = {},
): number {
  const rows = sampleRows(space.rows, rowsMax, seed);
  const X = takeRows(space, rows);
  const own = Int32Array.from(rows, (row) => clusters[row]!);
  const k = own.reduce((most, cluster) => Math.max(most, cluster), 0) + 1;
  const sizes = new Int32Array(k);
  for (const cluster of own) sizes[cluster]! += 1;
  if (sizes.filter((size) => size > 0).length < 2) return Number.NaN;
  let total = 0;
  const sums = new Float64Array(k);
  for (let i = 0; i < X.rows; i++) {
    const size = sizes[own[i]!]!;
    if (size === 1) continue;
    sums.fill(0);
    for (let other = 0; other < X.rows; other++) sums[own[other]!]! += distance(X, i, other);
    const within = sums[own[i]!]! / (size - 1);
    let next = Infinity;
    for (let c = 0; c < k; c++) {
      if (c !== own[i] && sizes[c]! > 0) next = Math.min(next, sums[c]! / sizes[c]!);
    }
    const larger = Math.max(within, next);
    total += larger > 0 ? (next - within) / larger : 0;
  }
  return total / X.rows;
}

function distance({ data, columns }: Matrix, i: number, other: number): number {
  let sum = 0;
  for (let j = 0; j < columns; j++) {
    const difference = data[i * columns + j]! - data[other * columns + j]!;
    sum += difference * difference;
  }
  return Math.sqrt(sum);
}
