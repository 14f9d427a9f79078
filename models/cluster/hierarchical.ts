import {
  checkJson,
  checkMatrix,
  checkParam,
  checkPredict,
  invalidJson,
  namesOf,
  numberOf,
} from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type { ClusterModel, Estimator, FitContext, ModelJson } from '../estimator.ts';
import { advance, partOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { takeRows } from '../matrix.ts';
import type { Scale } from '../scale.ts';
import { scaleOf, standardise } from '../scale.ts';
import { sampleRows } from '../splits.ts';
import type { Linkage } from './agglomerate.ts';
import { agglomerate, cut } from './agglomerate.ts';
import { squared } from './lloyd.ts';

export interface HierarchicalParams {
  readonly k: number;
  readonly linkage: Linkage;
  /** More rows are sampled down to this: time and, except for Ward, memory grow with their square. */
  readonly rowsMax: number;
}

const DEFAULTS: HierarchicalParams = { k: 6, linkage: 'ward', rowsMax: 20_000 };

/**
 * Hierarchical clustering of standardised columns, cut into `k`. New rows go to the nearest mean of a cluster, which
 * for training rows near a border may be another one than the tree's: `agglomerate` and `cut` give the tree's own.
 */
export class Hierarchical implements Estimator<FittedHierarchical> {
  readonly kind = 'hierarchical';
  readonly seed: number;
  readonly params: Readonly<HierarchicalParams & Record<string, unknown>>;
  readonly traits = { supervised: false, missing: 'rejects', rowOrder: 'statistical' } as const;

  constructor(options: Partial<HierarchicalParams> & { seed?: number } = {}) {
    const { seed = 1, ...params } = options;
    this.seed = seed;
    this.params = { ...DEFAULTS, ...params };
  }

  fit(X: Matrix, _y?: Target, ctx: FitContext = {}): FittedHierarchical {
    const { k, linkage, rowsMax } = this.params;
    checkMatrix(X, 'rejects');
    checkParam('k', k, 1, X.rows);
    checkParam('rowsMax', rowsMax, 1, 100_000);
    advance(ctx, 0, 'standardising');
    const scale = scaleOf(X);
    const space = standardise(takeRows(X, sampleRows(X.rows, rowsMax, this.seed)), scale);
    const tree = agglomerate(space, linkage, partOf(ctx, 0, 0.95));
    const own = cut(tree, k);
    const d = X.columns;
    const sizes = new Int32Array(k);
    const centres = new Float64Array(k * d);
    own.forEach((c, i) => {
      sizes[c]! += 1;
      for (let j = 0; j < d; j++) centres[c * d + j]! += space.data[i * d + j]!;
    });
    for (let at = 0; at < centres.length; at++) centres[at]! /= sizes[Math.floor(at / d)]!;
    advance(ctx, 1, `${k} clusters`);
    return new FittedHierarchical({
      names: [...X.names],
      scale,
      centres,
      sizes,
      heights: tree.height.slice(-HEIGHTS),
      inertia: own.reduce((sum, c, i) => sum + squared(space.data, i * d, centres, c * d, d), 0),
    });
  }
}

/** The last merges: what a person looks at to see how many groups there are. */
const HEIGHTS = 50;

interface HierarchicalState {
  readonly names: readonly string[];
  readonly scale: Scale;
  readonly centres: Float64Array;
  readonly sizes: Int32Array;
  readonly heights: Float64Array;
  readonly inertia: number;
}

const FORMAT = 1;

export class FittedHierarchical implements ClusterModel {
  readonly kind = 'hierarchical';
  readonly task = 'cluster';
  readonly names: readonly string[];
  readonly sizes: Int32Array;
  /** Sum of squared distances of the training rows to the means of their clusters. */
  readonly inertia: number;
  /** Distances of the last 50 merges, ascending: a jump says where to cut. */
  readonly heights: Float64Array;
  readonly #state: HierarchicalState;

  constructor(state: HierarchicalState) {
    this.names = state.names;
    this.sizes = state.sizes;
    this.inertia = state.inertia;
    this.heights = state.heights;
    this.#state = state;
  }

  get k(): number {
    return this.sizes.length;
  }

  predict(X: Matrix): Int32Array {
    const { data } = this.transform(X);
    return Int32Array.from({ length: X.rows }, (_, i) => {
      const row = data.subarray(i * this.k, (i + 1) * this.k);
      return row.indexOf(row.reduce((least, value) => Math.min(least, value), Infinity));
    });
  }

  /** Distances to the means in standardised units, columns `centre 0` …. */
  transform(X: Matrix): Matrix {
    checkPredict(X, this.names, 'rejects');
    const { centres, scale } = this.#state;
    const space = standardise(X, scale);
    const names = Array.from({ length: this.k }, (_, c) => `centre ${c}`);
    const data = new Float64Array(X.rows * this.k);
    for (let i = 0, at = 0; i < X.rows; i++) {
      for (let c = 0; c < this.k; c++) {
        data[at++] = Math.sqrt(
          squared(space.data, i * X.columns, centres, c * X.columns, X.columns),
        );
      }
    }
    return { rows: X.rows, columns: this.k, data, names };
  }

  toJSON(): ModelJson {
    const { names, scale, centres, sizes, heights, inertia } = this.#state;
    return {
      kind: this.kind,
      format: FORMAT,
      names,
      mean: pack(scale.mean),
      scale: pack(scale.scale),
      centres: pack(centres),
      sizes: pack(sizes),
      heights: pack(heights),
      inertia,
    };
  }

  static fromJSON(json: ModelJson): FittedHierarchical {
    checkJson(json, 'hierarchical', FORMAT);
    const names = namesOf(json);
    const sizes = unpack(json['sizes'], 'i32');
    if (sizes.length === 0) throw invalidJson('hierarchical', 'it has no clusters');
    return new FittedHierarchical({
      names,
      scale: {
        mean: unpack(json['mean'], 'f64', names.length),
        scale: unpack(json['scale'], 'f64', names.length),
      },
      centres: unpack(json['centres'], 'f64', sizes.length * names.length),
      sizes,
      heights: unpack(json['heights'], 'f64'),
      inertia: numberOf(json, 'inertia'),
    });
  }
}
