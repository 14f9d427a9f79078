import type { Matrix } from '../matrix.ts';
import type { Random } from '../random.ts';

/** Centres, row-major, in the space of the rows. */
export interface Centres {
  readonly centres: Float64Array;
  readonly inertia: number;
}

/**
 * First centres far apart (k-means++, Arthur, Vassilvitskii 2007), each the best of a few candidates as scikit-learn
 * takes them. Returns null where there are fewer than `k` different rows.
 */
export function farApart(X: Matrix, k: number, random: Random): Float64Array | null {
  const { rows, columns: d, data } = X;
  const centres = new Float64Array(k * d);
  const nearest = new Float64Array(rows).fill(Infinity);
  const tries = 2 + Math.floor(Math.log(k));
  let candidate = new Float64Array(rows);
  let best = new Float64Array(rows);
  const take = (row: number, into: Float64Array): number => {
    let sum = 0;
    for (let i = 0; i < rows; i++) {
      let distance = 0;
      for (let j = 0; j < d; j++) {
        const difference = data[i * d + j]! - data[row * d + j]!;
        distance += difference * difference;
      }
      into[i] = Math.min(nearest[i]!, distance);
      sum += into[i]!;
    }
    return sum;
  };
  let chosen = random.int(rows);
  let potential = take(chosen, best);
  for (let c = 0; ; c++) {
    centres.set(data.subarray(chosen * d, (chosen + 1) * d), c * d);
    nearest.set(best);
    if (c === k - 1) return centres;
    if (!(potential > 0)) return null;
    let lowest = Infinity;
    for (let t = 0; t < tries; t++) {
      const row = weighted(nearest, potential * random.next());
      const left = take(row, candidate);
      if (left >= lowest) continue;
      lowest = left;
      chosen = row;
      [best, candidate] = [candidate, best];
    }
    potential = lowest;
  }
}

/** The row in whose share of the sum the mark lies; never one without a share. */
function weighted(share: Float64Array, mark: number): number {
  let rest = mark;
  let last = 0;
  for (let i = 0; i < share.length; i++) {
    if (share[i] === 0) continue;
    last = i;
    rest -= share[i]!;
    if (rest < 0) return i;
  }
  return last;
}

/**
 * Lloyd's iterations with Hamerly's bounds (2010): a row whose own centre is surely nearest is not measured again,
 * which late iterations owe their speed to. Same result as without. Stops when no row changes, or the centres move by
 * less than a millionth of the columns' mean variance, squared (scikit-learn's rule, a hundred times as strict).
 */
export function lloyd(X: Matrix, first: Float64Array, iterations: number): Float64Array {
  const { rows, columns: d, data } = X;
  const k = first.length / d;
  const centres = first.slice();
  const own = new Int32Array(rows);
  const upper = new Float64Array(rows).fill(Infinity);
  const lower = new Float64Array(rows);
  const sums = new Float64Array(k * d);
  const sizes = new Int32Array(k);
  const moved = new Float64Array(k);
  const half = new Float64Array(k);
  const stop = 1e-6 * meanVariance(X);
  for (let iteration = 0; iteration < iterations; iteration++) {
    halfGaps(centres, d, half);
    let changed = false;
    for (let i = 0; i < rows; i++) {
      const safe = Math.max(half[own[i]!]!, lower[i]!);
      if (iteration > 0 && upper[i]! <= safe) continue;
      const at = i * d;
      if (iteration > 0) {
        upper[i] = Math.sqrt(squared(data, at, centres, own[i]! * d, d));
        if (upper[i]! <= safe) continue;
      }
      let [nearest, second, cluster] = [Infinity, Infinity, 0];
      for (let c = 0; c < k; c++) {
        const distance = squared(data, at, centres, c * d, d);
        if (distance < nearest) {
          second = nearest;
          nearest = distance;
          cluster = c;
        } else if (distance < second) second = distance;
      }
      upper[i] = Math.sqrt(nearest);
      lower[i] = Math.sqrt(second);
      if (iteration > 0 && cluster === own[i]) continue;
      changed = true;
      if (iteration > 0) shift(sums, sizes, data, at, own[i]!, d, -1);
      shift(sums, sizes, data, at, cluster, d, 1);
      own[i] = cluster;
    }
    if (!changed) break;
    if (move(centres, sums, sizes, moved, d) <= stop) break;
    loosen(upper, lower, own, moved);
  }
  return centres;
}

