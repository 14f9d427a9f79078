import { CATEGORIES, MISSING_LEFT, MISSING_RIGHT, SET_WORDS } from './trees.ts';

/**
 * The one search for splits. Each row brings a gradient g and a weight h (of boosting the first and second derivative
 * of the loss; of a tree or a forest −weight × target and weight). A node predicts −Σg / (Σh + λ), and a cut's worth is
 * Σ (Σg)² / (Σh + λ) over both sides (Chen, Guestrin 2016), which for a 0/1 target is the Gini impurity (Breiman 1984).
 */
export interface SplitRules {
  /** Rows that each side must hold. */
  readonly minLeaf: number;
  /** Σh that each side must hold. */
  readonly minWeight: number;
  readonly lambda: number;
  /** Drawn to the mean as if this many rows more had it: categories that few rows have must not win by luck. */
  readonly categorySmooth: number;
  /** Added to λ where a set of categories is judged. */
  readonly categoryLambda: number;
  /** For each column 1 where the prediction must not fall with it, −1 where it must not rise, else 0; null for none. */
  readonly monotone: Int8Array | null;
}

/** The sums of one column's codes in one node: codes that are there, ascending. */
export class Cells {
  count = 0;
  readonly code = new Uint8Array(256);
  readonly n = new Float64Array(256);
  readonly g = new Float64Array(256);
  readonly h = new Float64Array(256);
}

/** The node that shall be cut. */
export interface Whole {
  readonly n: number;
  readonly g: number;
  readonly h: number;
  /** Bounds of its prediction, from monotone columns above. */
  readonly low: number;
  readonly high: number;
}

/** The best cut so far. `feature` is −1 where there is none. */
export class Best {
  feature = -1;
  gain = 0;
  rule = 0;
  split = 0;
  readonly set = new Int32Array(SET_WORDS);
  leftN = 0;
  leftG = 0;
  leftH = 0;

  /** `gain` is what a cut must exceed. */
  reset(gain: number): void {
    this.feature = -1;
    this.gain = gain;
  }
}

export class SplitSearch {
  readonly #rules: SplitRules;
  readonly #categorical: Uint8Array;
  readonly #order: number[] = [];
  readonly #ratio = new Float64Array(256);

  constructor(rules: SplitRules, categorical: Uint8Array) {
    this.#rules = rules;
    this.#categorical = categorical;
  }

