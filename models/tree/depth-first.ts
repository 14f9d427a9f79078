import type { Random } from '../random.ts';
import type { Coded } from './leaf-wise.ts';
import { partition, tighten } from './leaf-wise.ts';
import type { SplitRules, Whole } from './split.ts';
import { Best, Cells, SplitSearch } from './split.ts';
import type { TreesBuilder } from './trees.ts';

export interface DepthFirstParams extends SplitRules {
  readonly maxDepth: number;
  /** Columns tried at each node. */
  readonly columnsTried: number;
}

/** What one tree learns from; the arrays may change between trees. */
export interface Sample {
  /** How much each row counts; 0 leaves it out. */
  readonly weight: Float64Array | Int32Array;
  readonly target: Float64Array | Uint8Array;
}

/**
 * Three sums in one double, since adding is what the time goes into: rows × 2³⁴ + weight × 2¹⁷ + weight × target. It
 * holds whole weights and targets of 0 and 1, as long as the weights of a tree's rows add up to less than 2¹⁷.
 */
const ROW = 2 ** 34;
const WEIGHT = 2 ** 17;
/** The most rows that one tree may draw where sums are taken together. */
export const DRAWN_MAX = WEIGHT - 1;

interface Task extends Whole {
  readonly from: number;
  readonly to: number;
  readonly depth: number;
  /** The node whose right child this is, or −1. */
  readonly parent: number;
}

/**
 * Grows trees as deep as they may become, node by node (CART, Breiman 1984), each on a few random columns (random
 * forests, Breiman 2001), from the sums per code. One grower serves all trees of a forest, so that its arrays are made
 * once.
 */
export class DepthFirstGrower {
  readonly #data: Coded;
  readonly #params: DepthFirstParams;
  readonly #sample: Sample;
  readonly #together: boolean;
  readonly #search: SplitSearch;
  readonly #cells = new Cells();
  readonly #best = new Best();
  /** The rows in the bag, those of one node beside each other; and what each adds to the sums. */
  readonly #order: Int32Array;
  readonly #aside: Int32Array;
  readonly #bulk: Float64Array;
  readonly #moment: Float64Array;
  readonly #columns: Int32Array;
  /** By depth: which columns have one value only in the node above, so that they need no second look. */
  readonly #constant: Uint8Array[];
  /** Sums per code, twice; zero between scans. */
  readonly #histogram = new Float64Array(2 * 256);
  readonly #moments = new Float64Array(256);
  #unit = ROW;
  /** Reduction of the squared error by each column, over all trees. */
  readonly gain: Float64Array;

  /** `together` says that weights are whole and targets 0 or 1. */
  constructor(data: Coded, sample: Sample, params: DepthFirstParams, together: boolean) {
    const { rows, columns } = data;
    this.#data = data;
    this.#params = params;
    this.#sample = sample;
    this.#together = together;
    this.#search = new SplitSearch(params, data.categorical);
    this.#order = new Int32Array(rows);
    this.#aside = new Int32Array(rows);
    this.#bulk = new Float64Array(rows);
    this.#moment = new Float64Array(together ? 0 : rows);
    this.#columns = new Int32Array(columns);
    this.#constant = Array.from({ length: params.maxDepth + 2 }, () => new Uint8Array(columns));
    this.gain = new Float64Array(columns);
  }

