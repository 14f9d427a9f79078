import {
  checkBinaryTarget,
  checkJson,
  checkMatrix,
  checkPredict,
  invalid,
  namesOf,
  numberOf,
} from './check.ts';
import type {
  Attribution,
  BinaryModel,
  Estimator,
  FitContext,
  ModelJson,
  SelfExplaining,
} from './estimator.ts';
import { advance, classesOf } from './estimator.ts';
import { plainDesign } from './design.ts';
import { newton } from './logistic/newton.ts';
import type { Matrix, Target } from './matrix.ts';
import { columnIndex, matrixOf } from './matrix.ts';
import { scaleOf, standardise } from './scale.ts';

/** What a model has to beat before anyone should trust it. */

/** Says the share of ones, whoever it is. */
export class Constant implements Estimator<FittedConstant> {
  readonly kind = 'constant';
  readonly seed = 0;
  readonly params = {};
  readonly traits = { supervised: true, missing: 'accepts', rowOrder: 'exact' } as const;

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedConstant {
    checkMatrix(X, 'accepts');
    const ones = checkBinaryTarget(X, y);
    advance(ctx, 1, 'counted');
    return new FittedConstant([...X.names], ones / X.rows);
  }
}

export class FittedConstant implements BinaryModel, SelfExplaining {
  readonly kind = 'constant';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly rate: number;

  constructor(names: readonly string[], rate: number) {
    this.names = names;
    this.rate = rate;
  }

  predictProba(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'accepts');
    return new Float64Array(X.rows).fill(this.rate);
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  contributions(row: Float64Array): Attribution {
    return { base: this.rate, scale: 'probability', values: new Float64Array(row.length) };
  }

  toJSON(): ModelJson {
    return { kind: this.kind, format: 1, names: this.names, rate: this.rate };
  }

  static fromJSON(json: ModelJson): FittedConstant {
    checkJson(json, 'constant', 1);
    return new FittedConstant(namesOf(json), numberOf(json, 'rate'));
  }
}

/**
 * The rule that every marketer knows: who ordered last, orders first. The probability falls strictly with the days
 * since the last order, by a logistic curve in their logarithm; who never ordered counts as the longest ago.
 */
export class RecencyRule implements Estimator<FittedRecencyRule> {
  readonly kind = 'recency-rule';
  readonly seed = 0;
  readonly params: { readonly column: string } & Record<string, unknown>;
  readonly traits = { supervised: true, missing: 'accepts', rowOrder: 'exact' } as const;

  constructor(options: { column?: string } = {}) {
    this.params = { column: options.column ?? 'recencyDays' };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedRecencyRule {
    checkMatrix(X, 'accepts');
    checkBinaryTarget(X, y);
    const column = columnIndex(X.names, this.params.column);
    const known = recencies(X, column, this.params.column);
    let longest = 0;
    for (const days of known) if (days > longest) longest = days;
    const logs = matrixOf(
      Array.from(known, (days) => [Math.log1p(Number.isNaN(days) ? longest : days)]),
      [this.params.column],
    );
    const scale = scaleOf(logs);
    const ones = new Float64Array(X.rows).fill(1);
    const Z = plainDesign(standardise(logs, scale));
    const fitted = newton(Z, y!, ones, { lambda: 1, iterations: 50 }, ctx);
    advance(ctx, 1, 'fitted the curve');
    // The rule says "falls". Where the data says otherwise, it says so with the least of slopes.
    const slope = Math.min(fitted.weights[0]! / scale.scale[0]!, -1e-6);
    const intercept = fitted.intercept - slope * scale.mean[0]!;
    return new FittedRecencyRule([...X.names], this.params.column, { intercept, slope, longest });
  }
}

interface Curve {
  /** Log-odds at 0 days, and their change per unit of log(1 + days). */
  readonly intercept: number;
  readonly slope: number;
  /** Days that stand for "never". */
  readonly longest: number;
}

export class FittedRecencyRule implements BinaryModel, SelfExplaining {
  readonly kind = 'recency-rule';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly column: string;
  readonly curve: Curve;
  readonly #index: number;

  constructor(names: readonly string[], column: string, curve: Curve) {
    this.names = names;
    this.column = column;
    this.curve = curve;
    this.#index = columnIndex(names, column);
  }

  predictProba(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'accepts');
    return recencies(X, this.#index, this.column).map(
      (days) => 1 / (1 + Math.exp(-this.#logit(days))),
    );
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  /** Against someone who has just ordered. */
  contributions(row: Float64Array): Attribution {
    const values = new Float64Array(row.length);
    values[this.#index] = this.#logit(row[this.#index]!) - this.curve.intercept;
    return { base: this.curve.intercept, scale: 'logit', values };
  }

  #logit(days: number): number {
    const { intercept, slope, longest } = this.curve;
    return intercept + slope * Math.log1p(Number.isNaN(days) ? longest : days);
  }

  toJSON(): ModelJson {
    return {
      kind: this.kind,
      format: 1,
      names: this.names,
      column: this.column,
      curve: this.curve,
    };
  }

  static fromJSON(json: ModelJson): FittedRecencyRule {
    checkJson(json, 'recency-rule', 1);
    const curve = json['curve'] as Curve;
    return new FittedRecencyRule(namesOf(json), String(json['column']), {
      intercept: numberOf(json, 'intercept', curve),
      slope: numberOf(json, 'slope', curve),
      longest: numberOf(json, 'longest', curve),
    });
  }
}

function recencies(X: Matrix, column: number, name: string): Float64Array {
  const days = new Float64Array(X.rows);
  for (let i = 0; i < X.rows; i++) {
    days[i] = X.data[i * X.columns + column]!;
    if (days[i]! >= 0 || Number.isNaN(days[i]!)) continue;
    throw invalid(
      `Column "${name}" is ${days[i]} in row ${i}; expected days since the last order, 0 or more, or NaN for never.`,
      { row: i, column: name },
    );
  }
  return days;
}
