import type { Layout } from './bundles.ts';
import { layOut } from './bundles.ts';
import type { SplitRules, Whole } from './split.ts';
import { Best, Cells, SplitSearch } from './split.ts';
import type { TreesBuilder } from './trees.ts';
import { CATEGORIES, MISSING_LEFT } from './trees.ts';

/** Coded data to grow trees on. */
export interface Coded {
  /** Codes, column after column. */
  readonly codes: Uint8Array;
  readonly rows: number;
  readonly columns: number;
  readonly categorical: Uint8Array;
}

export interface LeafWiseParams extends SplitRules {
  readonly maxLeaves: number;
  readonly maxDepth: number;
}

/** Larger histograms are not kept for subtraction, in numbers over all leaves. */
const KEPT_MAX = 2 ** 26;

interface Leaf extends Whole {
  readonly from: number;
  readonly to: number;
  readonly depth: number;
  readonly best: Best;
  /** Worth of the cut above that of the leaf, or 0. */
  readonly gain: number;
  histogram: Float64Array | null;
  left: Leaf | null;
  right: Leaf | null;
}

/**
 * Grows a tree by always cutting the leaf that gains most (leaf-wise, Shi 2007; as LightGBM). All columns' sums are
 * taken in one pass over the rows of the smaller child, and the larger child's are what is left of the parent's.
 * Gradients are rounded to a step that lets their sums be exact, so the difference is exact too, and the order of rows
 * changes nothing.
 */
export class LeafWiseGrower {
  readonly #data: Coded;
  readonly #params: LeafWiseParams;
  readonly #layout: Layout;
  readonly #search: SplitSearch;
  readonly #cells = new Cells();
  /** Rows in training, those of one leaf beside each other. */
  readonly #order: Int32Array;
  readonly #rows: Int32Array;
  readonly #aside: Int32Array;
  /** By row: g, and in one number the count (times `#unit`) and h. */
  readonly #g: Float64Array;
  readonly #nh: Float64Array;
  #unit = 1;
  readonly #free: Float64Array[] = [];
  readonly #keeps: boolean;
  #columns: Int32Array;
  #leaves: Leaf[] = [];
  /** What each column's cuts gained, over all trees. */
  readonly gain: Float64Array;

  /** `rows` are those in training. */
  constructor(data: Coded, rows: Int32Array, params: LeafWiseParams) {
    this.#data = data;
    this.#params = params;
    this.#rows = rows;
    this.#layout = layOut(data.codes, data.rows, data.columns);
    this.#search = new SplitSearch(params, data.categorical);
    this.#order = new Int32Array(rows.length);
    this.#aside = new Int32Array(rows.length);
    this.#g = new Float64Array(data.rows);
    this.#nh = new Float64Array(data.rows);
    this.#keeps = 2 * this.#layout.size * params.maxLeaves <= KEPT_MAX;
    this.#columns = Int32Array.from({ length: data.columns }, (_, j) => j);
    this.gain = new Float64Array(data.columns);
  }