function shift(
  sums: Float64Array,
  sizes: Int32Array,
  data: Float64Array,
  at: number,
  cluster: number,
  d: number,
  sign: number,
): void {
  sizes[cluster]! += sign;
  for (let j = 0; j < d; j++) sums[cluster * d + j]! += sign * data[at + j]!;
}

/** Puts the centres at their rows' means; an empty one stays. Returns the sum of squared moves. */
function move(
  centres: Float64Array,
  sums: Float64Array,
  sizes: Int32Array,
  moved: Float64Array,
  d: number,
): number {
  let total = 0;
  for (let c = 0; c < sizes.length; c++) {
    let sum = 0;
    if (sizes[c]! > 0) {
      for (let j = 0; j < d; j++) {
        const mean = sums[c * d + j]! / sizes[c]!;
        sum += (mean - centres[c * d + j]!) ** 2;
        centres[c * d + j] = mean;
      }
    }
    moved[c] = Math.sqrt(sum);
    total += sum;
  }
  return total;
}

/** Bounds stay true by the triangle inequality: the own centre came no nearer, others went no farther. */
function loosen(
  upper: Float64Array,
  lower: Float64Array,
  own: Int32Array,
  moved: Float64Array,
): void {
  let [most, next, who] = [0, 0, -1];
  for (let c = 0; c < moved.length; c++) {
    if (moved[c]! > most) {
      next = most;
      most = moved[c]!;
      who = c;
    } else if (moved[c]! > next) next = moved[c]!;
  }
  for (let i = 0; i < own.length; i++) {
    upper[i]! += moved[own[i]!]!;
    lower[i]! -= own[i] === who ? next : most;
  }
}

/** Half the distance of each centre to the next one: a row nearer than that cannot change. */
function halfGaps(centres: Float64Array, d: number, half: Float64Array): void {
  const k = half.length;
  half.fill(Infinity);
  for (let a = 0; a < k; a++) {
    for (let b = a + 1; b < k; b++) {
      const gap = Math.sqrt(squared(centres, a * d, centres, b * d, d)) / 2;
      half[a] = Math.min(half[a]!, gap);
      half[b] = Math.min(half[b]!, gap);
    }
  }
}

export function squared(
  a: Float64Array,
  atA: number,
  b: Float64Array,
  atB: number,
  d: number,
): number {
  let sum = 0;
  for (let j = 0; j < d; j++) {
    const difference = a[atA + j]! - b[atB + j]!;
    sum += difference * difference;
  }
  return sum;
}

function meanVariance(X: Matrix): number {
  let total = 0;
  for (let j = 0; j < X.columns; j++) {
    let [sum, squares] = [0, 0];
    for (let at = j; at < X.data.length; at += X.columns) {
      sum += X.data[at]!;
      squares += X.data[at]! ** 2;
    }
    total += Math.max(0, squares / X.rows - (sum / X.rows) ** 2);
  }
  return total / X.columns;
}

/** Mini-batch k-means (Sculley 2010): each batch pulls its nearest centres, the less the more rows they have seen. */
export function miniBatch(
  X: Matrix,
  first: Float64Array,
  batch: number,
  steps: number,
  random: Random,
): Float64Array {
  const { columns: d, data } = X;
  const k = first.length / d;
  const centres = first.slice();
  const seen = new Float64Array(k);
  for (let step = 0; step < steps; step++) {
    const rows = Int32Array.from({ length: batch }, () => random.int(X.rows));
    const own = rows.map((row) => nearestOf(data, row * d, centres, d));
    for (let n = 0; n < batch; n++) {
      const c = own[n]!;
      const rate = 1 / ++seen[c]!;
      for (let j = 0; j < d; j++) {
        centres[c * d + j]! += rate * (data[rows[n]! * d + j]! - centres[c * d + j]!);
      }
    }
  }
  return centres;
}

function nearestOf(data: Float64Array, at: number, centres: Float64Array, d: number): number {
  let [nearest, cluster] = [Infinity, 0];
  for (let c = 0; c * d < centres.length; c++) {
    const distance = squared(data, at, centres, c * d, d);
    if (distance >= nearest) continue;
    nearest = distance;
    cluster = c;
  }
  return cluster;
}
