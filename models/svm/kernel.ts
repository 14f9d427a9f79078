/**
 * Rows of the kernel matrix K(i, j) = exp(−γ |xᵢ − xⱼ|²), kept while they are in use: the least recently used goes when
 * the memory is full. Rows hold single precision, as libsvm's do.
 */
export class KernelCache {
  readonly rows: number;
  readonly #columns: number;
  /** Row-major, single precision halves the traffic. */
  readonly #x: Float64Array;
  readonly #squares: Float64Array;
  readonly #gamma: number;
  readonly #kept = new Map<number, Float32Array>();
  readonly #keptMax: number;

  constructor(x: Float64Array, rows: number, gamma: number, bytes: number) {
    this.rows = rows;
    this.#columns = x.length / rows;
    this.#x = x;
    this.#gamma = gamma;
    this.#squares = squaresOf(x, rows);
    this.#keptMax = Math.max(2, Math.floor(bytes / (4 * rows)));
  }

  /** K(i, ·); valid until two other rows have been asked for. */
  row(i: number): Float32Array {
    const known = this.#kept.get(i);
    if (known) {
      if (this.#keptMax < this.rows) {
        // A Map gives its keys in the order in which they were put: the first is the oldest.
        this.#kept.delete(i);
        this.#kept.set(i, known);
      }
      return known;
    }
    let out: Float32Array;
    if (this.#kept.size < this.#keptMax) out = new Float32Array(this.rows);
    else {
      const oldest = this.#kept.keys().next().value!;
      out = this.#kept.get(oldest)!;
      this.#kept.delete(oldest);
    }
    const m = this.#columns;
    kernelRow(this.#x, this.#squares, m, this.#x, i * m, this.#squares[i]!, this.#gamma, out);
    this.#kept.set(i, out);
    return out;
  }
}

export function squaresOf(x: Float64Array, rows: number): Float64Array {
  const columns = x.length / rows;
  const squares = new Float64Array(rows);
  for (let i = 0, at = 0; i < rows; i++) {
    let sum = 0;
    for (let k = 0; k < columns; k++, at++) sum += x[at]! * x[at]!;
    squares[i] = sum;
  }
  return squares;
}

/** exp(−γ |xⱼ − a|²) for each row j of x, where a stands in `other` at `at`. Two rows at once share the loads of a. */
export function kernelRow(
  x: Float64Array,
  squares: Float64Array,
  columns: number,
  other: Float64Array,
  at: number,
  square: number,
  gamma: number,
  out: Float32Array | Float64Array,
): void {
  const rows = squares.length;
  const a = other.subarray(at, at + columns);
  let j = 0;
  for (; j + 3 < rows; j += 4) {
    let r0 = j * columns;
    let r1 = r0 + columns;
    let r2 = r1 + columns;
    let r3 = r2 + columns;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let k = 0; k < columns; k++) {
      const v = a[k]!;
      s0 += v * x[r0++]!;
      s1 += v * x[r1++]!;
      s2 += v * x[r2++]!;
      s3 += v * x[r3++]!;
    }
    out[j] = Math.exp(-gamma * Math.max(0, squares[j]! + square - 2 * s0));
    out[j + 1] = Math.exp(-gamma * Math.max(0, squares[j + 1]! + square - 2 * s1));
    out[j + 2] = Math.exp(-gamma * Math.max(0, squares[j + 2]! + square - 2 * s2));
    out[j + 3] = Math.exp(-gamma * Math.max(0, squares[j + 3]! + square - 2 * s3));
  }
  for (; j < rows; j++) {
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += a[k]! * x[j * columns + k]!;
    out[j] = Math.exp(-gamma * Math.max(0, squares[j]! + square - 2 * sum));
  }
}
