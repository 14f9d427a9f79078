import { checkJson, checkMatrix, checkParam, checkPredict, invalid, namesOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type { BinaryModel, Estimator, FitContext, ModelJson } from '../estimator.ts';
import { advance, classesOf, partOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { columnOf } from '../matrix.ts';
import { hessianAt, minimise } from '../optimise.ts';
import { bgNbdObjective, groupHistories } from './bg-nbd-likelihood.ts';
import { checkHistories } from './histories.ts';
import { factorOf } from './parameter-draws.ts';
import { hypergeometric } from './special.ts';

export interface BgNbdParams {
  readonly iterations: number;
}

/**
 * The "buy till you die" model BG/NBD (Fader, Hardie, Lee 2005, "Counting Your Customers the Easy Way"): while alive,
 * people buy at a rate of their own (gamma over people, shape r and scale α), and after each purchase leave with a
 * chance of their own (beta over people, a and b). Reads `frequency`, `recency`, `T` of `histories.ts`, in any order
 * of columns; other columns are not looked at. It needs no target: the histories are all there is to learn.
 */
export class BgNbd implements Estimator<FittedBgNbd> {
  readonly kind = 'bg-nbd';
  readonly seed = 0;
  readonly params: Readonly<BgNbdParams & Record<string, unknown>>;
  readonly traits = { supervised: false, missing: 'rejects', rowOrder: 'exact' } as const;

  constructor(options: Partial<BgNbdParams> = {}) {
    this.params = { iterations: 300, ...options };
  }

  fit(X: Matrix, _y?: Target, ctx: FitContext = {}): FittedBgNbd {
    checkMatrix(X, 'rejects');
    checkParam('iterations', this.params.iterations, 1, 100_000);
    const [frequency, recency, T] = checkHistories(X).map((j) => columnOf(X, j)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    if (!frequency.some((x) => x > 0)) {
      throw invalid(
        `None of ${X.rows} people bought twice; expected some who did, so take a longer window.`,
      );
    }
    advance(ctx, 0, 'grouping equal histories');
    const objective = bgNbdObjective(groupHistories(frequency, recency, T));
    const meanAge = T.reduce((sum, age) => sum + age / T.length, 0);
    const start = [0, Math.log(Math.max(meanAge / 4, 1e-3)), 0, 0];
    const found = minimise(objective, start, this.params, partOf(ctx, 0, 0.9));
    const hessian = hessianAt(objective, found.at).map((value) => value * X.rows);
    advance(ctx, 1, `${found.iterations} steps`);
    return new FittedBgNbd({
      names: [...X.names],
      theta: found.at,
      factor: factorOf(hessian, found.at.length),
      logLikelihood: -found.value * X.rows,
      converged: found.converged,
    });
  }
}

interface BgNbdState {
  readonly names: readonly string[];
  /** ln (r, α, a, b). */
  readonly theta: Float64Array;
  /** A triangle F with F Fᵀ = covariance of θ, row-major. */
  readonly factor: Float64Array;
  readonly logLikelihood: number;
  readonly converged: boolean;
}

/** r, α, a, b as in the paper; α in the units of T. */
export interface BgNbdParameters {
  readonly r: number;
  readonly alpha: number;
  readonly a: number;
  readonly b: number;
}

const FORMAT = 1;

/** P(alive) is its probability: `predictProba` says how likely each person is still a customer. */
export class FittedBgNbd implements BinaryModel {
  readonly kind = 'bg-nbd';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly logLikelihood: number;
  /** Whether the likelihood has a clear top; where not, intervals are wide and point estimates a guess. */
  readonly converged: boolean;
  /** ln (r, α, a, b) and the triangular factor of its covariance: what `lifetime-value.ts` draws from. */
  readonly theta: Float64Array;
  readonly factor: Float64Array;

  constructor(state: BgNbdState) {
    this.names = state.names;
    this.theta = state.theta;
    this.factor = state.factor;
    this.logLikelihood = state.logLikelihood;
    this.converged = state.converged;
  }

  get parameters(): BgNbdParameters {
    return parametersOf(this.theta);
  }

  /** P(alive) at the moment of the histories, by the paper's note of 2008. */
  predictProba(X: Matrix): Float64Array {
    const p = new Float64Array(X.rows);
    this.#each(X, (i, x, recency, T) => {
      p[i] = aliveProbability(this.parameters, x, recency, T);
    });
    return p;
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  /** Days with a purchase to expect of each person within `horizon` units of time from now (eq. 10). */
  expectedPurchases(X: Matrix, horizon: number): Float64Array {
    checkParam('horizon', horizon, Number.MIN_VALUE, Number.MAX_VALUE);
    const expected = new Float64Array(X.rows);
    const parameters = this.parameters;
    this.#each(X, (i, x, recency, T) => {
      expected[i] = expectedPurchases(parameters, x, recency, T, horizon);
    });
    return expected;
  }

  #each(X: Matrix, visit: (i: number, x: number, recency: number, T: number) => void): void {
    checkPredict(X, this.names, 'rejects');
    if (X.rows === 0) return;
    const [f, r, t] = checkHistories(X);
    for (let at = 0, i = 0; i < X.rows; i++, at += X.columns) {
      visit(i, X.data[at + f]!, X.data[at + r]!, X.data[at + t]!);
    }
  }

  toJSON(): ModelJson {
    return {
      kind: this.kind,
      format: FORMAT,
      names: this.names,
      theta: pack(this.theta),
      factor: pack(this.factor),
      logLikelihood: this.logLikelihood,
      converged: this.converged,
    };
  }

  static fromJSON(json: ModelJson): FittedBgNbd {
    checkJson(json, 'bg-nbd', FORMAT);
    if (typeof json['converged'] !== 'boolean' || typeof json['logLikelihood'] !== 'number') {
      throw invalid(
        'The stored model "bg-nbd" is damaged: it lacks its likelihood; train it again.',
      );
    }
    return new FittedBgNbd({
      names: namesOf(json),
      theta: unpack(json['theta'], 'f64', 4),
      factor: unpack(json['factor'], 'f64', 16),
      logLikelihood: json['logLikelihood'],
      converged: json['converged'],
    });
  }
}

