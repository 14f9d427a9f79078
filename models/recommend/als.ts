import { checkJson, checkParam, invalid, namesOf, numberOf } from '../check.ts';
import { pack, unpack } from '../codec.ts';
import { advance } from '../estimator.ts';
import type { FitContext, ModelJson } from '../estimator.ts';
import { solveSymmetric } from '../linear-algebra.ts';
import { Random } from '../random.ts';
import { byItem, peopleOf } from './interactions.ts';
import type { Interactions } from './interactions.ts';
import { FittedRecommender } from './recommender.ts';
import type { Profile, RecommenderEstimator } from './recommender.ts';

export interface AlsParams {
  readonly factors?: number;
  /** Penalty on the squared factors. */
  readonly lambda?: number;
  /** Confidence in a pair is this times its weight; in a pair that was not seen it is 1. */
  readonly alpha?: number;
  readonly iterations?: number;
  readonly seed?: number;
}

/**
 * Matrix factorisation of implicit feedback by alternating least squares (Hu, Koren, Volinsky 2008), each row solved
 * exactly by Cholesky. Items get factors; a person is folded in when asked for, so a new history counts at once.
 */
export class Als implements RecommenderEstimator {
  readonly kind = 'als';
  readonly params: Required<AlsParams>;

  constructor({ factors = 48, lambda = 10, alpha = 1, iterations = 15, seed = 1 }: AlsParams = {}) {
    this.params = { factors, lambda, alpha, iterations, seed };
  }

  fit(X: Interactions, ctx: FitContext = {}): FittedAls {
    const { factors, lambda, alpha, iterations, seed } = this.params;
    checkParam('factors', factors, 1, 512);
    checkParam('lambda', lambda, 0.000_001, 1e9);
    checkParam('alpha', alpha, 0.000_001, 1e6);
    checkParam('iterations', iterations, 1, 1000);
    const random = new Random(seed);
    const items = Float64Array.from(
      { length: X.items.length * factors },
      () => random.normal() / 100,
    );
    const people = new Float64Array(X.people.length * factors);
    const columns = byItem(X);
    const rows = { start: X.start, other: X.item, weight: X.weight };
    const flipped = { start: columns.start, other: columns.person, weight: columns.weight };
    for (let it = 0; it < iterations; it++) {
      solveRows(rows, new RowSolver(items, factors, lambda, alpha), people);
      solveRows(flipped, new RowSolver(people, factors, lambda, alpha), items);
      advance(ctx, (it + 1) / iterations, `iteration ${it + 1} of ${iterations}`);
    }
    return new FittedAls(X.items, peopleOf(X), items, { factors, lambda, alpha });
  }
}

interface Rows {
  readonly start: Int32Array;
  readonly other: Int32Array;
  readonly weight: Float64Array;
}

function solveRows({ start, other, weight }: Rows, solver: RowSolver, out: Float64Array): void {
  const f = solver.factors;
  for (let r = 0; r + 1 < start.length; r++) {
    const [from, to] = [start[r]!, start[r + 1]!];
    out.set(solver.solve(other.subarray(from, to), weight.subarray(from, to)), r * f);
  }
}

/** Least squares of one row, while the factors Y of the other side stand still. */
class RowSolver {
  readonly factors: number;
  readonly #Y: Float64Array;
  readonly #alpha: number;
  /** YᵀY + λ I, and its inverse, which serves every row whose confidence is 1. */
  readonly #base: Float64Array;
  readonly #inverse: Float64Array;

  constructor(Y: Float64Array, factors: number, lambda: number, alpha: number) {
    this.factors = factors;
    this.#Y = Y;
    this.#alpha = alpha;
    this.#base = squareOf(Y, factors);
    for (let a = 0; a < factors; a++) this.#base[a * factors + a]! += lambda;
    this.#inverse = inverseOf(this.#base, factors);
  }

