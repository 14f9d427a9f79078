import { checkMatrix, checkParam } from '../check.ts';
import type { FitContext } from '../estimator.ts';
import { advance } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import { takeRows } from '../matrix.ts';
import { Random } from '../random.ts';
import { KMeans } from './kmeans.ts';
import { silhouette } from './silhouette.ts';

export interface Choice {
  readonly k: number;
  /** How much tighter than data without groups: mean of ln(inertia of such data) − ln(inertia). */
  readonly gap: number;
  readonly gapError: number;
  /** NaN for one cluster. */
  readonly silhouette: number;
  /** Mean adjusted Rand index of clusterings of two random 80 % of the rows, on the rows that both have. */
  readonly stability: number;
}

export interface ChooseOptions {
  readonly kMax?: number;
  /** Data sets without groups that the gap is measured against. */
  readonly references?: number;
  readonly resamples?: number;
  readonly starts?: number;
  readonly seed?: number;
}

/**
 * Judges k = 1 … kMax by the gap statistic (Tibshirani, Walther, Hastie 2001), silhouette and stability. `byGap` is the
 * least k whose gap is within one error of the next one's; `bySilhouette` the k from 2 on that parts best.
 */
export function chooseK(
  X: Matrix,
  { kMax = 10, references = 10, resamples = 5, starts = 5, seed = 1 }: ChooseOptions = {},
  ctx: FitContext = {},
): { readonly choices: readonly Choice[]; readonly byGap: number; readonly bySilhouette: number } {
  checkMatrix(X, 'rejects');
  checkParam('kMax', kMax, 1, 100);
  checkParam('references', references, 2, 1000);
  const random = new Random(seed);
  const plain = Array.from({ length: references }, () => withoutGroups(X, random));
  const choices: Choice[] = [];
  for (let k = 1; k <= kMax; k++) {
    advance(ctx, (k - 1) / kMax, `k = ${k}`);
    const estimator = new KMeans({ k, starts, seed });
    const model = estimator.fit(X);
    const logs = plain.map((each) => Math.log(estimator.fit(each).inertia));
    const mean = logs.reduce((sum, value) => sum + value / references, 0);
    const variance = logs.reduce((sum, value) => sum + (value - mean) ** 2 / references, 0);
    choices.push({
      k,
      gap: mean - Math.log(model.inertia),
      gapError: Math.sqrt(variance * (1 + 1 / references)),
      silhouette: silhouette(model.space(X), model.predict(X), { seed }),
      stability: stability(X, estimator, resamples, seed),
    });
  }
  advance(ctx, 1, 'judged');
  const parted = choices.slice(1).toSorted((a, b) => b.silhouette - a.silhouette)[0];
  const enough = choices.find((choice, at) => {
    const next = choices[at + 1];
    return next === undefined || choice.gap >= next.gap - next.gapError;
  });
  return { choices, byGap: enough!.k, bySilhouette: parted?.k ?? 1 };
}

/** How alike clusterings of random 80 % of the rows are: 1 the same, 0 as by chance (Hennig 2007; Lange 2004). */
export function stability(X: Matrix, estimator: KMeans, resamples: number, seed: number): number {
  let sum = 0;
  const count = Math.max(1, Math.round(0.8 * X.rows));
  for (let r = 0; r < resamples; r++) {
    const random = new Random(seed, 1000 + r);
    const said = [0, 1].map(() => {
      const taken = random.sample(X.rows, count).sort();
      return estimator.fit(takeRows(X, taken)).predict(X);
    });
    sum += adjustedRand(said[0]!, said[1]!);
  }
  return sum / resamples;
}

/** Agreement of two clusterings of the same rows, corrected for chance (Hubert, Arabie 1985). */
export function adjustedRand(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [cells, rows, columns] = [new Map(), new Map(), new Map()] as Map<
    number | string,
    number
  >[];
  const count = (map: Map<number | string, number>, key: number | string) =>
    map.set(key, (map.get(key) ?? 0) + 1);
  for (let i = 0; i < a.length; i++) {
    count(cells!, `${a[i]},${b[i]}`);
    count(rows!, a[i]!);
    count(columns!, b[i]!);
  }
  const pairs = (map: Map<number | string, number>) =>
    [...map.values()].reduce((sum, n) => sum + (n * (n - 1)) / 2, 0);
  const [both, inA, inB] = [pairs(cells!), pairs(rows!), pairs(columns!)];
  const all = (a.length * (a.length - 1)) / 2;
  const chance = all > 0 ? (inA * inB) / all : 0;
  const most = (inA + inB) / 2;
  return most === chance ? 1 : (both - chance) / (most - chance);
}

/** As many rows, each column drawn evenly from its range: one shapeless group. */
function withoutGroups(X: Matrix, random: Random): Matrix {
  const [low, high] = [
    new Float64Array(X.columns).fill(Infinity),
    new Float64Array(X.columns).fill(-Infinity),
  ];
  X.data.forEach((value, at) => {
    const j = at % X.columns;
    low[j] = Math.min(low[j]!, value);
    high[j] = Math.max(high[j]!, value);
  });
  const data = X.data.map((_, at) => {
    const j = at % X.columns;
    return low[j]! + random.next() * (high[j]! - low[j]!);
  });
  return { ...X, data };
}
