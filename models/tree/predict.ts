import type { Matrix } from '../matrix.ts';
import type { Bins } from './bins.ts';
import { encodeInto, MISSING } from './bins.ts';
import type { Trees } from './trees.ts';
import { CATEGORIES, MISSING_RIGHT, SET_WORDS } from './trees.ts';

/** Rows that go through all trees together: their codes and sums stay in the cache. */
const BLOCK = 1024;

/**
 * Trees laid out for speed. A node is two numbers beside each other: feature, rule and split in bits, and the place of
 * its left child, with the right one behind it. A leaf is its own child, so that four rows can take the same number of
 * steps, none of which waits for another or is guessed wrong by the processor.
 */
export class Predictor {
  readonly #nodes: Int32Array;
  readonly #value: Float64Array;
  readonly #start: Int32Array;
  readonly #depth: Int32Array;
  /** By tree, whether it asks for categories. */
  readonly #asks: Uint8Array;
  readonly #sets: Int32Array;
  /** Of nodes that ask for categories their column, since a sign and a set are all that fits beside. */
  readonly #column: Int32Array;

  constructor(trees: Trees) {
    const count = trees.start.length - 1;
    const size = trees.feature.length;
    this.#nodes = new Int32Array(2 * size);
    this.#value = new Float64Array(size);
    this.#start = trees.start;
    this.#depth = new Int32Array(count);
    this.#asks = new Uint8Array(count);
    this.#sets = trees.sets;
    this.#column = new Int32Array(trees.sets.length > 0 ? size : 0);
    for (let t = 0; t < count; t++) this.#layOut(trees, t);
  }

