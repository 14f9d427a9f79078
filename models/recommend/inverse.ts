import { invalid } from '../check.ts';
import { advance } from '../estimator.ts';
import type { FitContext } from '../estimator.ts';
import { BLOCK, kernelOf } from './simd-kernel.ts';

/**
 * The inverse of a symmetric positive definite matrix in 32-bit floats, by the sweep operator (Goodnight 1979) in
 * blocks of 64: n³/2 multiply-adds, all in the SIMD kernel. Only the lower triangle is read and worked on.
 */
export class BlockedInverse {
  readonly #n: number;
  readonly #blocks: number;
  readonly #padded: number;
  readonly #matrix: Float32Array;
  readonly #subtract: (c: number, stride: number, w: number, p: number) => void;
  readonly #panel: Float32Array;
  readonly #weighted: Float32Array;
  readonly #pivot: Float32Array;

  constructor(n: number) {
    this.#n = n;
    this.#blocks = Math.ceil(n / BLOCK);
    this.#padded = this.#blocks * BLOCK;
    const cells = this.#padded ** 2;
    const panel = this.#padded * BLOCK;
    const { memory, subtract } = kernelOf(4 * (cells + 2 * panel + BLOCK * BLOCK));
    this.#subtract = subtract;
    this.#matrix = new Float32Array(memory, 0, cells);
    this.#panel = new Float32Array(memory, 4 * cells, panel);
    this.#weighted = new Float32Array(memory, 4 * (cells + panel), panel);
    this.#pivot = new Float32Array(memory, 4 * (cells + 2 * panel), BLOCK * BLOCK);
    // What fills the last block up is an identity, which stays one.
    for (let i = n; i < this.#padded; i++) this.#matrix[i * this.#padded + i] = 1;
  }

  /** Cells of the matrix, before and after: row i begins at `i * stride`. */
  get cells(): Float32Array {
    return this.#matrix;
  }

  get stride(): number {
    return this.#padded;
  }

  /** Puts the inverse, both triangles, in the place of the matrix. MODEL_INVALID where it is not positive definite. */
  invert(ctx: FitContext = {}): void {
    for (let k = 0; k < this.#blocks; k++) {
      this.#gather(k);
      this.#invertPivot(k);
      this.#weigh(k);
      for (let i = 0; i < this.#blocks; i++) {
        if (i === k) continue;
        for (let j = 0; j <= i; j++) {
          if (j !== k) this.#update(i, j);
        }
      }
      this.#scatter(k);
      advance(ctx, (k + 1) / this.#blocks, `block ${k + 1} of ${this.#blocks}`);
    }
    this.#mirror();
  }

  #update(i: number, j: number): void {
    const c = 4 * (i * BLOCK * this.#padded + j * BLOCK);
    const block = BLOCK * BLOCK;
    const w = this.#weighted.byteOffset + 4 * i * block;
    this.#subtract(c, 4 * this.#padded, w, this.#panel.byteOffset + 4 * j * block);
  }

  /** Column block k, transposed and block by block, so that the kernel reads in order. */
  #gather(k: number): void {
    const [a, n, panel] = [this.#matrix, this.#padded, this.#panel];
    for (let i = 0; i < n; i++) {
      const at = Math.floor(i / BLOCK) * BLOCK * BLOCK + (i % BLOCK);
      for (let r = 0; r < BLOCK; r++) {
        const column = k * BLOCK + r;
        panel[at + r * BLOCK] = i >= column ? a[i * n + column]! : a[column * n + i]!;
      }
    }
  }

  #scatter(k: number): void {
    const [a, n] = [this.#matrix, this.#padded];
    for (let i = 0; i < n; i++) {
      const block = Math.floor(i / BLOCK);
      const at = block * BLOCK * BLOCK + (i % BLOCK);
      for (let r = 0; r < BLOCK; r++) {
        const column = k * BLOCK + r;
        // The pivot is the inverse with its sign changed, and all else the weighted panel.
        const value =
          block === k ? this.#pivot[(i % BLOCK) * BLOCK + r]! : this.#weighted[at + r * BLOCK]!;
        if (i >= column) a[i * n + column] = value;
        else if (block !== k) a[column * n + i] = value;
      }
    }
  }

  /** Minus the inverse of the diagonal block, in 64-bit floats since it costs little. */
  #invertPivot(k: number): void {
    const from = k * BLOCK * BLOCK;
    const d = Float64Array.from(this.#panel.subarray(from, from + BLOCK * BLOCK));
    for (let p = 0; p < BLOCK; p++) {
      const pivot = d[p * BLOCK + p]!;
      if (!(pivot > 0)) {
        throw invalid(
          `The matrix of ${this.#n} items is not positive definite at item ${k * BLOCK + p}; raise lambda.`,
          { param: 'lambda' },
        );
      }
      const row = d.slice(p * BLOCK, (p + 1) * BLOCK);
      for (let i = 0; i < BLOCK; i++) {
        if (i === p) continue;
        const factor = d[i * BLOCK + p]! / pivot;
        for (let j = 0; j < BLOCK; j++) d[i * BLOCK + j]! -= factor * row[j]!;
        d[i * BLOCK + p] = factor;
      }
      for (let j = 0; j < BLOCK; j++) d[p * BLOCK + j] = row[j]! / pivot;
      d[p * BLOCK + p] = -1 / pivot;
    }
    this.#pivot.set(d);
  }

  /** The panel times the inverse of the pivot. */
  #weigh(k: number): void {
    this.#weighted.fill(0);
    const block = BLOCK * BLOCK;
    for (let i = 0; i < this.#blocks; i++) {
      if (i === k) continue;
      // C -= (−D)ᵀ P is D P.
      const c = this.#weighted.byteOffset + 4 * i * block;
      const p = this.#panel.byteOffset + 4 * i * block;
      this.#subtract(c, 4 * BLOCK, this.#pivot.byteOffset, p);
    }
  }

  #mirror(): void {
    const [a, n] = [this.#matrix, this.#padded];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        const value = -a[i * n + j]!;
        a[i * n + j] = value;
        a[j * n + i] = value;
      }
    }
  }
}
