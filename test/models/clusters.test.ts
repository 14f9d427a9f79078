import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agglomerate, cut } from '../../models/cluster/agglomerate.ts';
import type { Linkage } from '../../models/cluster/agglomerate.ts';
import { adjustedRand, chooseK } from '../../models/cluster/choose-k.ts';
import { KMeans } from '../../models/cluster/kmeans.ts';
import { farApart, lloyd, squared } from '../../models/cluster/lloyd.ts';
import type { Matrix } from '../../models/matrix.ts';
import { matrixOf } from '../../models/matrix.ts';
import { Random } from '../../models/random.ts';
import { customers } from './support.ts';

function noise(seed: number, rows: number, columns: number): Matrix {
  const random = new Random(seed);
  return matrixOf(
    Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.normal())),
    Array.from({ length: columns }, (_, j) => `c${j}`),
  );
}

/** The definition: among all pairs of clusters, the cheapest merges first. */
function byDefinition(X: Matrix, linkage: Linkage): number[] {
  const distance = (i: number, j: number) =>
    Math.sqrt(squared(X.data, i * X.columns, X.data, j * X.columns, X.columns));
  const spread = (rows: number[]) => {
    let sum = 0;
    for (const i of rows) for (const j of rows) sum += distance(i, j) ** 2 / 2 / rows.length;
    return sum;
  };
  const cost = (a: number[], b: number[]): number => {
    if (linkage === 'ward') return Math.sqrt(2 * (spread([...a, ...b]) - spread(a) - spread(b)));
    const all = a.flatMap((i) => b.map((j) => distance(i, j)));
    return linkage === 'complete'
      ? Math.max(...all)
      : all.reduce((sum, value) => sum + value, 0) / all.length;
  };
  const clusters = Array.from({ length: X.rows }, (_, i) => [i]);
  const heights: number[] = [];
  while (clusters.length > 1) {
    let best = { a: 0, b: 1, height: Infinity };
    for (let a = 0; a < clusters.length; a++) {
      for (let b = a + 1; b < clusters.length; b++) {
        const height = cost(clusters[a]!, clusters[b]!);
        if (height < best.height) best = { a, b, height };
      }
    }
    heights.push(best.height);
    clusters[best.a]!.push(...clusters[best.b]!);
    clusters.splice(best.b, 1);
  }
  return heights;
}

describe('hierarchical clustering', () => {
  for (const linkage of ['ward', 'average', 'complete'] as const) {
    it(`${linkage} merges as its definition says`, () => {
      for (let seed = 1; seed <= 8; seed++) {
        const X = noise(seed, 25, 1 + (seed % 3));
        const { height } = agglomerate(X, linkage);
        byDefinition(X, linkage).forEach((expected, m) =>
          expect(height[m]).toBeCloseTo(expected, 8),
        );
      }
    });
  }

  it('cuts into as many as asked, each cut inside the one before', () => {
    const X = noise(3, 60, 2);
    const tree = agglomerate(X, 'ward');
    for (let k = 1; k < 60; k++) {
      const [coarse, fine] = [cut(tree, k), cut(tree, k + 1)];
      expect(new Set(fine).size).toBe(k + 1);
      const parents = new Map<number, Set<number>>();
      fine.forEach((c, i) => parents.set(c, (parents.get(c) ?? new Set()).add(coarse[i]!)));
      for (const above of parents.values()) expect(above.size).toBe(1);
    }
  });

  it('takes equal rows and a single one', () => {
    const same = matrixOf(
      Array.from({ length: 20 }, () => [1, 2]),
      ['a', 'b'],
    );
    for (const linkage of ['ward', 'average', 'complete'] as const) {
      expect([...agglomerate(same, linkage).height]).toEqual(Array(19).fill(0));
    }
    expect([...cut(agglomerate(matrixOf([[1]], ['a']), 'ward'), 1)]).toEqual([0]);
  });
});

describe('k-means', () => {
  it('Hamerly’s bounds change nothing: every row ends at its nearest centre, every centre at its mean', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 9 }), (seed, k) => {
        const X = noise(seed, 200, 3);
        const centres = lloyd(X, farApart(X, k, new Random(seed))!, 10_000);
        const sums = new Float64Array(k * 3);
        const sizes = new Int32Array(k);
        for (let i = 0; i < X.rows; i++) {
          const distances = Array.from({ length: k }, (_, c) =>
            squared(X.data, i * 3, centres, c * 3, 3),
          );
          const own = distances.indexOf(Math.min(...distances));
          sizes[own]! += 1;
          for (let j = 0; j < 3; j++) sums[own * 3 + j]! += X.data[i * 3 + j]!;
        }
        centres.forEach((value, at) =>
          expect(Math.abs(value - sums[at]! / sizes[Math.floor(at / 3)]!)).toBeLessThan(0.01),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('mini-batches come close to the whole', () => {
    const X = customers(1, 20_000);
    const options = { k: 4, log1p: X.names, starts: 3 };
    const whole = new KMeans(options).fit(X).inertia;
    expect(new KMeans({ ...options, batch: 500 }).fit(X).inertia / whole).toBeLessThan(1.03);
  });
});

describe('how many clusters', () => {
  it('finds the four that there are, and one in shapeless data', () => {
    const X = customers(1, 400);
    const logs = { ...X, data: X.data.map(Math.log1p) };
    const { choices, byGap, bySilhouette } = chooseK(logs, { kMax: 6, references: 5 });
    expect([byGap, bySilhouette]).toEqual([4, 4]);
    expect(choices[3]!.stability).toBeGreaterThan(0.99);
    expect(choices[5]!.stability).toBeLessThan(choices[3]!.stability);
    const random = new Random(5);
    const flat = noise(2, 300, 2);
    for (let at = 0; at < flat.data.length; at++) flat.data[at] = random.next();
    expect(chooseK(flat, { kMax: 4, references: 10, resamples: 1 }).byGap).toBe(1);
  });

  it('the adjusted Rand index is 1 for renamed clusters, about 0 by chance, and that of the paper', () => {
    expect(adjustedRand([0, 0, 1, 1, 2], [5, 5, 3, 3, 9])).toBe(1);
    // scikit-learn's example: adjusted_rand_score([0, 0, 1, 2], [0, 0, 1, 1]).
    expect(adjustedRand([0, 0, 1, 2], [0, 0, 1, 1])).toBeCloseTo(0.571_428_571, 8);
    const random = new Random(1);
    const draw = () => Array.from({ length: 5000 }, () => random.int(4));
    expect(Math.abs(adjustedRand(draw(), draw()))).toBeLessThan(0.01);
  });
});
