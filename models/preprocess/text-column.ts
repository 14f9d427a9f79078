import { Random } from '../random.ts';
import { pack, unpack } from '../codec.ts';
import type { SparseRows } from '../text/sparse.ts';
import { fitSparseLogistic, scoreSparse } from '../text/sparse.ts';
import { tokenise } from '../text/tokenise.ts';

/**
 * A column of text as numbers: the log-odds that its words alone give (logistic regression on TF-IDF, cross-fitted for
 * the rows that are learnt from), how many words there are, and the weight of the few words that tell most.
 */
export interface TextState {
  readonly kind: 'text';
  readonly name: string;
  readonly words: readonly string[];
  readonly idf: Float64Array;
  readonly weights: Float64Array;
  readonly intercept: number;
  /** Places in `words` of those that get a column. */
  readonly told: readonly number[];
}

const WORDS_MAX = 20_000;
const TOLD_MAX = 30;
const FOLDS = 5;

export function fitText(cells: readonly string[], y: ArrayLike<number>, name: string): TextState {
  const frequency = new Map<string, number>();
  for (const cell of cells) {
    for (const token of new Set(tokenise(cell))) {
      frequency.set(token, (frequency.get(token) ?? 0) + 1);
    }
  }
  const least = Math.max(3, Math.round(cells.length / 5000));
  const words = [...frequency.keys()].filter((token) => frequency.get(token)! >= least);
  words.sort((a, b) => frequency.get(b)! - frequency.get(a)! || (a < b ? -1 : 1));
  words.length = Math.min(words.length, WORDS_MAX);
  const idf = Float64Array.from(
    words,
    (token) => Math.log((1 + cells.length) / (1 + frequency.get(token)!)) + 1,
  );
  const X = weigh({ words, idf }, cells);
  const all = Int32Array.from(cells.keys());
  const { weights, intercept } = fitSparseLogistic(X, y, all);
  const told = [...words.keys()]
    .sort((a, b) => strength(b) - strength(a) || a - b)
    .slice(0, TOLD_MAX);
  function strength(j: number): number {
    return Math.abs(weights[j]!) * Math.sqrt(frequency.get(words[j]!)!);
  }
  return { kind: 'text', name, words, idf, weights, intercept, told };
}

export function textNames({ name, words, told }: TextState): string[] {
  return [
    `what ${name} says`,
    `words in ${name}`,
    ...told.map((j) => `${name} has "${words[j]!}"`),
  ];
}

export function encodeText(
  state: TextState,
  cells: readonly string[],
  out: Float64Array,
  place: number,
  stride: number,
): void {
  const X = weigh(state, cells);
  const columnOf = new Map(state.told.map((j, k) => [j, k]));
  for (let i = 0; i < cells.length; i++) {
    const at = i * stride + place;
    out[at] = scoreSparse(X, i, state.weights, state.intercept);
    out[at + 1] = tokenise(cells[i]!).length;
    for (let e = X.start[i]!; e < X.start[i + 1]!; e++) {
      const k = columnOf.get(X.column[e]!);
      if (k !== undefined) out[at + 2 + k] = X.value[e]!;
    }
  }
}

/** The log-odds for the rows that the model learns from, each by words learnt on the other folds. */
export function crossFitText(
  state: TextState,
  cells: readonly string[],
  y: ArrayLike<number>,
  seed: number,
): Float64Array {
  const X = weigh(state, cells);
  const random = new Random(seed, 78);
  const fold = Int32Array.from(cells, () => random.int(FOLDS));
  const scores = new Float64Array(cells.length);
  for (let f = 0; f < FOLDS; f++) {
    const others = Int32Array.from(cells.keys()).filter((i) => fold[i] !== f);
    const { weights, intercept } = fitSparseLogistic(X, y, others);
    for (let i = 0; i < cells.length; i++) {
      if (fold[i] === f) scores[i] = scoreSparse(X, i, weights, intercept);
    }
  }
  return scores;
}

/** TF-IDF of each cell with sublinear counts, each row of length 1. Words that were never seen count nothing. */
function weigh(
  { words, idf }: Pick<TextState, 'words' | 'idf'>,
  cells: readonly string[],
): SparseRows {
  const index = new Map(words.map((token, j) => [token, j]));
  const start = new Int32Array(cells.length + 1);
  const column: number[] = [];
  const value: number[] = [];
  cells.forEach((cell, i) => {
    const counts = new Map<number, number>();
    for (const token of tokenise(cell)) {
      const j = index.get(token);
      if (j !== undefined) counts.set(j, (counts.get(j) ?? 0) + 1);
    }
    let square = 0;
    for (const [j, count] of counts) {
      const weight = (1 + Math.log(count)) * idf[j]!;
      column.push(j);
      value.push(weight);
      square += weight * weight;
    }
    const length = Math.sqrt(square) || 1;
    for (let e = start[i]!; e < value.length; e++) value[e]! /= length;
    start[i + 1] = value.length;
  });
  return {
    rows: cells.length,
    columns: words.length,
    start,
    column: Int32Array.from(column),
    value: Float64Array.from(value),
  };
}

export function textToJson(state: TextState): Record<string, unknown> {
  return { ...state, idf: pack(state.idf), weights: pack(state.weights) };
}

export function textFromJson(json: Record<string, unknown>): TextState {
  const words = json['words'] as string[];
  return {
    ...(json as unknown as TextState),
    idf: unpack(json['idf'], 'f64', words.length),
    weights: unpack(json['weights'], 'f64', words.length),
  };
}
