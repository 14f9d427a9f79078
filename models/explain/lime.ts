import { checkPredict, invalid } from '../check.ts';
import type { BinaryModel } from '../estimator.ts';
import { solveSymmetric } from '../linear-algebra.ts';
import type { Matrix } from '../matrix.ts';
import { Random } from '../random.ts';
import { scaleOf } from '../scale.ts';

export interface LimeOptions {
  readonly samples?: number;
  readonly seed?: number;
  /** Width of the neighbourhood, in standard deviations times the root of the columns; 0.75 as in the paper's code. */
  readonly width?: number;
  /** Strength of the ridge penalty. */
  readonly lambda?: number;
  /** What is explained: log-odds, in which linear models are linear, or the probability. */
  readonly scale?: 'logit' | 'probability';
}

export interface LimeExplanation {
  /** Of the straight plane at this row: what one unit more of each column adds. */
  readonly slopes: Float64Array;
  readonly intercept: number;
  /** How much of the model's changes near the row the plane explains, at most 1; a low one says: do not trust it. */
  readonly r2: number;
}

/**
 * What any model does near one row, as a straight plane (LIME, Ribeiro, Singh, Guestrin 2016): neighbours are drawn
 * around the row by the spread of the background, asked of the model, weighed by their nearness, and a ridge
 * regression is put through the answers.
 */
export function lime(
  model: BinaryModel,
  row: Float64Array,
  background: Matrix,
  options: LimeOptions = {},
): LimeExplanation {
  const { samples = 1000, seed = 1, lambda = 1e-6, scale: on = 'logit' } = options;
  checkPredict(background, model.names, 'accepts');
  if (row.some((value) => Number.isNaN(value))) {
    throw invalid(
      'The row has a missing value, around which there are no neighbours; fill it before.',
    );
  }
  const d = row.length;
  const { scale } = scaleOf(background);
  const random = new Random(seed);
  const width = (options.width ?? 0.75) * Math.sqrt(d);
  const z = new Float64Array(samples * d);
  const data = new Float64Array(samples * d);
  const weight = new Float64Array(samples);
  for (let s = 0; s < samples; s++) {
    let distance = 0;
    for (let j = 0; j < d; j++) {
      // The first neighbour is the row itself.
      const step = s === 0 ? 0 : random.normal();
      z[s * d + j] = step;
      data[s * d + j] = row[j]! + step * (Number.isFinite(scale[j]) ? scale[j]! : 1);
      distance += step * step;
    }
    weight[s] = Math.exp(-distance / (width * width));
  }
  const p = model.predictProba({ rows: samples, columns: d, data, names: model.names });
  const said = on === 'probability' ? p : p.map((v) => Math.log((v + 1e-12) / (1 - v + 1e-12)));
  const plane = ridge(z, said, weight, d, lambda);
  const slopes = plane.slopes.map(
    (slope, j) => slope / (Number.isFinite(scale[j]) ? scale[j]! : 1),
  );
  const intercept = plane.intercept - slopes.reduce((sum, slope, j) => sum + slope * row[j]!, 0);
  return { slopes, intercept, r2: plane.r2 };
}

/** Weighted least squares with an unpenalised intercept. */
function ridge(
  z: Float64Array,
  said: Float64Array,
  weight: Float64Array,
  d: number,
  lambda: number,
): { slopes: Float64Array; intercept: number; r2: number } {
  const n = d + 1;
  const A = new Float64Array(n * n);
  const b = new Float64Array(n);
  const at = (s: number, j: number): number => (j === d ? 1 : z[s * d + j]!);
  let [total, sum] = [0, 0];
  for (let s = 0; s < said.length; s++) {
    total += weight[s]!;
    sum += weight[s]! * said[s]!;
    for (let i = 0; i < n; i++) {
      b[i]! += weight[s]! * at(s, i) * said[s]!;
      for (let j = 0; j <= i; j++) A[i * n + j]! += weight[s]! * at(s, i) * at(s, j);
    }
  }
  for (let j = 0; j < d; j++) A[j * n + j]! += lambda * total;
  if (!solveSymmetric(A, b)) throw invalid('The neighbours lie in one plane; take more samples.');
  let [left, all] = [0, 0];
  for (let s = 0; s < said.length; s++) {
    let fit = b[d]!;
    for (let j = 0; j < d; j++) fit += b[j]! * at(s, j);
    left += weight[s]! * (said[s]! - fit) ** 2;
    all += weight[s]! * (said[s]! - sum / total) ** 2;
  }
  return { slopes: b.slice(0, d), intercept: b[d]!, r2: all > 1e-20 ? 1 - left / all : 1 };
}
