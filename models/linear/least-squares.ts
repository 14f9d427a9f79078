import type { Matrix } from '../matrix.ts';

export interface LeastSquares {
  readonly weights: Float64Array;
  /** Standard error of each weight; 0 where it was left at 0. */
  readonly errors: Float64Array;
  readonly sigma: number;
}

/** A column of which less than this share is left after the columns before it is a sum of them. */
const DEPENDENT = 1e-9;

/**
 * min |y − Xw|² + ridge |w|² for centred columns and target, by Householder QR of X over √ridge · I, which loses half
 * the digits that XᵀX would lose (Golub, Van Loan 2013, 5.2). A column that the ones before it determine gets weight 0, as R's `lm`
 * drops it. Errors: σ² (XᵀX + ridge)⁻¹ XᵀX (XᵀX + ridge)⁻¹, with one degree of freedom for the intercept.
 */
export function leastSquares(X: Matrix, y: Float64Array, ridge: number): LeastSquares {
  const { rows, columns: m } = X;
  const height = rows + (ridge > 0 ? m : 0);
  // Column-major: a reflection goes along columns.
  const q = new Float64Array(height * m);
  for (let i = 0; i < rows; i++) for (let j = 0; j < m; j++) q[j * height + i] = X.data[i * m + j]!;
  for (let j = 0; ridge > 0 && j < m; j++) q[j * height + rows + j] = Math.sqrt(ridge);
  const right = new Float64Array(height);
  right.set(y);
  const R = new Float64Array(m * m);
  const kept: number[] = [];
  for (let j = 0; j < m; j++) reflect(q, right, R, kept, j, height, m);
  const weights = new Float64Array(m);
  for (let k = kept.length - 1; k >= 0; k--) {
    let sum = right[k]!;
    for (let l = k + 1; l < kept.length; l++) sum -= R[k * m + kept[l]!]! * weights[kept[l]!]!;
    weights[kept[k]!] = sum / R[k * m + kept[k]!]!;
  }
  let squares = 0;
  for (let i = 0; i < rows; i++) {
    let residual = y[i]!;
    for (let j = 0; j < m; j++) residual -= X.data[i * m + j]! * weights[j]!;
    squares += residual * residual;
  }
  const sigma = Math.sqrt(squares / Math.max(1, rows - 1 - kept.length));
  return { weights, errors: errorsOf(R, kept, m, ridge, sigma), sigma };
}

/** One Householder reflection: puts column j's part below row `kept.length` onto that row, or leaves the column out. */
function reflect(
  q: Float64Array,
  right: Float64Array,
  R: Float64Array,
  kept: number[],
  j: number,
  height: number,
  m: number,
): void {
  const k = kept.length;
  const at = j * height;
  let whole = 0;
  let left = 0;
  for (let i = 0; i < height; i++) {
    whole += q[at + i]! ** 2;
    if (i >= k) left += q[at + i]! ** 2;
  }
  if (k >= height || left <= DEPENDENT * DEPENDENT * whole || left === 0) return;
  const alpha = q[at + k]! > 0 ? -Math.sqrt(left) : Math.sqrt(left);
  const v = q.slice(at + k, at + height);
  v[0]! -= alpha;
  const norm = v.reduce((sum, value) => sum + value * value, 0);
  const apply = (values: Float64Array, from: number): void => {
    let dot = 0;
    for (let i = 0; i < v.length; i++) dot += v[i]! * values[from + i]!;
    const factor = (2 * dot) / norm;
    for (let i = 0; i < v.length; i++) values[from + i]! -= factor * v[i]!;
  };
  for (let l = j; l < m; l++) {
    apply(q, l * height + k);
    R[k * m + l] = q[l * height + k]!;
  }
  apply(right, k);
  kept.push(j);
}

function errorsOf(
  R: Float64Array,
  kept: readonly number[],
  m: number,
  ridge: number,
  sigma: number,
): Float64Array {
  const errors = new Float64Array(m);
  // Row k of (RᵀR)⁻¹ by two triangular solves; XᵀX = RᵀR − ridge, so the middle of the sandwich is A⁻¹ − ridge A⁻².
  const n = kept.length;
  for (let k = 0; k < n; k++) {
    const z = new Float64Array(n);
    z[k] = 1;
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < a; b++) z[a]! -= R[b * m + kept[a]!]! * z[b]!;
      z[a]! /= R[a * m + kept[a]!]!;
    }
    for (let a = n - 1; a >= 0; a--) {
      for (let b = a + 1; b < n; b++) z[a]! -= R[a * m + kept[b]!]! * z[b]!;
      z[a]! /= R[a * m + kept[a]!]!;
    }
    const square = z.reduce((sum, value) => sum + value * value, 0);
    errors[kept[k]!] = sigma * Math.sqrt(Math.max(0, z[k]! - ridge * square));
  }
  return errors;
}
