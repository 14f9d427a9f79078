import type { Trees } from '../tree/trees.ts';
import { goesLeft } from '../tree/trees.ts';

/**
 * Exact Shapley values of Σ trees, where "feature unknown" means: go both ways, in the shares of the training rows
 * (path-dependent TreeSHAP, Lundberg et al. 2018, algorithm 2). O(trees × leaves × depth²) for one row instead of
 * 2^features. The path keeps, for each feature on the way to a leaf, the share of rows that would come here without
 * knowing it (`zero`), whether this row does (`one`), and the weight of the orders in which it could be learnt.
 */
export function treeShap(trees: Trees, codes: Uint8Array): { base: number; values: Float64Array } {
  const values = new Float64Array(codes.length);
  const count = trees.start.length - 1;
  const walker = new Walker(trees, codes, values);
  let base = 0;
  for (let t = 0; t < count; t++) base += walker.walk(trees.start[t]!);
  return { base, values };
}

/** Elements of a path; one level of the recursion has its own. */
interface Path {
  readonly feature: Int32Array;
  readonly zero: Float64Array;
  readonly one: Float64Array;
  readonly weight: Float64Array;
}

class Walker {
  readonly #trees: Trees;
  readonly #codes: Uint8Array;
  readonly #values: Float64Array;
  readonly #paths: Path[] = [];
  #first = 0;
  #base = 0;

  constructor(trees: Trees, codes: Uint8Array, values: Float64Array) {
    this.#trees = trees;
    this.#codes = codes;
    this.#values = values;
  }

  /** Adds one tree's values; returns its mean prediction. */
  walk(first: number): number {
    this.#first = first;
    this.#base = 0;
    this.#visit(first, 0, 0, 1, 1, -1, 1);
    return this.#base;
  }

  /** `reach` is the share of the training rows that come to this node. */
  #visit(
    node: number,
    depth: number,
    length: number,
    zero: number,
    one: number,
    learnt: number,
    reach: number,
  ): void {
    const path = this.#enter(depth, length);
    extend(path, length, zero, one, learnt);
    const { feature, right, value, cover } = this.#trees;
    const column = feature[node]!;
    if (column < 0) {
      this.#base += reach * value[node]!;
      for (let i = 1; i <= length; i++) {
        const weight = unwoundSum(path, length, i);
        this.#values[path.feature[i]!]! += weight * (path.one[i]! - path.zero[i]!) * value[node]!;
      }
      return;
    }
    let zeroBefore = 1;
    let oneBefore = 1;
    let end = length;
    for (let k = 1; k <= length; k++) {
      if (path.feature[k] !== column) continue;
      zeroBefore = path.zero[k]!;
      oneBefore = path.one[k]!;
      unwind(path, length, k);
      end--;
      break;
    }
    const left = node + 1;
    const other = this.#first + right[node]!;
    const isLeft = goesLeft(this.#trees, node, this.#codes[column]!);
    for (const child of [left, other]) {
      const share = cover[child]! / cover[node]!;
      const follows = (child === left) === isLeft;
      const oneHere = follows ? oneBefore : 0;
      this.#visit(child, depth + 1, end + 1, zeroBefore * share, oneHere, column, reach * share);
    }
  }

  /** The path of this depth, a copy of the first `length` elements of the one above. */
  #enter(depth: number, length: number): Path {
    let path = this.#paths[depth];
    if (!path) {
      const size = depth + 2;
      path = {
        feature: new Int32Array(size),
        zero: new Float64Array(size),
        one: new Float64Array(size),
        weight: new Float64Array(size),
      };
      this.#paths.push(path);
    }
    if (depth > 0) {
      const above = this.#paths[depth - 1]!;
      for (let i = 0; i < length; i++) {
        path.feature[i] = above.feature[i]!;
        path.zero[i] = above.zero[i]!;
        path.one[i] = above.one[i]!;
        path.weight[i] = above.weight[i]!;
      }
    }
    return path;
  }
}

/** Appends a feature at place `length`, and spreads the weights over one more order. */
function extend(path: Path, length: number, zero: number, one: number, feature: number): void {
  path.feature[length] = feature;
  path.zero[length] = zero;
  path.one[length] = one;
  path.weight[length] = length === 0 ? 1 : 0;
  for (let i = length - 1; i >= 0; i--) {
    const weight = path.weight[i]!;
    path.weight[i + 1]! += (one * weight * (i + 1)) / (length + 1);
    path.weight[i] = (zero * weight * (length - i)) / (length + 1);
  }
}

/** Takes element `k` out again, as if it had never been learnt; `length` is the place of the last. */
function unwind(path: Path, length: number, k: number): void {
  const one = path.one[k]!;
  const zero = path.zero[k]!;
  let next = path.weight[length]!;
  for (let i = length - 1; i >= 0; i--) {
    if (one !== 0) {
      const held = path.weight[i]!;
      path.weight[i] = (next * (length + 1)) / ((i + 1) * one);
      next = held - (path.weight[i]! * zero * (length - i)) / (length + 1);
    } else {
      path.weight[i] = (path.weight[i]! * (length + 1)) / (zero * (length - i));
    }
  }
  for (let i = k; i < length; i++) {
    path.feature[i] = path.feature[i + 1]!;
    path.zero[i] = path.zero[i + 1]!;
    path.one[i] = path.one[i + 1]!;
  }
}

/** The sum of the weights without element `k`, leaving the path as it is. */
function unwoundSum(path: Path, length: number, k: number): number {
  const one = path.one[k]!;
  const zero = path.zero[k]!;
  let next = path.weight[length]!;
  let total = 0;
  for (let i = length - 1; i >= 0; i--) {
    if (one !== 0) {
      const weight = (next * (length + 1)) / ((i + 1) * one);
      total += weight;
      next = path.weight[i]! - (weight * zero * (length - i)) / (length + 1);
    } else {
      total += (path.weight[i]! * (length + 1)) / (zero * (length - i));
    }
  }
  return total;
}
