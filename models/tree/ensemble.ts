import { checkPredict, invalid, invalidJson, namesOf, numberOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type { Attribution, ModelJson } from '../estimator.ts';
import { interventionalShap } from '../explain/interventional-shap.ts';
import { treeShap } from '../explain/tree-shap.ts';
import type { Matrix } from '../matrix.ts';
import type { Bins } from './bins.ts';
import { encode, encodeRow } from './bins.ts';
import { Predictor } from './predict.ts';
import type { Trees } from './trees.ts';
import { packTrees, unpackTrees } from './trees.ts';

/** What trees, forests and boosting have in common once they are fitted: `base + factor × Σ trees`. */
export interface EnsembleState {
  readonly names: readonly string[];
  readonly bins: Bins;
  readonly trees: Trees;
  /** Share of all that the cuts gained by each column; adds up to 1, or all 0 where nothing was cut. */
  readonly importance: Float64Array;
  readonly base: number;
  readonly factor: number;
}

export class TreeEnsemble {
  readonly names: readonly string[];
  readonly importance: Float64Array;
  readonly #state: EnsembleState;
  /** Made at the first prediction: one that is only stored needs none. */
  #predictor: Predictor | null = null;

  constructor(state: EnsembleState) {
    this.#state = state;
    this.names = state.names;
    this.importance = state.importance;
  }

  get treeCount(): number {
    return this.#state.trees.start.length - 1;
  }

  get leafCount(): number {
    return this.#state.trees.feature.reduce((count, feature) => count + (feature < 0 ? 1 : 0), 0);
  }

  /** The score of each row. */
  scores(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'accepts');
    const { bins, trees, base, factor } = this.#state;
    this.#predictor ??= new Predictor(trees);
    const sum = this.#predictor.sums(X, bins);
    for (let i = 0; i < sum.length; i++) sum[i] = base + factor * sum[i]!;
    return sum;
  }

  /** Exact Shapley values of one score, where what is unknown goes the ways of the training rows. */
  attribution(row: Float64Array, scale: Attribution['scale']): Attribution {
    this.#checkRow(row);
    const { bins, trees, base, factor } = this.#state;
    return { scale, ...scaled(treeShap(trees, encodeRow(row, bins)), base, factor) };
  }

  /** Exact Shapley values of one score against the people of `background`, of whom `base` is the mean score. */
  attributionAgainst(
    row: Float64Array,
    background: Matrix,
    scale: Attribution['scale'],
  ): Attribution {
    this.#checkRow(row);
    checkPredict(background, this.names, 'accepts');
    if (background.rows < 1) {
      throw invalid('The background has no rows; expected people to compare with.');
    }
    const { bins, trees, base, factor } = this.#state;
    const codes = encode(background, bins, 'row');
    return {
      scale,
      ...scaled(interventionalShap(trees, encodeRow(row, bins), codes), base, factor),
    };
  }

  #checkRow(row: Float64Array): void {
    const single = { rows: 1, columns: row.length, data: row, names: this.names };
    checkPredict(single, this.names, 'accepts');
  }

  parts(): Record<string, unknown> {
    const { names, bins, trees, importance, base, factor } = this.#state;
    return {
      names,
      cuts: bins.cuts.map((cuts) => pack(cuts)),
      categorical: pack(bins.categorical),
      trees: packTrees(trees),
      importance: pack(importance),
      base,
      factor,
    };
  }

  static fromParts(json: ModelJson): TreeEnsemble {
    const names = namesOf(json);
    const stored = json['cuts'];
    if (!Array.isArray(stored) || stored.length !== names.length) {
      throw invalidJson(json.kind, `it has no cuts for ${names.length} columns`);
    }
    return new TreeEnsemble({
      names,
      bins: {
        cuts: stored.map((cuts: unknown) => unpack(cuts, 'f64')),
        categorical: unpack(json['categorical'], 'u8', names.length),
      },
      trees: unpackTrees(json['trees'], json.kind, names.length),
      importance: unpack(json['importance'], 'f64', names.length),
      base: numberOf(json, 'base'),
      factor: numberOf(json, 'factor'),
    });
  }
}

function scaled(
  found: { base: number; values: Float64Array },
  base: number,
  factor: number,
): { base: number; values: Float64Array } {
  return { base: base + factor * found.base, values: found.values.map((value) => factor * value) };
}

/** Shares of a total. */
export function sharesOf(gain: Float64Array): Float64Array {
  const total = gain.reduce((sum, value) => sum + value, 0);
  return gain.map((value) => (total > 0 ? value / total : 0));
}