  /** Prediction of a node. */
  value(g: number, h: number, low: number, high: number): number {
    return Math.min(high, Math.max(low, -g / (h + this.#rules.lambda)));
  }

  /** Worth of a node that is left whole. */
  worth({ g, h, low, high }: Whole): number {
    const { lambda, monotone } = this.#rules;
    return monotone ? this.#bounded(g, h + lambda, low, high) : (g * g) / (h + lambda);
  }

  #bounded(g: number, h: number, low: number, high: number): number {
    const value = Math.min(high, Math.max(low, -g / h));
    return -(2 * g * value + h * value * value);
  }

  /** Looks at one column, and puts its best cut into `best` where it is better than what is there. */
  look(feature: number, cells: Cells, whole: Whole, best: Best): void {
    if (cells.count < 2) return;
    if (this.#categorical[feature] === 1) this.#categories(feature, cells, whole, best);
    else if (this.#rules.monotone) this.#monotone(feature, cells, whole, best);
    else this.#numbers(feature, cells, whole, best);
  }

  #numbers(feature: number, cells: Cells, whole: Whole, best: Best): void {
    const missing = cells.code[0] === 0;
    this.#cuts(feature, cells, whole, best, 0, missing ? MISSING_LEFT : -1);
    // The other way round: all up to the cut, but not what is missing.
    if (missing && cells.count > 2) this.#cuts(feature, cells, whole, best, 1, MISSING_RIGHT);
  }

  /** All cuts of the cells from `first` on; −1 as rule sends the missing, of which there are none, to the larger side. */
  #cuts(
    feature: number,
    { count, code, n, g, h }: Cells,
    whole: Whole,
    best: Best,
    first: number,
    rule: number,
  ): void {
    const { minLeaf, minWeight, lambda } = this.#rules;
    const rightMost = whole.n - minLeaf;
    let leftN = 0;
    let leftG = 0;
    let leftH = 0;
    let gainMax = best.gain;
    let at = -1;
    for (let i = first; i < count - 1; i++) {
      leftN += n[i]!;
      leftG += g[i]!;
      leftH += h[i]!;
      if (leftN < minLeaf) continue;
      if (leftN > rightMost) break;
      const rightG = whole.g - leftG;
      const rightH = whole.h - leftH;
      if (leftH < minWeight || rightH < minWeight) continue;
      const gain = (leftG * leftG) / (leftH + lambda) + (rightG * rightG) / (rightH + lambda);
      if (gain > gainMax) {
        gainMax = gain;
        at = i;
        best.leftN = leftN;
        best.leftG = leftG;
        best.leftH = leftH;
      }
    }
    if (at < 0) return;
    best.gain = gainMax;
    this.#cutAt(feature, code, at, whole, best, rule);
  }

  #cutAt(
    feature: number,
    code: Uint8Array,
    at: number,
    whole: Whole,
    best: Best,
    rule: number,
  ): void {
    best.feature = feature;
    const last = code[at]!;
    // In the middle of the gap between the codes that are there; "missing" has no middle.
    best.split = last === 0 ? 0 : (last + code[at + 1]! - 1) >> 1;
    best.rule = rule >= 0 ? rule : 2 * best.leftN >= whole.n ? MISSING_LEFT : MISSING_RIGHT;
  }

  /** As `#numbers`, with predictions in bounds and in order. Slower, so apart. */
  #monotone(feature: number, cells: Cells, whole: Whole, best: Best): void {
    const { minLeaf, minWeight, lambda, monotone } = this.#rules;
    const direction = monotone![feature]!;
    const { low, high } = whole;
    const missing = cells.code[0] === 0;
    for (let first = 0; first < (missing && cells.count > 2 ? 2 : 1); first++) {
      let leftN = 0;
      let leftG = 0;
      let leftH = 0;
      for (let i = first; i < cells.count - 1; i++) {
        leftN += cells.n[i]!;
        leftG += cells.g[i]!;
        leftH += cells.h[i]!;
        const rightG = whole.g - leftG;
        const rightH = whole.h - leftH;
        if (leftN < minLeaf || whole.n - leftN < minLeaf) continue;
        if (leftH < minWeight || rightH < minWeight) continue;
        const rise = this.value(rightG, rightH, low, high) - this.value(leftG, leftH, low, high);
        if (direction * rise < 0) continue;
        const gain =
          this.#bounded(leftG, leftH + lambda, low, high) +
          this.#bounded(rightG, rightH + lambda, low, high);
        if (gain <= best.gain) continue;
        best.gain = gain;
        best.leftN = leftN;
        best.leftG = leftG;
        best.leftH = leftH;
        const rule = missing ? (first === 0 ? MISSING_LEFT : MISSING_RIGHT) : -1;
        this.#cutAt(feature, cells.code, i, whole, best, rule);
      }
    }
  }

  /**
   * Categories in the order of their own prediction; the best set is a beginning of that order (Fisher 1958; Breiman
   * 1984, theorem 4.5). Where there are few, smoothing would only hide what they say.
   */
  #categories(feature: number, cells: Cells, whole: Whole, best: Best): void {
    const { minLeaf, minWeight, lambda, categorySmooth, categoryLambda, monotone } = this.#rules;
    const { count, n, g, h } = cells;
    const order = this.#order;
    order.length = count;
    for (let i = 0; i < count; i++) {
      order[i] = i;
      this.#ratio[i] = g[i]! / (h[i]! + categorySmooth);
    }
    const ratio = this.#ratio;
    order.sort((a, b) => ratio[a]! - ratio[b]! || a - b);
    const penalty = count > 4 ? lambda + categoryLambda : lambda;
    let leftN = 0;
    let leftG = 0;
    let leftH = 0;
    let taken = 0;
    for (let k = 0; k < count - 1; k++) {
      const i = order[k]!;
      leftN += n[i]!;
      leftG += g[i]!;
      leftH += h[i]!;
      const rightG = whole.g - leftG;
      const rightH = whole.h - leftH;
      if (leftN < minLeaf || whole.n - leftN < minLeaf) continue;
      if (leftH < minWeight || rightH < minWeight) continue;
      const gain = monotone
        ? this.#bounded(leftG, leftH + penalty, whole.low, whole.high) +
          this.#bounded(rightG, rightH + penalty, whole.low, whole.high)
        : (leftG * leftG) / (leftH + penalty) + (rightG * rightG) / (rightH + penalty);
      if (gain <= best.gain) continue;
      best.gain = gain;
      best.leftN = leftN;
      best.leftG = leftG;
      best.leftH = leftH;
      taken = k + 1;
    }
    if (taken === 0) return;
    best.feature = feature;
    best.rule = CATEGORIES;
    // Categories that are not in the node go where most rows go.
    const largerIsLeft = 2 * best.leftN >= whole.n;
    best.set.fill(largerIsLeft ? -1 : 0);
    for (let k = 0; k < count; k++) {
      const c = cells.code[order[k]!]!;
      if (k < taken) best.set[c >> 5]! |= 1 << (c & 31);
      else best.set[c >> 5]! &= ~(1 << (c & 31));
    }
  }
}