  solve(other: Int32Array, weight: Float64Array): Float64Array {
    const f = this.factors;
    const b = new Float64Array(f);
    for (let e = 0; e < other.length; e++) {
      const [confidence, from] = [this.#alpha * weight[e]!, other[e]! * f];
      for (let a = 0; a < f; a++) b[a]! += confidence * this.#Y[from + a]!;
    }
    const A = this.#normal(other, weight);
    if (A === undefined) return times(this.#inverse, b);
    if (!solveSymmetric(A, b)) throw degenerate();
    return b;
  }

  /** (YᵀCY + λ I)⁻¹ c y for each entry: what each of them adds to the row's factors. */
  parts(other: Int32Array, weight: Float64Array, of: Float64Array): Float64Array {
    const f = this.factors;
    const A = this.#normal(other, weight);
    let v: Float64Array = of.slice();
    if (A === undefined) v = times(this.#inverse, v);
    else if (!solveSymmetric(A, v)) throw degenerate();
    return Float64Array.from(other, (item, e) => {
      let sum = 0;
      for (let a = 0; a < f; a++) sum += v[a]! * this.#Y[item * f + a]!;
      return this.#alpha * weight[e]! * sum;
    });
  }

  /** Absent where every confidence is 1. */
  #normal(other: Int32Array, weight: Float64Array): Float64Array | undefined {
    const f = this.factors;
    let A: Float64Array | undefined;
    for (let e = 0; e < other.length; e++) {
      const extra = this.#alpha * weight[e]! - 1;
      if (extra === 0) continue;
      A ??= this.#base.slice();
      const from = other[e]! * f;
      for (let a = 0; a < f; a++) {
        const scaled = extra * this.#Y[from + a]!;
        // The lower triangle is all that is read.
        for (let c = 0; c <= a; c++) A[a * f + c]! += scaled * this.#Y[from + c]!;
      }
    }
    return A;
  }
}

function squareOf(Y: Float64Array, f: number): Float64Array {
  const square = new Float64Array(f * f);
  for (let from = 0; from < Y.length; from += f) {
    for (let a = 0; a < f; a++) {
      const y = Y[from + a]!;
      for (let b = 0; b <= a; b++) square[a * f + b]! += y * Y[from + b]!;
    }
  }
  return square;
}

function inverseOf(A: Float64Array, f: number): Float64Array {
  const inverse = new Float64Array(f * f);
  for (let a = 0; a < f; a++) {
    const unit = new Float64Array(f);
    unit[a] = 1;
    if (!solveSymmetric(A.slice(), unit)) throw degenerate();
    inverse.set(unit, a * f);
  }
  return inverse;
}

function times(A: Float64Array, b: Float64Array): Float64Array {
  const f = b.length;
  const out = new Float64Array(f);
  for (let i = 0; i < f; i++) {
    let sum = 0;
    for (let j = 0; j < f; j++) sum += A[i * f + j]! * b[j]!;
    out[i] = sum;
  }
  return out;
}

function degenerate(): Error {
  return invalid('The factors of ALS degenerated; raise lambda.', { param: 'lambda' });
}

export class FittedAls extends FittedRecommender {
  readonly kind = 'als';
  readonly #items: Float64Array;
  readonly #params: { readonly factors: number; readonly lambda: number; readonly alpha: number };
  readonly #solver: RowSolver;

  constructor(
    names: readonly string[],
    people: Int32Array,
    items: Float64Array,
    params: { readonly factors: number; readonly lambda: number; readonly alpha: number },
  ) {
    super(names, people);
    this.#items = items;
    this.#params = params;
    this.#solver = new RowSolver(items, params.factors, params.lambda, params.alpha);
  }

  static fromJSON(json: ModelJson): FittedAls {
    checkJson(json, 'als', 1);
    const names = namesOf(json);
    const [factors, lambda] = [numberOf(json, 'factors'), numberOf(json, 'lambda')];
    const items = unpack(json['items'], 'f64', names.length * factors);
    const people = unpack(json['people'], 'i32', names.length);
    return new FittedAls(names, people, items, { factors, lambda, alpha: numberOf(json, 'alpha') });
  }

  score({ item, weight }: Profile): Float64Array {
    const scores = new Float64Array(this.names.length);
    if (item.length === 0) return scores;
    const person = this.#solver.solve(item, weight);
    const f = person.length;
    for (let i = 0; i < scores.length; i++) {
      let sum = 0;
      for (let a = 0; a < f; a++) sum += person[a]! * this.#items[i * f + a]!;
      scores[i] = sum;
    }
    return scores;
  }

  /** Exact: a person is a linear sum of what they took, given which of it was taken. */
  shares({ item, weight }: Profile, to: number): Float64Array {
    const f = this.#params.factors;
    return this.#solver.parts(item, weight, this.#items.subarray(to * f, (to + 1) * f));
  }

  toJSON(): ModelJson {
    const [people, items] = [pack(this.people), pack(this.#items)];
    return { kind: this.kind, format: 1, names: [...this.names], people, items, ...this.#params };
  }
}
