import type { Difference } from './compare.ts';
import type { Importance } from './importance.ts';
import type { BinaryMetrics, CalibrationBin } from './metrics.ts';

/** When the features of a slice were taken: the first and the last moment, in shop time. */
export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * What one must know of a trained model before trusting it. Plain data; figures that are not defined are `null`.
 * The registry (`store/models.ts`) gives the version and the time.
 */
export interface ModelCard {
  readonly name: string;
  /** The estimator's registry name. */
  readonly kind: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly seed: number;
  /** SHA-256 of the training rows: columns, values, target. */
  readonly dataHash: string;
  readonly features: readonly string[];
  /** Rows there were, and rows it learnt from; fewer where they were sampled. */
  readonly rowsGiven: number;
  readonly rowsUsed: number;
  /** What the marketer must not expect, in sentences. */
  readonly limits: readonly string[];
}

/** The card of a model that says yes or no; all its figures are from the later slice. */
export interface BinaryCard extends ModelCard {
  readonly window: { readonly train: Window; readonly later: Window; readonly horizonDays: number };
  /** SHA-256 of the later slice. */
  readonly laterHash: string;
  readonly metrics: Figures;
  readonly baseline: { readonly kind: string; readonly metrics: Figures };
  /** The model in use, on the same slice, where there is one. */
  readonly current?: { readonly metrics: Figures };
  /** ROC AUC above the baseline's. */
  readonly aucGain: { readonly [K in keyof Difference]: number | null };
  readonly calibration: readonly CalibrationBin[];
  readonly importance: readonly Importance[];
}

export type Figures = { readonly [K in keyof BinaryMetrics]: number | null };

export interface ClusterCard extends ModelCard {
  readonly asOfMs: number;
  readonly k: number;
  readonly inertia: number;
  /** −1 to 1; `null` with one cluster. */
  readonly silhouette: number | null;
  readonly clusters: readonly {
    readonly name: string;
    readonly size: number;
    readonly share: number;
    /** In the units of the features. */
    readonly centre: Readonly<Record<string, number>>;
  }[];
}

/** Figures for JSON, which knows no NaN. */
export function figures<T extends object>(values: T): { readonly [K in keyof T]: number | null } {
  const plain = Object.entries(values).map(([key, value]) => [
    key,
    Number.isFinite(value) ? (value as number) : null,
  ]);
  return Object.fromEntries(plain) as { readonly [K in keyof T]: number | null };
}
