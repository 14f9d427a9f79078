import type { Random } from '../random.ts';
import { MISSING } from './bins.ts';

/**
 * Trees of a forest in flat arrays. A node's left child is the next node; `right` is the place of its right child
 * within the same tree. A leaf has feature −1.
 */
export interface Trees {
  /** Where each tree begins, and at the end the count of all nodes. */
  readonly start: Int32Array;
  /** Column that the node asks about, or −1. */
  readonly feature: Int32Array;
  /** A row goes left where its code is at most this. */
  readonly split: Uint8Array;
  readonly right: Int32Array;
  /** Mean target of the training rows in the node, counted as often as the bootstrap drew them. */
  readonly value: Float64Array;
  /** How many those were. */
  readonly cover: Int32Array;
}

export interface GrowInput {
  /** Codes, column after column. */
  readonly codes: Uint8Array;
  readonly rows: number;
  readonly columns: number;
  /** How often each row counts, at most DRAWN_MAX in all; 0 is out of the bag. */
  readonly weight: Int32Array;
  /** 0 or 1. */
  readonly target: Uint8Array;
}

export interface GrowParams {
  /** Different rows that a leaf must hold. */
  readonly minLeaf: number;
  readonly maxDepth: number;
  /** Columns tried at each node. */
  readonly columnsTried: number;
}

/**
 * Three sums in one double, since adding is what the time goes into: different rows × 2³⁴ + weight × 2¹⁷ + ones.
 * Exact as long as the weight of a tree's rows is below 2¹⁷.
 */
const ROW = 2 ** 34;
const WEIGHT = 2 ** 17;
/** The most rows that one tree may draw. */
export const DRAWN_MAX = WEIGHT - 1;

interface Task {
  readonly from: number;
  readonly to: number;
  readonly depth: number;
  /** The node whose right child this is, or −1. */
  readonly parent: number;
}

/**
 * Grows trees by the CART rule on histograms (Breiman 2001; histograms as in LightGBM): at each node a few random
 * columns, of each the sums per code, and the cut that reduces the squared error most. For a 0/1 target that is the
 * Gini impurity. One grower serves all trees of a forest, so that its arrays are made once.
 */
export class Grower {
  readonly #input: GrowInput;
  readonly #params: GrowParams;
  /** The rows in the bag, those of one node beside each other, and what each adds to the sums. */
  readonly #order: Int32Array;
  readonly #bulk: Float64Array;
  readonly #columns: Int32Array;
  /** By depth: which columns have one value only in the node above, so that they need no second look. */
  readonly #constant: Uint8Array[];
  /** Sum per code, twice. Zero between scans. */
  readonly #histogram = new Float64Array(2 * 256);
  /** Reduction of the squared error by each column, over all trees. */
  readonly gain: Float64Array;

  readonly #feature: number[] = [];
  readonly #split: number[] = [];
  readonly #right: number[] = [];
  readonly #value: number[] = [];
  readonly #cover: number[] = [];
  readonly #start: number[] = [0];

  constructor(input: GrowInput, params: GrowParams) {
    const { rows, columns } = input;
    this.#input = input;
    this.#params = params;
    this.#order = new Int32Array(rows);
    this.#bulk = new Float64Array(rows);
    this.#columns = new Int32Array(columns);
    this.#constant = Array.from({ length: params.maxDepth + 2 }, () => new Uint8Array(columns));
    this.gain = new Float64Array(columns);
  }

