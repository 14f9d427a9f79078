/** Rows of few numbers among many columns (compressed sparse rows): how words are counted. */
export interface SparseRows {
  readonly rows: number;
  readonly columns: number;
  /** Of row i: entries from `start[i]` to `start[i + 1]`. */
  readonly start: Int32Array;
  readonly column: Int32Array;
  readonly value: Float64Array;
}

export interface SparseLinear {
  readonly weights: Float64Array;
  readonly intercept: number;
}

/**
 * Logistic regression with the penalty ½ λ |w|² beside the sum of the losses, on sparse rows of length at most 1, by
 * accelerated gradient steps (Nesterov 1983) that start anew where they overshoot (O'Donoghue & Candès 2015).
 */
export function fitSparseLogistic(
  X: SparseRows,
  y: ArrayLike<number>,
  rows: Int32Array,
  { lambda = 1, iterations = 150 }: { lambda?: number; iterations?: number } = {},
): SparseLinear {
  const n = X.columns;
  // The last place is the intercept, which is not penalised.
  let w = new Float64Array(n + 1);
  let looked = w.slice();
  const step = 1 / (0.5 * rows.length + lambda);
  let momentum = 1;
  const gradient = new Float64Array(n + 1);
  for (let it = 0; it < iterations; it++) {
    gradientAt(X, y, rows, looked, lambda, gradient);
    const next = new Float64Array(n + 1);
    let [turn, change] = [0, 0];
    for (let j = 0; j <= n; j++) {
      next[j] = looked[j]! - step * gradient[j]!;
      turn += gradient[j]! * (next[j]! - w[j]!);
      change = Math.max(change, Math.abs(next[j]! - w[j]!));
    }
    if (turn > 0) momentum = 1;
    const grown = (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    const carry = turn > 0 ? 0 : (momentum - 1) / grown;
    for (let j = 0; j <= n; j++) looked[j] = next[j]! + carry * (next[j]! - w[j]!);
    momentum = grown;
    w = next;
    if (change < 1e-6) break;
  }
  looked = w;
  return { weights: looked.slice(0, n), intercept: looked[n]! };
}

function gradientAt(
  X: SparseRows,
  y: ArrayLike<number>,
  rows: Int32Array,
  w: Float64Array,
  lambda: number,
  out: Float64Array,
): void {
  const n = X.columns;
  for (let j = 0; j < n; j++) out[j] = lambda * w[j]!;
  out[n] = 0;
  for (const row of rows) {
    const error = 1 / (1 + Math.exp(-scoreSparse(X, row, w, w[n]!))) - y[row]!;
    for (let e = X.start[row]!; e < X.start[row + 1]!; e++) {
      out[X.column[e]!]! += error * X.value[e]!;
    }
    out[n]! += error;
  }
}

/** Log-odds of one row. */
export function scoreSparse(
  X: SparseRows,
  row: number,
  weights: Float64Array,
  intercept: number,
): number {
  let sum = intercept;
  for (let e = X.start[row]!; e < X.start[row + 1]!; e++) {
    sum += weights[X.column[e]!]! * X.value[e]!;
  }
  return sum;
}