export function parametersOf(theta: Float64Array): BgNbdParameters {
  const [r, alpha, a, b] = theta.map(Math.exp) as unknown as [number, number, number, number];
  return { r, alpha, a, b };
}

/** Someone who never came back cannot have left after a repeat, so the model has them alive. */
export function aliveProbability(
  { r, alpha, a, b }: BgNbdParameters,
  x: number,
  recency: number,
  T: number,
): number {
  if (x === 0) return 1;
  const logOdds = Math.log(a / (b + x - 1)) + (r + x) * Math.log((alpha + T) / (alpha + recency));
  return 1 / (1 + Math.exp(logOdds));
}

/** Distance from a removable pole at which the mean of both sides is exact to 1e-8. */
const NEAR = 1e-4;

export function expectedPurchases(
  { r, alpha, a, b }: BgNbdParameters,
  x: number,
  recency: number,
  T: number,
  horizon: number,
): number {
  // At a = 1 and at a + b + x = 1 the formula is 0 / 0 and the function smooth.
  if (Math.abs(a - 1) < NEAR) {
    const beside = (to: number) =>
      expectedPurchases({ r, alpha, a: to, b }, x, recency, T, horizon);
    return (beside(1 - 2 * NEAR) + beside(1 + 2 * NEAR)) / 2;
  }
  if (Math.abs(a + b + x - 1) < NEAR) {
    const beside = (by: number) =>
      expectedPurchases({ r, alpha, a, b: b + by }, x, recency, T, horizon);
    return (beside(-3 * NEAR) + beside(3 * NEAR)) / 2;
  }
  const z = horizon / (alpha + T + horizon);
  // Euler's transformation of the paper's ₂F₁(r + x, b + x; a + b + x − 1; z): small arguments at any frequency.
  const series = hypergeometric(a + b - 1 - r, a - 1, a + b + x - 1, z);
  const within = ((a + b + x - 1) / (a - 1)) * (1 - (1 - z) ** (a - 1) * series);
  return within * aliveProbability({ r, alpha, a, b }, x, recency, T);
}
