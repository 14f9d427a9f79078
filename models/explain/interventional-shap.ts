import type { Trees } from '../tree/trees.ts';
import { goesLeft } from '../tree/trees.ts';

/**
 * Exact Shapley values of Σ trees, where "feature unknown" means: as in a row of the background (interventional
 * TreeSHAP, Lundberg et al. 2020, "independent" algorithm). For one row x and one background row z, a leaf is reached
 * by those sets of features that hold all `a` features on its path at which only x goes on and none of the `b` at which
 * only z does: each of the former gets value × (a−1)! b! / (a+b)!, each of the latter minus value × a! (b−1)! / (a+b)!.
 * O(trees × leaves) for each background row. `background` has codes row after row; the base is its mean sum.
 */
export function interventionalShap(
  trees: Trees,
  codes: Uint8Array,
  background: Uint8Array,
): { base: number; values: Float64Array } {
  const columns = codes.length;
  const rows = background.length / columns;
  const values = new Float64Array(columns);
  const walker = new Walker(trees, codes, values);
  let base = 0;
  for (let i = 0; i < rows; i++) {
    base += walker.against(background.subarray(i * columns, (i + 1) * columns));
  }
  for (let j = 0; j < columns; j++) values[j]! /= rows;
  return { base: base / rows, values };
}

/** By whom a feature is fixed on the way: nobody, x, or the background row. */
const OPEN = 0;
const BY_X = 1;
const BY_Z = 2;

class Walker {
  readonly #trees: Trees;
  readonly #x: Uint8Array;
  readonly #values: Float64Array;
  readonly #fixed: Uint8Array;
  #z: Uint8Array;
  #first = 0;
  #base = 0;
  /** Features that x, and those that z, had to give to come here. */
  readonly #byX: number[] = [];
  readonly #byZ: number[] = [];

  constructor(trees: Trees, x: Uint8Array, values: Float64Array) {
    this.#trees = trees;
    this.#x = x;
    this.#z = x;
    this.#values = values;
    this.#fixed = new Uint8Array(x.length);
  }

  /** Adds the values against one background row; returns that row's own sum. */
  against(z: Uint8Array): number {
    this.#z = z;
    this.#base = 0;
    for (let t = 0; t < this.#trees.start.length - 1; t++) {
      this.#first = this.#trees.start[t]!;
      this.#visit(this.#first);
    }
    return this.#base;
  }

  #visit(node: number): void {
    const column = this.#trees.feature[node]!;
    if (column < 0) return this.#arrive(this.#trees.value[node]!);
    const left = node + 1;
    const right = this.#first + this.#trees.right[node]!;
    const ofX = goesLeft(this.#trees, node, this.#x[column]!) ? left : right;
    const ofZ = goesLeft(this.#trees, node, this.#z[column]!) ? left : right;
    if (ofX === ofZ) return this.#visit(ofX);
    const fixed = this.#fixed[column];
    if (fixed !== BY_Z) this.#go(ofX, column, BY_X, fixed === OPEN ? this.#byX : null);
    if (fixed !== BY_X) this.#go(ofZ, column, BY_Z, fixed === OPEN ? this.#byZ : null);
  }

  /** `noted` is null where the feature was fixed above already. */
  #go(node: number, column: number, by: number, noted: number[] | null): void {
    if (!noted) return this.#visit(node);
    this.#fixed[column] = by;
    noted.push(column);
    this.#visit(node);
    noted.pop();
    this.#fixed[column] = OPEN;
  }

  #arrive(value: number): void {
    const a = this.#byX.length;
    const b = this.#byZ.length;
    // Without any feature of x this is where z itself goes.
    if (a === 0) this.#base += value;
    if (a > 0) {
      const share = value / (a * choose(a + b, a));
      for (const column of this.#byX) this.#values[column]! += share;
    }
    if (b > 0) {
      const share = value / (b * choose(a + b, b));
      for (const column of this.#byZ) this.#values[column]! -= share;
    }
  }
}

/** (a−1)! b! / (a+b)! is 1 / (a × choose(a+b, a)); trees are at most 64 deep, and a double holds those. */
function choose(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) result = (result * (n - i + 1)) / i;
  return result;
}
