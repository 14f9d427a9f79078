import { checkJson, checkMatrix, invalid, invalidJson } from '../check.ts';
import type { ClusterModel, Estimator, FitContext, ModelJson } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { columnIndex, rowOf } from '../matrix.ts';
import { FittedKMeans, KMeans } from './kmeans.ts';
import { nameClusters, RFM, yardstickOf } from './names.ts';

export interface RfmParams {
  readonly k: number;
  readonly starts: number;
}

/** Customers by recency, frequency and money: k-means on their logarithms, with names for a marketer. */
export class RfmClusters implements Estimator<FittedRfmClusters> {
  readonly kind = 'rfm-clusters';
  readonly seed: number;
  readonly params: Readonly<RfmParams & Record<string, unknown>>;
  readonly traits = { supervised: false, missing: 'rejects', rowOrder: 'statistical' } as const;

  constructor(options: Partial<RfmParams> & { seed?: number } = {}) {
    const { seed = 1, ...params } = options;
    this.seed = seed;
    this.params = { k: 6, starts: 20, ...params };
  }

  fit(X: Matrix, _y?: Target, ctx: FitContext = {}): FittedRfmClusters {
    checkMatrix(X, 'rejects');
    for (const name of RFM) checkNotNegative(X, name);
    if (X.columns !== RFM.length) {
      throw invalid(`The data has ${X.columns} columns; expected ${RFM.join(', ')} and no other.`);
    }
    const kmeans = new KMeans({ ...this.params, log1p: RFM, seed: this.seed }).fit(
      X,
      undefined,
      ctx,
    );
    return new FittedRfmClusters(kmeans, nameClusters(kmeans.centres(), yardstickOf(X)));
  }
}

/** A group of customers. */
export interface NamedCluster {
  readonly name: string;
  /** Customers of the training data in it. */
  readonly size: number;
  readonly share: number;
  /** In the units of the features, near the geometric mean. */
  readonly centre: Readonly<Record<string, number>>;
}

export class FittedRfmClusters implements ClusterModel {
  readonly kind = 'rfm-clusters';
  readonly task = 'cluster';
  readonly kmeans: FittedKMeans;
  /** By cluster number; all different. */
  readonly clusterNames: readonly string[];

  constructor(kmeans: FittedKMeans, clusterNames: readonly string[]) {
    this.kmeans = kmeans;
    this.clusterNames = clusterNames;
  }

  get names(): readonly string[] {
    return this.kmeans.names;
  }

  get k(): number {
    return this.kmeans.k;
  }

  predict(X: Matrix): Int32Array {
    return this.kmeans.predict(X);
  }

  transform(X: Matrix): Matrix {
    return this.kmeans.transform(X);
  }

  /** The cluster's name of each row. */
  nameOf(X: Matrix): string[] {
    return Array.from(this.predict(X), (cluster) => this.clusterNames[cluster]!);
  }

  /** The largest first. */
  clusters(): NamedCluster[] {
    const centres = this.kmeans.centres();
    const total = this.kmeans.sizes.reduce((sum, size) => sum + size, 0);
    return this.clusterNames.map((name, c) => ({
      name,
      size: this.kmeans.sizes[c]!,
      share: this.kmeans.sizes[c]! / total,
      centre: Object.fromEntries(this.names.map((column, j) => [column, rowOf(centres, c)[j]!])),
    }));
  }

  toJSON(): ModelJson {
    return {
      kind: this.kind,
      format: 1,
      kmeans: this.kmeans.toJSON(),
      clusterNames: this.clusterNames,
    };
  }

  static fromJSON(json: ModelJson): FittedRfmClusters {
    checkJson(json, 'rfm-clusters', 1);
    const kmeans = FittedKMeans.fromJSON(json['kmeans'] as ModelJson);
    const clusterNames = json['clusterNames'] as string[];
    if (clusterNames.length !== kmeans.k) {
      throw invalidJson(
        'rfm-clusters',
        `it has ${clusterNames.length} names for ${kmeans.k} clusters`,
      );
    }
    return new FittedRfmClusters(kmeans, clusterNames);
  }
}

function checkNotNegative(X: Matrix, name: string): void {
  const j = columnIndex(X.names, name);
  for (let i = 0; i < X.rows; i++) {
    const value = X.data[i * X.columns + j]!;
    if (value >= 0) continue;
    throw invalid(`Column "${name}" is ${value} in row ${i}; expected 0 or more.`, {
      row: i,
      column: name,
    });
  }
}