  /** Breadth first, so that the first steps of all rows are near each other. */
  #layOut(trees: Trees, t: number): void {
    const first = trees.start[t]!;
    const size = trees.start[t + 1]! - first;
    const source = new Int32Array(size);
    source[0] = first;
    let filled = 1;
    let levelEnd = 1;
    let depth = 0;
    for (let k = 0; k < size; k++) {
      if (k === levelEnd) {
        levelEnd = filled;
        depth++;
      }
      const node = source[k]!;
      const at = 2 * (first + k);
      this.#value[first + k] = trees.value[node]!;
      const feature = trees.feature[node]!;
      if (feature < 0) {
        // No code is above 255: always "left", to itself.
        this.#nodes[at] = 255;
        this.#nodes[at + 1] = first + k;
        continue;
      }
      const rule = trees.rule[node]!;
      if (rule === CATEGORIES) {
        this.#asks[t] = 1;
        this.#column[first + k] = feature;
      }
      this.#nodes[at] =
        rule === CATEGORIES
          ? -1 - trees.set[node]!
          : (feature << 9) | ((rule === MISSING_RIGHT ? 1 : 0) << 8) | trees.split[node]!;
      this.#nodes[at + 1] = first + filled;
      source[filled++] = node + 1;
      source[filled++] = first + trees.right[node]!;
    }
    this.#depth[t] = depth;
  }

  /** Σ over all trees for each row. */
  sums(X: Matrix, bins: Bins): Float64Array {
    const sum = new Float64Array(X.rows);
    const size = Math.min(BLOCK, X.rows);
    const codes = new Uint8Array(size * X.columns);
    const rows = Int32Array.from({ length: size }, (_, i) => i);
    for (let from = 0; from < X.rows; from += size) {
      const to = Math.min(X.rows, from + size);
      encodeInto(codes, X, bins, 'row', from, to);
      const block = sum.subarray(from, to);
      const missing = codes.indexOf(MISSING);
      const isComplete = missing < 0 || missing >= (to - from) * X.columns;
      for (let t = 0; t < this.#depth.length; t++) {
        this.add(t, codes, X.columns, rows, to - from, block, isComplete);
      }
    }
    return sum;
  }

  /** Adds one tree's predictions to `sum` for the first `count` of `rows`, whose codes lie row after row, none missing if `isComplete`. */
  add(
    t: number,
    codes: Uint8Array,
    columns: number,
    rows: Int32Array,
    count: number,
    sum: Float64Array,
    isComplete = false,
  ): void {
    if (this.#asks[t] === 1) return this.#addSets(t, codes, columns, rows, count, sum);
    if (isComplete) return this.#addComplete(t, codes, columns, rows, count, sum);
    const nodes = this.#nodes;
    const value = this.#value;
    const root = 2 * this.#start[t]!;
    const depth = this.#depth[t]!;
    for (let k = 0; k < count; k += 4) {
      // Past the end the last row is taken again, and not added.
      const last = count - 1;
      const rowA = rows[k]!;
      const rowB = rows[k + 1 < last ? k + 1 : last]!;
      const rowC = rows[k + 2 < last ? k + 2 : last]!;
      const rowD = rows[k + 3 < last ? k + 3 : last]!;
      const atA = rowA * columns;
      const atB = rowB * columns;
      const atC = rowC * columns;
      const atD = rowD * columns;
      let a = root;
      let b = root;
      let c = root;
      let d = root;
      for (let step = 0; step < depth; step++) {
        const na = nodes[a]!;
        const nb = nodes[b]!;
        const nc = nodes[c]!;
        const nd = nodes[d]!;
        const before = a + b + c + d;
        a = (nodes[a + 1]! + goesRight(na, codes[atA + (na >>> 9)]!)) << 1;
        b = (nodes[b + 1]! + goesRight(nb, codes[atB + (nb >>> 9)]!)) << 1;
        c = (nodes[c + 1]! + goesRight(nc, codes[atC + (nc >>> 9)]!)) << 1;
        d = (nodes[d + 1]! + goesRight(nd, codes[atD + (nd >>> 9)]!)) << 1;
        // Children lie ahead of their parents, so the sum stands still only when all four have arrived.
        if (a + b + c + d === before) break;
      }
      sum[rowA]! += value[a >> 1]!;
      if (k + 1 < count) sum[rowB]! += value[b >> 1]!;
      if (k + 2 < count) sum[rowC]! += value[c >> 1]!;
      if (k + 3 < count) sum[rowD]! += value[d >> 1]!;
    }
  }

  /** As `add`, where nothing is missing: then both rules ask the same. */
  #addComplete(
    t: number,
    codes: Uint8Array,
    columns: number,
    rows: Int32Array,
    count: number,
    sum: Float64Array,
  ): void {
    const nodes = this.#nodes;
    const value = this.#value;
    const root = 2 * this.#start[t]!;
    const depth = this.#depth[t]!;
    for (let k = 0; k < count; k += 4) {
      // Past the end the last row is taken again, and not added.
      const last = count - 1;
      const rowA = rows[k]!;
      const rowB = rows[k + 1 < last ? k + 1 : last]!;
      const rowC = rows[k + 2 < last ? k + 2 : last]!;
      const rowD = rows[k + 3 < last ? k + 3 : last]!;
      const atA = rowA * columns;
      const atB = rowB * columns;
      const atC = rowC * columns;
      const atD = rowD * columns;
      let a = root;
      let b = root;
      let c = root;
      let d = root;
      for (let step = 0; step < depth; step++) {
        const na = nodes[a]!;
        const nb = nodes[b]!;
        const nc = nodes[c]!;
        const nd = nodes[d]!;
        const before = a + b + c + d;
        a = (nodes[a + 1]! + (((na & 255) - codes[atA + (na >>> 9)]!) >>> 31)) << 1;
        b = (nodes[b + 1]! + (((nb & 255) - codes[atB + (nb >>> 9)]!) >>> 31)) << 1;
        c = (nodes[c + 1]! + (((nc & 255) - codes[atC + (nc >>> 9)]!) >>> 31)) << 1;
        d = (nodes[d + 1]! + (((nd & 255) - codes[atD + (nd >>> 9)]!) >>> 31)) << 1;
        // Children lie ahead of their parents, so the sum stands still only when all four have arrived.
        if (a + b + c + d === before) break;
      }
      sum[rowA]! += value[a >> 1]!;
      if (k + 1 < count) sum[rowB]! += value[b >> 1]!;
      if (k + 2 < count) sum[rowC]! += value[c >> 1]!;
      if (k + 3 < count) sum[rowD]! += value[d >> 1]!;
    }
  }

  #addSets(
    t: number,
    codes: Uint8Array,
    columns: number,
    rows: Int32Array,
    count: number,
    sum: Float64Array,
  ): void {
    const nodes = this.#nodes;
    const sets = this.#sets;
    const first = this.#start[t]!;
    for (let k = 0; k < count; k++) {
      const row = rows[k]!;
      const at = row * columns;
      let node = first;
      for (;;) {
        const word = nodes[2 * node]!;
        const left = nodes[2 * node + 1]!;
        if (left === node) break;
        if (word < 0) {
          const code = codes[at + this.#column[node]!]!;
          const bit = sets[SET_WORDS * (-1 - word) + (code >> 5)]! >>> (code & 31);
          node = left + 1 - (bit & 1);
        } else {
          node = left + goesRight(word, codes[at + (word >>> 9)]!);
        }
      }
      sum[row]! += this.#value[node]!;
    }
  }
}

/** 1 where the code goes right. Where the rule says so, "missing" wraps around above all other codes. */
function goesRight(node: number, code: number): number {
  const shift = (node >>> 8) & 1;
  return ((node & 255) - shift - ((code - shift) & 255)) >>> 31;
}