  /**
   * Grows one tree on gradients `g` and weights `h` by row, and writes it, with its predictions times `rate`, to
   * `builder`; `score` gets the prediction added for the training rows. Only `columns` are looked at.
   */
  grow(
    g: Float64Array,
    h: Float64Array,
    rate: number,
    builder: TreesBuilder,
    score: Float64Array,
    columns: Int32Array = this.#columns,
  ): void {
    const { maxLeaves, maxDepth } = this.#params;
    this.#columns = columns;
    const root = this.#root(g, h);
    const leaves = [root];
    while (leaves.length < maxLeaves) {
      let pick = -1;
      for (let i = 0; i < leaves.length; i++) {
        const { gain, depth } = leaves[i]!;
        if (gain > 0 && depth < maxDepth && (pick < 0 || gain > leaves[pick]!.gain)) pick = i;
      }
      if (pick < 0) break;
      const leaf = leaves[pick]!;
      this.#cut(leaf);
      leaves[pick] = leaf.left!;
      leaves.push(leaf.right!);
    }
    this.#leaves = leaves;
    for (const leaf of leaves) this.#release(leaf);
    this.#write(root, rate, builder);
    for (const { from, to, g: sum, h: weight, low, high } of leaves) {
      const value = rate * this.#search.value(sum, weight, low, high);
      for (let p = from; p < to; p++) score[this.#order[p]!]! += value;
    }
    builder.endTree();
  }

  /** Leaves of the last tree; 1 where nothing was worth a cut. */
  get leafCount(): number {
    return this.#leaves.length;
  }

  #root(g: Float64Array, h: Float64Array): Leaf {
    const rows = this.#rows;
    this.#order.set(rows);
    let absolute = 0;
    let weight = 0;
    for (let p = 0; p < rows.length; p++) {
      absolute += Math.abs(g[rows[p]!]!);
      weight += h[rows[p]!]!;
    }
    // A double holds 53 bits: steps so small that the largest sum still has one bit for each step below it.
    const stepG = 2 ** (Math.ceil(Math.log2(absolute + 2 ** -900)) - 51);
    this.#unit = 2 ** Math.ceil(Math.log2(weight * 1.001 + 2 ** -900));
    const stepH = this.#unit * 2 ** (Math.ceil(Math.log2(rows.length + 1)) - 51);
    // Adding and subtracting 1.5 × 2^52 steps rounds to a step.
    const roundG = 1.5 * 2 ** 52 * stepG;
    const roundH = 1.5 * 2 ** 52 * stepH;
    let sumG = 0;
    let sumH = 0;
    for (let p = 0; p < rows.length; p++) {
      const row = rows[p]!;
      const gradient = g[row]! + roundG - roundG;
      const own = Math.max(h[row]! + roundH - roundH, stepH);
      this.#g[row] = gradient;
      this.#nh[row] = this.#unit + own;
      sumG += gradient;
      sumH += own;
    }
    const whole = { n: rows.length, g: sumG, h: sumH, low: -Infinity, high: Infinity };
    const histogram = this.#take();
    this.#sum(histogram, 0, rows.length);
    return this.#leaf(whole, 0, rows.length, 0, histogram);
  }

  #leaf(whole: Whole, from: number, to: number, depth: number, histogram: Float64Array): Leaf {
    const best = new Best();
    const worth = this.#search.worth(whole);
    const { minLeaf, minWeight, maxDepth } = this.#params;
    if (whole.n >= 2 * minLeaf && whole.h >= 2 * minWeight && depth < maxDepth) {
      // A gain that is only rounding is none.
      best.reset(worth + 1e-9 * Math.abs(worth) + 1e-15);
      for (const column of this.#columns) {
        this.#read(column, histogram, whole);
        this.#search.look(column, this.#cells, whole, best);
      }
    }
    const gain = best.feature < 0 ? 0 : best.gain - worth;
    const { n, g, h, low, high } = whole;
    const leaf: Leaf = {
      n,
      g,
      h,
      low,
      high,
      from,
      to,
      depth,
      best,
      gain,
      histogram,
      left: null,
      right: null,
    };
    if (!this.#keeps) this.#release(leaf);
    return leaf;
  }