  /** Grows one more tree on the weights as they are now. */
  grow(random: Random): void {
    const { weight, target, rows } = this.#input;
    let count = 0;
    for (let i = 0; i < rows; i++) {
      if (weight[i] === 0) continue;
      this.#order[count] = i;
      this.#bulk[count++] = ROW + weight[i]! * (WEIGHT + target[i]!);
    }
    // The order of columns must not depend on the trees before, so that a tree is its seed's alone.
    for (let j = 0; j < this.#columns.length; j++) this.#columns[j] = j;
    const first = this.#start.at(-1)!;
    const open: Task[] = [{ from: 0, to: count, depth: 0, parent: -1 }];
    for (let task = open.pop(); task; task = open.pop()) {
      const node = this.#addNode(task.from, task.to);
      if (task.parent >= 0) this.#right[task.parent] = node - first;
      const middle = task.depth < this.#params.maxDepth ? this.#cut(node, task, random) : -1;
      if (middle < 0) continue;
      const depth = task.depth + 1;
      // The left one is taken next, so it is the next node, and needs no link.
      open.push({ from: middle, to: task.to, depth, parent: node });
      open.push({ from: task.from, to: middle, depth, parent: -1 });
    }
    this.#start.push(this.#feature.length);
  }

  /** The trees so far. */
  trees(): Trees {
    return {
      start: Int32Array.from(this.#start),
      feature: Int32Array.from(this.#feature),
      split: Uint8Array.from(this.#split),
      right: Int32Array.from(this.#right),
      value: Float64Array.from(this.#value),
      cover: Int32Array.from(this.#cover),
    };
  }

  #addNode(from: number, to: number): number {
    let bulk = 0;
    for (let p = from; p < to; p++) bulk += this.#bulk[p]!;
    bulk -= (to - from) * ROW;
    const weight = Math.floor(bulk / WEIGHT);
    this.#feature.push(-1);
    this.#split.push(0);
    this.#right.push(0);
    this.#value.push((bulk - weight * WEIGHT) / weight);
    this.#cover.push(weight);
    return this.#feature.length - 1;
  }

  /** Cuts the rows of a node in two; returns where the right ones begin, or −1 where it stays a leaf. */
  #cut(node: number, task: Task, random: Random): number {
    const { from, to, depth } = task;
    const weight = this.#cover[node]!;
    const ones = Math.round(this.#value[node]! * weight);
    if (to - from < 2 * this.#params.minLeaf || ones === 0 || ones === weight) return -1;
    const plain = (ones * ones) / weight;
    // A reduction that is only rounding is none.
    const best: Best = { gain: plain + 1e-12 * weight, split: -1 };
    let feature = -1;
    let varied = 0;
    const columns = this.#columns;
    const constant = this.#constant[depth + 1]!;
    constant.set(this.#constant[depth]!);
    // At least one column that is not constant here, even if more have to be looked at.
    for (let k = 0; k < columns.length && (k < this.#params.columnsTried || varied === 0); k++) {
      const pick = k + random.int(columns.length - k);
      const column = columns[pick]!;
      columns[pick] = columns[k]!;
      columns[k] = column;
      if (constant[column] === 1) continue;
      const before = best.gain;
      if (this.#scan(column, from, to, weight, ones, best)) varied++;
      else constant[column] = 1;
      if (best.gain > before) feature = column;
    }
    if (feature < 0) return -1;
    this.gain[feature]! += best.gain - plain;
    this.#feature[node] = feature;
    this.#split[node] = best.split;
    return this.#partition(feature, best.split, from, to);
  }

  /**
   * Looks for the best cut of one column. `best.gain` is Σ ones²/weight over both sides, which falls short of the
   * squared error by a constant. Returns false where the column is constant in the node.
   */
  #scan(
    column: number,
    from: number,
    to: number,
    weight: number,
    ones: number,
    best: Best,
  ): boolean {
    const histogram = this.#histogram;
    const codes = this.#input.codes;
    const order = this.#order;
    const bulk = this.#bulk;
    const base = column * this.#input.rows;
    let low = 255;
    let high = 0;
    // Rows take turns between two histograms: adding to the same cell again must wait for the sum before.
    for (let p = from; p < to; p++) {
      const code = codes[base + order[p]!]!;
      if (code < low) low = code;
      if (code > high) high = code;
      histogram[2 * code + (p & 1)]! += bulk[p]!;
    }
    const minLeaf = this.#params.minLeaf;
    const rightMost = to - from - minLeaf;
    let left = 0;
    let last = low;
    for (let code = low; code <= high; code++) {
      const here = histogram[2 * code]! + histogram[2 * code + 1]!;
      if (here === 0) continue;
      const leftCount = Math.floor(left / ROW);
      if (leftCount >= minLeaf && leftCount <= rightMost) {
        const rest = left - leftCount * ROW;
        const leftWeight = Math.floor(rest / WEIGHT);
        const leftOnes = rest - leftWeight * WEIGHT;
        const rightOnes = ones - leftOnes;
        const gain =
          (leftOnes * leftOnes) / leftWeight + (rightOnes * rightOnes) / (weight - leftWeight);
        if (gain > best.gain) {
          best.gain = gain;
          // In the middle of the gap between the codes that are there; "missing" has no middle.
          best.split = last === MISSING ? MISSING : (last + code - 1) >> 1;
        }
      }
      left += here;
      last = code;
      histogram[2 * code] = 0;
      histogram[2 * code + 1] = 0;
    }
    return low < high;
  }

  #partition(feature: number, split: number, from: number, to: number): number {
    const { codes, rows } = this.#input;
    const order = this.#order;
    const base = feature * rows;
    let left = from;
    let right = to - 1;
    while (left <= right) {
      if (codes[base + order[left]!]! <= split) left++;
      else this.#swap(left, right--);
    }
    return left;
  }

  #swap(a: number, b: number): void {
    const row = this.#order[a]!;
    this.#order[a] = this.#order[b]!;
    this.#order[b] = row;
    const bulk = this.#bulk[a]!;
    this.#bulk[a] = this.#bulk[b]!;
    this.#bulk[b] = bulk;
  }
}

interface Best {
  gain: number;
  split: number;
}
