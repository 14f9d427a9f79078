/**
 * What boosting learns by: the first and second derivative of the loss at the present score. `score` is log-odds or the
 * target itself.
 */
export interface Loss {
  /** The best constant score. */
  start(y: ArrayLike<number>, rows: Int32Array, weight: Float64Array | null): number;
  derive(
    y: ArrayLike<number>,
    score: Float64Array,
    weight: Float64Array | null,
    rows: Int32Array,
    g: Float64Array,
    h: Float64Array,
  ): void;
  /** Mean loss of the rows. */
  mean(
    y: ArrayLike<number>,
    score: Float64Array,
    rows: Int32Array,
    weight: Float64Array | null,
  ): number;
}

/** Log loss of a 0/1 target (Friedman 2001, with Newton steps). */
export const LOGISTIC: Loss = {
  start(y, rows, weight) {
    const share = meanOf(y, rows, weight);
    const inside = Math.min(1 - 1e-12, Math.max(1e-12, share));
    return Math.log(inside / (1 - inside));
  },
  derive(y, score, weight, rows, g, h) {
    for (let p = 0; p < rows.length; p++) {
      const row = rows[p]!;
      const probability = 1 / (1 + Math.exp(-score[row]!));
      const w = weight ? weight[row]! : 1;
      g[row] = w * (probability - y[row]!);
      h[row] = w * probability * (1 - probability);
    }
  },
  mean(y, score, rows, weight) {
    // log(1 + e^s) without overflow.
    const of = (row: number): number => {
      const s = y[row] === 1 ? -score[row]! : score[row]!;
      return s > 0 ? s + Math.log1p(Math.exp(-s)) : Math.log1p(Math.exp(s));
    };
    return weighted(rows, weight, of);
  },
};

/** Half of the squared error. */
export const SQUARED: Loss = {
  start: (y, rows, weight) => meanOf(y, rows, weight),
  derive(y, score, weight, rows, g, h) {
    for (let p = 0; p < rows.length; p++) {
      const row = rows[p]!;
      const w = weight ? weight[row]! : 1;
      g[row] = w * (score[row]! - y[row]!);
      h[row] = w;
    }
  },
  mean: (y, score, rows, weight) =>
    weighted(rows, weight, (row) => (score[row]! - y[row]!) ** 2 / 2),
};

function meanOf(y: ArrayLike<number>, rows: Int32Array, weight: Float64Array | null): number {
  return weighted(rows, weight, (row) => y[row]!);
}

function weighted(
  rows: Int32Array,
  weight: Float64Array | null,
  of: (row: number) => number,
): number {
  let sum = 0;
  let total = 0;
  for (let p = 0; p < rows.length; p++) {
    const row = rows[p]!;
    const w = weight ? weight[row]! : 1;
    sum += w * of(row);
    total += w;
  }
  return sum / total;
}