  /** Adds the rows' gradients to the cells of all bundles. The hot loop: 2 additions for each bundle of each row. */
  #sum(histogram: Float64Array, from: number, to: number): void {
    const { width, cells } = this.#layout;
    const order = this.#order;
    const g = this.#g;
    const nh = this.#nh;
    histogram.fill(0);
    for (let p = from; p < to; p++) {
      const row = order[p]!;
      const gradient = g[row]!;
      const counted = nh[row]!;
      const end = row * width + width;
      for (let at = end - width; at < end; at++) {
        const cell = cells[at]! << 1;
        histogram[cell]! += gradient;
        histogram[cell + 1]! += counted;
      }
    }
  }

  /** The sums of one column, cells without rows left out; what a silent code holds is the rest of the node. */
  #read(column: number, histogram: Float64Array, whole: Whole): void {
    const { base, codes, silent } = this.#layout;
    const cells = this.#cells;
    const unit = this.#unit;
    const perUnit = 1 / unit;
    const quiet = silent[column]!;
    const last = codes[column]!;
    let restG = whole.g;
    let restN = whole.n;
    let restH = whole.h;
    let at = 2 * base[column]!;
    let count = 0;
    let quietAt = -1;
    for (let code = 0; code < last; code++) {
      if (code === quiet) {
        quietAt = count++;
        continue;
      }
      const counted = histogram[at + 1]!;
      if (counted !== 0) {
        const g = histogram[at]!;
        const n = Math.floor(counted * perUnit);
        const h = counted - n * unit;
        cells.code[count] = code;
        cells.n[count] = n;
        cells.g[count] = g;
        cells.h[count] = h;
        count++;
        restN -= n;
        restG -= g;
        restH -= h;
      }
      at += 2;
    }
    if (quietAt >= 0) {
      cells.code[quietAt] = quiet;
      cells.n[quietAt] = restN;
      cells.g[quietAt] = restG;
      cells.h[quietAt] = restH;
      if (restN === 0) count = dropCell(cells, quietAt, count);
    }
    cells.count = count;
  }

  #cut(leaf: Leaf): void {
    const { best, from, to, depth, n, g, h, low, high } = leaf;
    this.gain[best.feature]! += leaf.gain;
    const middle = partition(this.#data, this.#order, this.#aside, best, from, to);
    const left = { n: best.leftN, g: best.leftG, h: best.leftH, low, high };
    const right = { n: n - best.leftN, g: g - best.leftG, h: h - best.leftH, low, high };
    tighten(this.#search, this.#params.monotone?.[best.feature] ?? 0, left, right);
    const leftIsSmaller = middle - from <= to - middle;
    const small = this.#take();
    const make = (isLeft: boolean, histogram: Float64Array): void => {
      const [whole, start, end] = isLeft ? [left, from, middle] : [right, middle, to];
      leaf[isLeft ? 'left' : 'right'] = this.#leaf(whole, start, end, depth + 1, histogram);
    };
    if (leftIsSmaller) this.#sum(small, from, middle);
    else this.#sum(small, middle, to);
    const rest = leaf.histogram;
    if (rest) {
      for (let at = 0; at < rest.length; at++) rest[at]! -= small[at]!;
      leaf.histogram = null;
      make(leftIsSmaller, small);
      make(!leftIsSmaller, rest);
      return;
    }
    make(leftIsSmaller, small);
    const large = this.#take();
    if (leftIsSmaller) this.#sum(large, middle, to);
    else this.#sum(large, from, middle);
    make(!leftIsSmaller, large);
  }

  #write(leaf: Leaf, rate: number, builder: TreesBuilder): number {
    const value = rate * this.#search.value(leaf.g, leaf.h, leaf.low, leaf.high);
    const node = builder.add(value, leaf.n);
    if (!leaf.left) return node;
    builder.ask(node, leaf.best);
    this.#write(leaf.left, rate, builder);
    builder.link(node, this.#write(leaf.right!, rate, builder));
    return node;
  }

  #take(): Float64Array {
    return this.#free.pop() ?? new Float64Array(2 * this.#layout.size);
  }

  #release(leaf: Leaf): void {
    if (leaf.histogram) this.#free.push(leaf.histogram);
    leaf.histogram = null;
  }
}

function dropCell(cells: Cells, at: number, count: number): number {
  for (const values of [cells.code, cells.n, cells.g, cells.h]) {
    values.copyWithin(at, at + 1, count);
  }
  return count - 1;
}

/** Below a cut of a monotone column both sides keep to their side of the middle. */
export function tighten(
  search: SplitSearch,
  direction: number,
  left: { g: number; h: number; low: number; high: number },
  right: { g: number; h: number; low: number; high: number },
): void {
  if (direction === 0) return;
  const middle =
    (search.value(left.g, left.h, left.low, left.high) +
      search.value(right.g, right.h, right.low, right.high)) /
    2;
  if (direction > 0) {
    left.high = Math.min(left.high, middle);
    right.low = Math.max(right.low, middle);
  } else {
    left.low = Math.max(left.low, middle);
    right.high = Math.min(right.high, middle);
  }
}

/** Puts the rows that go left before the others, both in the order they had; returns where the others begin. */
export function partition(
  { codes, rows }: Coded,
  order: Int32Array,
  aside: Int32Array,
  { feature, rule, split, set }: Best,
  from: number,
  to: number,
): number {
  const base = feature * rows;
  let left = from;
  let kept = 0;
  if (rule === CATEGORIES) {
    for (let p = from; p < to; p++) {
      const row = order[p]!;
      const code = codes[base + row]!;
      if (((set[code >> 5]! >>> (code & 31)) & 1) === 1) order[left++] = row;
      else aside[kept++] = row;
    }
  } else {
    // One comparison for both rules: without a place for "missing" on the left, codes wrap around below 1.
    const shift = rule === MISSING_LEFT ? 256 : 255;
    const limit = rule === MISSING_LEFT ? split : split - 1;
    for (let p = from; p < to; p++) {
      const row = order[p]!;
      // Both are written, and one is counted: a branch that nobody can foresee costs more.
      const goesRight = (limit - ((codes[base + row]! + shift) & 255)) >>> 31;
      order[left] = row;
      aside[kept] = row;
      kept += goesRight;
      left += 1 - goesRight;
    }
  }
  order.set(aside.subarray(0, kept), left);
  return left;
}
