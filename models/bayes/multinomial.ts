import { checkBinaryTarget, checkJson, checkMatrix, checkParam, invalid } from '../check.ts';
import type {
  Attribution,
  BinaryModel,
  Estimator,
  FitContext,
  ModelJson,
  SelfExplaining,
} from '../estimator.ts';
import { advance, classesOf } from '../estimator.ts';
import type { LinearState } from '../linear/score.ts';
import { linearFromJson, linearParts, linearScores, linearToJson } from '../linear/score.ts';
import type { Matrix, Target } from '../matrix.ts';
import type { SparseLinear, SparseRows } from '../text/sparse.ts';

export interface MultinomialBayesParams {
  /** Added to the count of each column in each class (Lidstone); 1 is Laplace's rule. */
  readonly alpha: number;
}

/**
 * Naive Bayes on counts, such as words: each class draws columns with its own probabilities (McCallum, Nigam 1998). It
 * is linear in the counts, so that it explains itself. TF-IDF weights may stand for counts.
 */
export class MultinomialBayes implements Estimator<FittedMultinomialBayes> {
  readonly kind = 'multinomial-bayes';
  readonly seed = 0;
  readonly params: Readonly<MultinomialBayesParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'rejects', rowOrder: 'exact' } as const;

  constructor(options: Partial<MultinomialBayesParams> = {}) {
    this.params = { alpha: 1, ...options };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedMultinomialBayes {
    checkMatrix(X, 'rejects');
    const ones = checkBinaryTarget(X, y);
    const { alpha } = this.params;
    checkParam('alpha', alpha, Number.MIN_VALUE, 1e9);
    advance(ctx, 0, 'counting');
    const counts = [new Float64Array(X.columns), new Float64Array(X.columns)] as const;
    for (let i = 0, at = 0; i < X.rows; i++) {
      const own = counts[y![i] === 1 ? 1 : 0];
      for (let j = 0; j < X.columns; j++, at++) {
        if (X.data[at]! < 0) throw negative(i, X.names[j]!, X.data[at]!);
        own[j]! += X.data[at]!;
      }
    }
    advance(ctx, 1, 'counted');
    return new FittedMultinomialBayes({
      names: [...X.names],
      mean: new Float64Array(X.columns),
      scale: new Float64Array(X.columns).fill(1),
      weights: logRatios(counts, alpha),
      intercept: Math.log(ones / (X.rows - ones)),
    });
  }
}

/** The same on sparse rows, which is how words are counted: log-odds = intercept + Σ weight · count. */
export function fitSparseBayes(X: SparseRows, y: Target, alpha = 1): SparseLinear {
  const counts = [new Float64Array(X.columns), new Float64Array(X.columns)] as const;
  let ones = 0;
  for (let i = 0; i < X.rows; i++) {
    ones += y[i]!;
    const own = counts[y[i] === 1 ? 1 : 0];
    for (let e = X.start[i]!; e < X.start[i + 1]!; e++) own[X.column[e]!]! += X.value[e]!;
  }
  if (ones === 0 || ones === X.rows) {
    throw invalid(
      `All ${X.rows} texts have the target ${ones === 0 ? 0 : 1}; expected some of both.`,
    );
  }
  return { weights: logRatios(counts, alpha), intercept: Math.log(ones / (X.rows - ones)) };
}

function logRatios(counts: readonly [Float64Array, Float64Array], alpha: number): Float64Array {
  const [zero, one] = counts.map((own) =>
    own.reduce((sum, count) => sum + count, alpha * own.length),
  ) as [number, number];
  const shift = Math.log(zero / one);
  return counts[1].map((count, j) => Math.log((count + alpha) / (counts[0][j]! + alpha)) + shift);
}

function negative(row: number, column: string, value: number): Error {
  return invalid(`Column "${column}" is ${value} in row ${row}; expected a count of at least 0.`, {
    row,
    column,
  });
}

const FORMAT = 1;

export class FittedMultinomialBayes implements BinaryModel, SelfExplaining {
  readonly kind = 'multinomial-bayes';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly #state: LinearState;

  constructor(state: LinearState) {
    this.names = state.names;
    this.#state = state;
  }

  predictProba(X: Matrix): Float64Array {
    return linearScores(this.#state, X).map((logit) => 1 / (1 + Math.exp(-logit)));
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  /** Log-odds that each column's count speaks for; the base is the log-odds of the rate. */
  contributions(row: Float64Array): Attribution {
    return { base: this.#state.intercept, scale: 'logit', values: linearParts(this.#state, row) };
  }

  toJSON(): ModelJson {
    return { kind: this.kind, format: FORMAT, ...linearToJson(this.#state) };
  }

  static fromJSON(json: ModelJson): FittedMultinomialBayes {
    checkJson(json, 'multinomial-bayes', FORMAT);
    return new FittedMultinomialBayes(linearFromJson(json));
  }
}
