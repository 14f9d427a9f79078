import type { ClusterCard } from './card.ts';
import type { FittedRfmClusters } from './cluster/rfm.ts';
import { RfmClusters } from './cluster/rfm.ts';
import { silhouette } from './cluster/silhouette.ts';
import { checkMatrix, checkParam } from './check.ts';
import type { FitContext } from './estimator.ts';
import { advance, partOf } from './estimator.ts';
import { dataHash } from './hash.ts';
import type { Matrix } from './matrix.ts';
import { rowOf, takeRows } from './matrix.ts';
import { sampleRows } from './splits.ts';

export interface TrainClustersInput {
  /** Columns `recencyDays`, `orders`, `revenue`; one row for each person with an order. */
  readonly X: Matrix;
  /** When the features were taken. */
  readonly asOfMs: number;
  readonly seed: number;
  /** `customers` by default. */
  readonly name?: string;
  /** 6 by default; fewer where there are not so many different customers. */
  readonly k?: number;
  /** More rows are sampled down to this, and the card says so; all can be predicted. */
  readonly rowsMax?: number;
  readonly ctx?: FitContext;
}

export interface TrainedClusters {
  readonly model: FittedRfmClusters;
  readonly card: ClusterCard;
}

/** Below this the groups run into each other. */
const SILHOUETTE_CLEAR = 0.25;

/** Groups customers by recency, orders and revenue, and names the groups. */
export function trainClusters(input: TrainClustersInput): TrainedClusters {
  const { asOfMs, seed, name = 'customers', k = 6, rowsMax = 100_000, ctx = {} } = input;
  checkMatrix(input.X, 'rejects');
  checkParam('k', k, 1, 100);
  checkParam('rowsMax', rowsMax, 1, 10_000_000);
  const X = takeRows(input.X, sampleRows(input.X.rows, rowsMax, seed));
  const possible = Math.min(k, differentRows(X, k));
  const estimator = new RfmClusters({ k: possible, seed });
  const model = estimator.fit(X, undefined, partOf(ctx, 0, 0.8));
  const quality = silhouette(model.kmeans.space(X), model.predict(X), { seed });
  advance(ctx, 1, 'judged the clusters');
  const limits: string[] = [];
  if (X.rows < input.X.rows) {
    limits.push(`It learnt from a random ${X.rows} of ${input.X.rows} rows.`);
  }
  if (possible < k) {
    limits.push(`It has ${possible} clusters instead of ${k}: no more customers differ.`);
  }
  if (quality < SILHOUETTE_CLEAR) {
    limits.push(
      `The groups run into each other (silhouette ${quality.toFixed(2)}): people near a border could be in either.`,
    );
  }
  return {
    model,
    card: {
      name,
      kind: estimator.kind,
      params: estimator.params,
      seed,
      dataHash: dataHash(X),
      features: [...X.names],
      rowsGiven: input.X.rows,
      rowsUsed: X.rows,
      asOfMs,
      k: possible,
      inertia: model.kmeans.inertia,
      silhouette: Number.isNaN(quality) ? null : quality,
      clusters: model.clusters(),
      limits,
    },
  };
}

/** How many different rows there are; counts no further than `enough`. */
function differentRows(X: Matrix, enough: number): number {
  const seen = new Set<string>();
  for (let i = 0; i < X.rows && seen.size < enough; i++) seen.add(rowOf(X, i).join());
  return seen.size;
}
