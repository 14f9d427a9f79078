import type { Matrix, Target } from './matrix.ts';

/**
 * The one interface of everything that learns.
 *
 * - The constructor of an estimator stores hyper-parameters and nothing else; it neither checks nor sees data.
 * - `fit` checks, learns and returns a *new* fitted model: fitting again forgets, and earlier models stay as they are.
 * - A fitted model is immutable, predicts, and goes through JSON without losing a bit (`toJSON`, static `fromJSON`,
 *   found by `kind` in `registry.ts`).
 * - The same seed, parameters and rows give the same model on every machine.
 * - Training blocks: it is arithmetic, so whoever must stay responsive runs it in `activities/training/thread.ts`.
 *
 * `test/models/estimator-contract.ts` holds every estimator to this.
 */
export interface Estimator<M extends Model = Model> {
  /** Name of what it fits, as in the registry. */
  readonly kind: string;
  /** Seed of all its chance; unused where there is none. */
  readonly seed: number;
  readonly params: Readonly<Record<string, unknown>>;
  readonly traits: Traits;
  /**
   * Learns from all rows of `X` (and the target `y` where it is supervised).
   * Errors: MODEL_INVALID with `{row, column}` in its details; an AbortError when `ctx.signal` is aborted.
   */
  fit(X: Matrix, y?: Target, ctx?: FitContext): M;
}

/** What a caller, and the contract test, must know of an estimator. */
export interface Traits {
  readonly supervised: boolean;
  /** Whether NaN is learnt from as "missing" or refused. Infinity is always refused. */
  readonly missing: 'accepts' | 'rejects';
  /** Whether the order of the training rows changes nothing, or only as much as another seed would. */
  readonly rowOrder: 'exact' | 'statistical';
}

export interface FitContext {
  /** Looked at between units of work. An AbortSignal fits; a thread passes one that reads shared memory. */
  readonly signal?: { readonly aborted: boolean };
  /** Told after each unit of work; `fraction` never falls and ends at 1. */
  readonly onProgress?: (progress: Progress) => void;
  /** How much each row counts, at least 0; trees, forests and boosting read it, 1 each where absent. */
  readonly sampleWeight?: Float64Array;
}

export interface Progress {
  /** 0 to 1. */
  readonly fraction: number;
  /** A few words for an operator, such as "tree 40 of 200". */
  readonly note: string;
}

/** A fitted model as plain data: JSON keeps every bit of it. */
export interface ModelJson {
  readonly kind: string;
  /** Raised when the shape changes, so that an old blob is read as what it is, or refused. */
  readonly format: number;
  readonly [key: string]: unknown;
}

export interface Model {
  readonly kind: string;
  /** The columns it was fitted on, in order. */
  readonly names: readonly string[];
  toJSON(): ModelJson;
}

/** Says how probable "yes" is. */
export interface BinaryModel extends Model {
  readonly task: 'binary';
  /** P(y = 1) for each row. */
  predictProba(X: Matrix): Float64Array;
  /** 1 where the probability is at least `threshold`, 0.5 by default. */
  predict(X: Matrix, threshold?: number): Uint8Array;
}

/** Puts each row into one of `k` groups. */
export interface ClusterModel extends Model {
  readonly task: 'cluster';
  readonly k: number;
  predict(X: Matrix): Int32Array;
  /** Distance to each centre, in the units the clustering was made in. */
  transform(X: Matrix): Matrix;
}

/** Says a number. */
export interface RegressionModel extends Model {
  readonly task: 'regression';
  predict(X: Matrix): Float64Array;
}

/** Changes columns. */
export interface TransformModel extends Model {
  readonly task: 'transform';
  transform(X: Matrix): Matrix;
}

/** A model that can say exactly how much each feature moved one prediction. */
export interface SelfExplaining {
  /** `base + sum(values) = ` the prediction on that scale, to rounding. */
  contributions(row: Float64Array): Attribution;
}

export interface Attribution {
  /** The mean prediction, before anything is known of the person. */
  readonly base: number;
  /** What the base and the values add up to: probabilities, log-odds, or the target's own unit. */
  readonly scale: 'probability' | 'logit' | 'value';
  /** One for each column, in the model's order. */
  readonly values: Float64Array;
}

/** Marks one unit of work done: stops an aborted fit, then tells the progress. */
export function advance(ctx: FitContext, fraction: number, note: string): void {
  throwIfAborted(ctx);
  ctx.onProgress?.({ fraction: Math.min(1, fraction), note });
  throwIfAborted(ctx);
}

export function throwIfAborted(ctx: FitContext): void {
  if (ctx.signal?.aborted) throw abortError();
}

/** The error of an aborted training, named as the platform names it, so that callers need one test only. */
export function abortError(): Error {
  const error = new Error('The training was stopped by its caller before it was done.');
  error.name = 'AbortError';
  return error;
}

/** A context for one part of a longer work: its 0 to 1 becomes `from` to `to`. */
export function partOf(ctx: FitContext, from: number, to: number, prefix = ''): FitContext {
  return {
    ...ctx,
    onProgress: ({ fraction, note }) =>
      ctx.onProgress?.({ fraction: from + (to - from) * fraction, note: prefix + note }),
  };
}

/** Yes or no for each probability. */
export function classesOf(probabilities: Float64Array, threshold = 0.5): Uint8Array {
  const classes = new Uint8Array(probabilities.length);
  for (let i = 0; i < classes.length; i++) classes[i] = probabilities[i]! >= threshold ? 1 : 0;
  return classes;
}
