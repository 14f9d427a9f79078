import {
  checkJson,
  checkMatrix,
  checkParam,
  checkPredict,
  invalid,
  namesOf,
  numberOf,
} from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type { Estimator, FitContext, ModelJson, RegressionModel } from '../estimator.ts';
import { advance, partOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { columnIndex } from '../matrix.ts';
import type { Objective } from '../optimise.ts';
import { hessianAt, minimise } from '../optimise.ts';
import { factorOf } from './parameter-draws.ts';
import { digamma, logGamma } from './special.ts';

export interface GammaGammaParams {
  readonly iterations: number;
}

/**
 * What one purchase of a person is worth (Fader, Hardie 2013, "The Gamma-Gamma Model of Monetary Value"): values vary
 * around a person's own mean (gamma, shape p), and means vary over people (shape q, scale v). Reads `frequency` and
 * `value` (mean of the repeat purchases); people without a repeat purchase, or with a mean of 0 or less, teach nothing
 * and get the mean of all. It assumes that value and frequency are unrelated.
 */
export class GammaGamma implements Estimator<FittedGammaGamma> {
  readonly kind = 'gamma-gamma';
  readonly seed = 0;
  readonly params: Readonly<GammaGammaParams & Record<string, unknown>>;
  readonly traits = { supervised: false, missing: 'rejects', rowOrder: 'exact' } as const;

  constructor(options: Partial<GammaGammaParams> = {}) {
    this.params = { iterations: 500, ...options };
  }

  fit(X: Matrix, _y?: Target, ctx: FitContext = {}): FittedGammaGamma {
    checkMatrix(X, 'rejects');
    checkParam('iterations', this.params.iterations, 1, 100_000);
    const { x, m } = repeatBuyers(X);
    if (x.length < 2) {
      throw invalid(
        `Only ${x.length} of ${X.rows} people have a repeat purchase worth more than 0; expected at least 2, so take a longer window.`,
      );
    }
    advance(ctx, 0, 'reading values');
    const mean = m.reduce((sum, value) => sum + value / m.length, 0);
    // In units of the mean, so that one start and one tolerance suit every currency.
    const objective = gammaGammaObjective(
      x,
      m.map((value) => value / mean),
    );
    const found = minimise(objective, [1, 1, 0], this.params, partOf(ctx, 0, 0.9));
    const hessian = hessianAt(objective, found.at).map((value) => value * x.length);
    const theta = found.at.slice();
    theta[2]! += Math.log(mean);
    advance(ctx, 1, `${found.iterations} steps`);
    return new FittedGammaGamma({
      names: [...X.names],
      theta,
      factor: factorOf(hessian, 3),
      people: x.length,
      meanValue: mean,
      converged: found.converged,
    });
  }
}

function repeatBuyers(X: Matrix): { x: Float64Array; m: Float64Array } {
  const [f, v] = ['frequency', 'value'].map((name) => columnIndex(X.names, name)) as [
    number,
    number,
  ];
  const kept: [number, number][] = [];
  for (let at = 0; at < X.data.length; at += X.columns) {
    const [x, m] = [X.data[at + f]!, X.data[at + v]!];
    if (x > 0 && m > 0) kept.push([x, m]);
  }
  // Sorted, so that the order of people changes no rounding.
  kept.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  return { x: Float64Array.from(kept, ([x]) => x), m: Float64Array.from(kept, ([, m]) => m) };
}

/** Mean negative log-likelihood (eq. 1a of the note) in θ = ln (p, q, v) with its gradient. */
function gammaGammaObjective(x: Float64Array, m: Float64Array): Objective {
  const n = x.length;
  return (theta, gradient) => {
    gradient.fill(0);
    if (theta.some((value) => !(Math.abs(value) <= 15))) return Infinity;
    const [p, q, v] = theta.map(Math.exp) as unknown as [number, number, number];
    const [logGammaQ, digammaQ] = [logGamma(q), digamma(q)];
    let [total, gp, gq, gv] = [0, 0, 0, 0];
    let last = Number.NaN;
    let [base, byP, byQ] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const xi = x[i]!;
      // Frequencies are sorted, so their gamma functions are computed once for each.
      if (xi !== last) {
        last = xi;
        const [sum, both] = [p * xi, p * xi + q];
        base = logGamma(both) - logGamma(sum) - logGammaQ + q * theta[2]! + sum * Math.log(xi);
        byQ = digamma(both);
        byP = xi * (byQ - digamma(sum) + Math.log(xi));
        byQ += theta[2]! - digammaQ;
      }
      const [logM, logSum] = [Math.log(m[i]!), Math.log(v + xi * m[i]!)];
      total += base + (p * xi - 1) * logM - (p * xi + q) * logSum;
      gp += byP + xi * (logM - logSum);
      gq += byQ - logSum;
      gv += q / v - (p * xi + q) / (v + xi * m[i]!);
    }
    gradient[0] = (-gp * p) / n;
    gradient[1] = (-gq * q) / n;
    gradient[2] = (-gv * v) / n;
    return -total / n;
  };
}