  /** Grows one more tree on the sample as it is now. */
  grow(random: Random, builder: TreesBuilder): void {
    const count = this.#gather();
    // The order of columns must not depend on the trees before, so that a tree is its seed's alone.
    for (let j = 0; j < this.#columns.length; j++) this.#columns[j] = j;
    const bounds = { low: -Infinity, high: Infinity, depth: 0, parent: -1 };
    const open: Task[] = [{ ...this.#total(count), ...bounds, from: 0, to: count }];
    for (let task = open.pop(); task; task = open.pop()) {
      const { n, g, h, low, high, from, to, parent } = task;
      const node = builder.add(this.#search.value(g, h, low, high), n);
      if (parent >= 0) builder.link(parent, node);
      if (!this.#find(task, random)) continue;
      const best = this.#best;
      builder.ask(node, best);
      const middle = partition(this.#data, this.#order, this.#aside, best, from, to);
      const depth = task.depth + 1;
      const left = { n: best.leftN, g: best.leftG, h: best.leftH, low, high };
      const right = { n: n - best.leftN, g: g - best.leftG, h: h - best.leftH, low, high };
      tighten(this.#search, this.#params.monotone?.[best.feature] ?? 0, left, right);
      // The left one is taken next, so it is the next node, and needs no link.
      open.push({ ...right, from: middle, to, depth, parent: node });
      open.push({ ...left, from, to: middle, depth, parent: -1 });
    }
    builder.endTree();
  }

  /** The rows that count, and what each adds, by row. */
  #gather(): number {
    const { weight, target } = this.#sample;
    let count = 0;
    let sum = 0;
    let absolute = 0;
    for (let i = 0; i < weight.length; i++) {
      const w = weight[i]!;
      if (w === 0) continue;
      this.#order[count++] = i;
      sum += w;
      absolute += Math.abs(w * target[i]!);
    }
    if (this.#together) {
      for (let p = 0; p < count; p++) {
        const row = this.#order[p]!;
        this.#bulk[row] = ROW + weight[row]! * (WEIGHT + target[row]!);
      }
      return count;
    }
    // Rounded to steps that let all sums be exact, so that the order of rows changes nothing.
    this.#unit = 2 ** Math.ceil(Math.log2(sum * 1.001));
    const stepH = this.#unit * 2 ** (Math.ceil(Math.log2(count + 1)) - 51);
    const stepG = 2 ** (Math.ceil(Math.log2(absolute + 2 ** -900)) - 51);
    for (let p = 0; p < count; p++) {
      const row = this.#order[p]!;
      const w = weight[row]!;
      this.#bulk[row] = this.#unit + Math.max(stepH, rounded(w, stepH));
      this.#moment[row] = rounded(-w * target[row]!, stepG);
    }
    return count;
  }

  #total(count: number): { n: number; g: number; h: number } {
    let bulk = 0;
    let g = 0;
    for (let p = 0; p < count; p++) {
      const row = this.#order[p]!;
      bulk += this.#bulk[row]!;
      if (!this.#together) g += this.#moment[row]!;
    }
    bulk -= count * this.#unit;
    if (!this.#together) return { n: count, g, h: bulk };
    const h = Math.floor(bulk / WEIGHT);
    return { n: count, g: h * WEIGHT - bulk, h };
  }

  /** The best cut of a node by a few random columns; false where it stays a leaf. */
  #find(task: Task, random: Random): boolean {
    const { n, g, h, depth } = task;
    if (n < 2 * this.#params.minLeaf || depth >= this.#params.maxDepth) return false;
    if (this.#together && (g === 0 || -g === h)) return false;
    const best = this.#best;
    const worth = this.#search.worth(task);
    // A reduction that is only rounding is none.
    best.reset(worth + (this.#together ? 1e-12 * h : 1e-9 * Math.abs(worth) + 1e-15));
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
      if (this.#together) this.#scanTogether(column, task);
      else this.#scan(column, task);
      if (this.#cells.count < 2) {
        constant[column] = 1;
        continue;
      }
      varied++;
      this.#search.look(column, this.#cells, task, best);
    }
    if (best.feature < 0) return false;
    this.gain[best.feature]! += best.gain - worth;
    return true;
  }

  /** Sums of one column where three fit in one number. */
  #scanTogether(column: number, { from, to }: Task): void {
    const histogram = this.#histogram;
    const { codes, rows } = this.#data;
    const order = this.#order;
    const bulk = this.#bulk;
    const base = column * rows;
    let low = 255;
    let high = 0;
    // Rows take turns between two histograms: adding to the same cell again must wait for the sum before.
    for (let p = from; p < to; p++) {
      const row = order[p]!;
      const code = codes[base + row]!;
      if (code < low) low = code;
      if (code > high) high = code;
      histogram[2 * code + (p & 1)]! += bulk[row]!;
    }
    const { code: at, n, g, h } = this.#cells;
    let count = 0;
    for (let code = low; code <= high; code++) {
      const sum = histogram[2 * code]! + histogram[2 * code + 1]!;
      if (sum === 0) continue;
      histogram[2 * code] = 0;
      histogram[2 * code + 1] = 0;
      const counted = Math.floor(sum / ROW);
      const rest = sum - counted * ROW;
      const weight = Math.floor(rest / WEIGHT);
      at[count] = code;
      n[count] = counted;
      g[count] = weight * WEIGHT - rest;
      h[count] = weight;
      count++;
    }
    this.#cells.count = count;
  }

  #scan(column: number, { from, to }: Task): void {
    const histogram = this.#histogram;
    const moments = this.#moments;
    const { codes, rows } = this.#data;
    const base = column * rows;
    let low = 255;
    let high = 0;
    for (let p = from; p < to; p++) {
      const row = this.#order[p]!;
      const code = codes[base + row]!;
      if (code < low) low = code;
      if (code > high) high = code;
      histogram[code]! += this.#bulk[row]!;
      moments[code]! += this.#moment[row]!;
    }
    const { code: at, n, g, h } = this.#cells;
    let count = 0;
    for (let code = low; code <= high; code++) {
      const sum = histogram[code]!;
      if (sum === 0) continue;
      histogram[code] = 0;
      at[count] = code;
      n[count] = Math.floor(sum / this.#unit);
      h[count] = sum - n[count]! * this.#unit;
      g[count] = moments[code]!;
      moments[code] = 0;
      count++;
    }
    this.#cells.count = count;
  }
}

/** The nearest multiple of a step that is a power of two: the sum keeps no bit below it. */
function rounded(value: number, step: number): number {
  const shift = 1.5 * 2 ** 52 * step;
  return value + shift - shift;
}