interface GammaGammaState {
  readonly names: readonly string[];
  /** ln (p, q, v), v in the currency's units. */
  readonly theta: Float64Array;
  /** A triangle F with F Fᵀ = covariance of θ, row-major. */
  readonly factor: Float64Array;
  readonly people: number;
  readonly meanValue: number;
  readonly converged: boolean;
}

export interface GammaGammaParameters {
  readonly p: number;
  readonly q: number;
  readonly v: number;
}

const FORMAT = 1;

/** Its prediction is the mean worth to expect of a person's purchases, in the units of `value`. */
export class FittedGammaGamma implements RegressionModel {
  readonly kind = 'gamma-gamma';
  readonly task = 'regression';
  readonly names: readonly string[];
  readonly converged: boolean;
  readonly theta: Float64Array;
  readonly factor: Float64Array;
  readonly #state: GammaGammaState;

  constructor(state: GammaGammaState) {
    this.names = state.names;
    this.converged = state.converged;
    this.theta = state.theta;
    this.factor = state.factor;
    this.#state = state;
  }

  get parameters(): GammaGammaParameters {
    const [p, q, v] = this.theta.map(Math.exp) as unknown as [number, number, number];
    return { p, q, v };
  }

  predict(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'rejects');
    const [f, value] = ['frequency', 'value'].map((name) => columnIndex(X.names, name)) as [
      number,
      number,
    ];
    const { p, q, v } = this.parameters;
    return Float64Array.from({ length: X.rows }, (_, i) => {
      const [x, m] = [X.data[i * X.columns + f]!, X.data[i * X.columns + value]!];
      const known = x > 0 && m > 0 ? p * x : 0;
      // Where q ≤ 1 the mean over people is infinite; the mean of those seen is what is left to say.
      if (q + known <= 1) return this.#state.meanValue;
      return (p * (v + (known > 0 ? x * m : 0))) / (known + q - 1);
    });
  }

  toJSON(): ModelJson {
    const { names, theta, factor, people, meanValue, converged } = this.#state;
    return {
      kind: this.kind,
      format: FORMAT,
      names,
      theta: pack(theta),
      factor: pack(factor),
      people,
      meanValue,
      converged,
    };
  }

  static fromJSON(json: ModelJson): FittedGammaGamma {
    checkJson(json, 'gamma-gamma', FORMAT);
    if (typeof json['converged'] !== 'boolean') {
      throw invalid('The stored model "gamma-gamma" is damaged: it lacks its end; train it again.');
    }
    return new FittedGammaGamma({
      names: namesOf(json),
      theta: unpack(json['theta'], 'f64', 3),
      factor: unpack(json['factor'], 'f64', 9),
      people: numberOf(json, 'people'),
      meanValue: numberOf(json, 'meanValue'),
      converged: json['converged'],
    });
  }
}
