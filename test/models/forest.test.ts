import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { treeShap } from '../../models/explain/tree-shap.ts';
import { interventionalShap } from '../../models/explain/interventional-shap.ts';
import { FittedForest, Forest } from '../../models/forest/forest.ts';
import { codeOf, encode, findBins, findCuts, GROUPS_MAX, MISSING } from '../../models/tree/bins.ts';
import { DepthFirstGrower } from '../../models/tree/depth-first.ts';
import type { Trees } from '../../models/tree/trees.ts';
import { goesLeft, TreesBuilder } from '../../models/tree/trees.ts';
import { pack } from '../../models/codec.ts';
import type { Matrix } from '../../models/matrix.ts';
import { matrixOf, rowOf } from '../../models/matrix.ts';
import { rocAuc } from '../../models/metrics.ts';
import { Random } from '../../models/random.ts';
import { expectInvalid } from './estimator-contract.ts';

/** Small data with ties and missing values, and a target of both classes. */
const small = fc
  .record({
    seed: fc.integer(),
    rows: fc.integer({ min: 8, max: 40 }),
    columns: fc.integer({ min: 1, max: 5 }),
    values: fc.integer({ min: 2, max: 9 }),
  })
  .map(({ seed, rows, columns, values }) => {
    const random = new Random(seed);
    const data = Array.from({ length: rows }, () =>
      Array.from({ length: columns }, () =>
        random.next() < 0.1 ? Number.NaN : random.int(values) - values / 2,
      ),
    );
    const y = Uint8Array.from(data, ([first]) =>
      random.next() < (first! > 0 ? 0.7 : 0.3) ? 1 : 0,
    );
    y[0] = 0;
    y[1] = 1;
    const names = Array.from({ length: columns }, (_, j) => `x${j}`);
    return { X: matrixOf(data, names), y, seed };
  });

interface Grown {
  readonly trees: Trees;
  readonly rowCodes: Uint8Array;
}

const RULES = { minWeight: 0, lambda: 0, categorySmooth: 0, categoryLambda: 0, monotone: null };

/** Trees on all rows, each once or as a bootstrap draws them. */
function grow(
  X: Matrix,
  y: Uint8Array,
  minLeaf: number,
  count: number,
  seed?: number,
  categorical: readonly string[] = [],
  together = true,
): Grown {
  const bins = findBins(X, categorical);
  const weight = new Int32Array(X.rows).fill(1);
  const codes = encode(X, bins, 'column');
  const grower = new DepthFirstGrower(
    { codes, rows: X.rows, columns: X.columns, categorical: bins.categorical },
    { weight, target: y },
    { minLeaf, maxDepth: 32, columnsTried: seed === undefined ? X.columns : 1, ...RULES },
    together,
  );
  const builder = new TreesBuilder();
  for (let t = 0; t < count; t++) {
    const random = new Random(seed ?? 1, t);
    if (seed !== undefined) {
      weight.fill(0);
      for (let i = 0; i < X.rows; i++) weight[random.int(X.rows)]! += 1;
    }
    grower.grow(random, builder);
  }
  return { trees: builder.trees(), rowCodes: encode(X, bins, 'row') };
}

describe('codes of values', () => {
  it('ask the same question as the values do', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noDefaultInfinity: true }), { minLength: 1, maxLength: 600 }),
        fc.integer({ min: 2, max: 20 }),
        (values, groups) => {
          const X = matrixOf(
            values.map((value) => [value]),
            ['x'],
          );
          const [cuts] = findCuts(X, groups);
          expect(cuts!.length).toBeLessThan(groups);
          for (const value of values) {
            const code = codeOf(value, cuts!);
            if (Number.isNaN(value)) {
              expect(code).toBe(MISSING);
              continue;
            }
            cuts!.forEach((cut, c) => expect(code <= c + 1).toBe(value <= cut));
          }
        },
      ),
    );
  });

  it('keep few values apart, and cut many into groups of about the same size', () => {
    const few = matrixOf(
      Array.from({ length: 1000 }, (_, i) => [i % GROUPS_MAX]),
      ['x'],
    );
    expect(findCuts(few)[0]).toHaveLength(GROUPS_MAX - 1);
    const random = new Random(1);
    const many = matrixOf(
      Array.from({ length: 10_000 }, () => [Math.exp(random.normal())]),
      ['x'],
    );
    const sizes = new Int32Array(256);
    for (const code of encode(many, findBins(many), 'column')) sizes[code]! += 1;
    const used = sizes.filter((size) => size > 0);
    expect(used).toHaveLength(GROUPS_MAX);
    expect(Math.max(...used)).toBeLessThan((2 * 10_000) / GROUPS_MAX);
    // Half of the rows have one value: the others still get the other groups.
    const heavy = matrixOf(
      Array.from({ length: 10_000 }, (_, i) => [i % 2 === 0 ? 0 : 1 + random.next()]),
      ['x'],
    );
    expect(findCuts(heavy)[0]!.length).toBeGreaterThan(GROUPS_MAX * 0.9);
  });
});

/** Σ ones²/weight of both sides, for all cuts of all columns that leave enough rows. */
function bestGain(X: Matrix, y: Uint8Array, rows: readonly number[], minLeaf: number): number {
  let best = -Infinity;
  for (let j = 0; j < X.columns; j++) {
    for (const cut of rows) {
      const limit = X.data[cut * X.columns + j]!;
      const left = rows.filter((i) => X.data[i * X.columns + j]! <= limit);
      const lost = rows.filter((i) => Number.isNaN(X.data[i * X.columns + j]!));
      // What is missing may go either way.
      for (const goes of Number.isNaN(limit) ? [lost] : [left, [...left, ...lost]]) {
        const others = rows.filter((i) => !goes.includes(i));
        if (goes.length < minLeaf || others.length < minLeaf) continue;
        const part = (side: number[]) => side.reduce((sum, i) => sum + y[i]!, 0) ** 2 / side.length;
        best = Math.max(best, part(goes) + part(others));
      }
    }
  }
  return best;
}

describe('a tree', () => {
  it('makes the best cut at each node, keeps its leaves large enough, and knows their means', () => {
    fc.assert(
      fc.property(
        small,
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        ({ X, y }, minLeaf, apart) => {
          const { trees, rowCodes } = grow(X, y, minLeaf, 1, undefined, [], !apart);
          const visit = (node: number, rows: number[]): number => {
            const ones = rows.reduce((sum, i) => sum + y[i]!, 0);
            expect(trees.cover[node]).toBe(rows.length);
            expect(trees.value[node]).toBeCloseTo(ones / rows.length, 12);
            expect(rows.length).toBeGreaterThanOrEqual(minLeaf);
            const possible = bestGain(X, y, rows, minLeaf);
            const plain = ones ** 2 / rows.length;
            const column = trees.feature[node]!;
            if (column < 0) {
              expect(possible).toBeLessThanOrEqual(plain + 1e-9);
              return node + 1;
            }
            const isLeft = (i: number) => goesLeft(trees, node, rowCodes[i * X.columns + column]!);
            const left = rows.filter(isLeft);
            const right = rows.filter((i) => !isLeft(i));
            const part = (side: number[]) =>
              side.reduce((sum, i) => sum + y[i]!, 0) ** 2 / side.length;
            expect(part(left) + part(right)).toBeCloseTo(possible, 9);
            const next = visit(node + 1, left);
            expect(trees.right[node]).toBe(next);
            return visit(next, right);
          };
          expect(visit(0, [...Array(X.rows).keys()])).toBe(trees.feature.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});

it('a cut next to "missing" keeps values that were not drawn out of it, another lies in the middle', () => {
  const split = (values: number[], weights: number[]) => {
    const X = matrixOf(
      values.map((value) => [value]),
      ['x'],
    );
    const bins = findBins(X);
    const grower = new DepthFirstGrower(
      { codes: encode(X, bins, 'column'), rows: X.rows, columns: 1, categorical: bins.categorical },
      { weight: Int32Array.from(weights), target: Uint8Array.of(1, 0, 0, 0, 0) },
      { minLeaf: 1, maxDepth: 1, columnsTried: 1, ...RULES },
      true,
    );
    const builder = new TreesBuilder();
    grower.grow(new Random(1), builder);
    return builder.trees().split[0];
  };
  expect(split([Number.NaN, 1, 2, 3, 4], [1, 0, 0, 0, 1])).toBe(MISSING);
  // Codes 1 and 5 were drawn; 2 goes left, 3 and 4 go by the middle.
  expect(split([1, 2, 3, 4, 5], [1, 0, 0, 0, 1])).toBe(2);
});

/** The mean prediction where only the features of `known` (bits) are known, by definition. */
function expectation(trees: Trees, codes: Uint8Array, known: number): number {
  const walk = (first: number, node: number): number => {
    const at = first + node;
    const column = trees.feature[at]!;
    if (column < 0) return trees.value[at]!;
    const left = node + 1;
    const right = trees.right[at]!;
    if (known & (1 << column)) {
      return walk(first, goesLeft(trees, at, codes[column]!) ? left : right);
    }
    const share = trees.cover[first + left]! / trees.cover[at]!;
    return share * walk(first, left) + (1 - share) * walk(first, right);
  };
  let sum = 0;
  for (let t = 0; t < trees.start.length - 1; t++) sum += walk(trees.start[t]!, 0);
  return sum;
}

/** Shapley values by their definition: the mean over all orders of what each feature adds. */
function shapley(value: (known: number) => number, columns: number): number[] {
  const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
  return Array.from({ length: columns }, (_, j) => {
    let sum = 0;
    for (let known = 0; known < 1 << columns; known++) {
      if (known & (1 << j)) continue;
      const size = known.toString(2).replaceAll('0', '').length;
      const orders = (factorial(size) * factorial(columns - size - 1)) / factorial(columns);
      sum += orders * (value(known | (1 << j)) - value(known));
    }
    return sum;
  });
}

describe('TreeSHAP', () => {
  it('equals Shapley values by their definition', () => {
    fc.assert(
      fc.property(
        small,
        fc.integer({ min: 1, max: 3 }),
        fc.nat(),
        ({ X, y, seed }, minLeaf, pick) => {
          const { trees, rowCodes } = grow(X, y, minLeaf, 3, seed, pick % 2 === 0 ? ['x0'] : []);
          const at = (pick % X.rows) * X.columns;
          const codes = rowCodes.slice(at, at + X.columns);
          const { base, values } = treeShap(trees, codes);
          expect(base).toBeCloseTo(expectation(trees, codes, 0), 10);
          shapley((known) => expectation(trees, codes, known), X.columns).forEach((value, j) =>
            expect(values[j]).toBeCloseTo(value, 10),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it('against a background equals Shapley values by their definition', () => {
    fc.assert(
      fc.property(
        small,
        fc.integer({ min: 1, max: 3 }),
        fc.nat(),
        ({ X, y, seed }, minLeaf, pick) => {
          const { trees, rowCodes } = grow(X, y, minLeaf, 3, seed, pick % 2 === 0 ? ['x0'] : []);
          const code = (i: number) => rowCodes.slice(i * X.columns, (i + 1) * X.columns);
          const codes = code(pick % X.rows);
          const others = rowCodes.subarray(0, 5 * X.columns);
          // What is unknown is taken from each row of the background.
          const mean = (known: number) =>
            [0, 1, 2, 3, 4].reduce((sum, i) => {
              const mixed = code(i).map((own, j) => (known & (1 << j) ? codes[j]! : own));
              return sum + expectation(trees, mixed, (1 << X.columns) - 1) / 5;
            }, 0);
          const { base, values } = interventionalShap(trees, codes, others);
          expect(base).toBeCloseTo(mean(0), 10);
          shapley(mean, X.columns).forEach((value, j) => expect(values[j]).toBeCloseTo(value, 10));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('adds up to the prediction, and gives nothing to what no tree asks', () => {
    fc.assert(
      fc.property(small, ({ X, y, seed }) => {
        const wide = { ...X, columns: X.columns + 1, names: [...X.names, 'same'] };
        const rows = Array.from({ length: X.rows }, (_, i) => [...rowOf(X, i), 1]);
        const model = new Forest({ trees: 10, minLeaf: 2, seed }).fit(
          matrixOf(rows, wide.names),
          y,
        );
        const p = model.predictProba(matrixOf(rows, wide.names));
        const X3 = matrixOf(rows.slice(0, 3), wide.names);
        rows.forEach((row, i) => {
          const { base, values } = model.contributions(Float64Array.from(row));
          expect(values.reduce((sum, value) => sum + value, base)).toBeCloseTo(p[i]!, 10);
          expect(values.at(-1)).toBe(0);
          const against = model.contributionsAgainst(Float64Array.from(row), X3);
          const total = against.values.reduce((sum, value) => sum + value, against.base);
          expect(total).toBeCloseTo(p[i]!, 10);
        });
      }),
      { numRuns: 30 },
    );
  });
});

describe('a forest', () => {
  const random = new Random(3);
  const values = Array.from({ length: 600 }, () => [
    random.normal(),
    random.normal(),
    random.int(3),
  ]);
  const y = Uint8Array.from(values, ([a]) => (random.next() < 1 / (1 + Math.exp(-3 * a!)) ? 1 : 0));
  const X = matrixOf(values, ['signal', 'noise', 'flag']);
  const model = new Forest({ trees: 60 }).fit(X, y);

  it('finds the signal, and judges itself as honestly as new data does', () => {
    expect(model.importance.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(model.importance[0]).toBeGreaterThan(0.6);
    const fresh = Array.from({ length: 2000 }, () => [
      random.normal(),
      random.normal(),
      random.int(3),
    ]);
    const truth = Uint8Array.from(fresh, ([a]) =>
      random.next() < 1 / (1 + Math.exp(-3 * a!)) ? 1 : 0,
    );
    const auc = rocAuc(truth, model.predictProba(matrixOf(fresh, X.names)));
    expect(model.outOfBag.rows).toBe(600);
    expect(Math.abs(model.outOfBag.rocAuc! - auc)).toBeLessThan(0.03);
    const seen = rocAuc(y, model.predictProba(X));
    expect(seen).toBeGreaterThan(model.outOfBag.rocAuc! + 0.02);
  });

  it('learns from what is missing', () => {
    const holes = values.map(([, b, c], i) => [y[i] === 1 ? Number.NaN : b!, c!]);
    const fitted = new Forest({ trees: 20 }).fit(matrixOf(holes, ['b', 'c']), y);
    expect(fitted.outOfBag.rocAuc).toBeGreaterThan(0.99);
  });

  it('another seed is another forest', () => {
    const other = new Forest({ trees: 60, seed: 2 }).fit(X, y);
    expect(other.predictProba(X)).not.toEqual(model.predictProba(X));
  });

  it('a tree depends on its own seed alone', () => {
    const few = new Forest({ trees: 3 }).fit(X, y).toJSON();
    const more = new Forest({ trees: 5 }).fit(X, y).toJSON();
    const cover = (json: typeof few) => (json['trees'] as { cover: string }).cover;
    const bytes = (packed: string) => Buffer.from(packed.slice(4), 'base64');
    const first = bytes(cover(few));
    expect(bytes(cover(more)).subarray(0, first.length)).toEqual(first);
  });

  it('learns from more rows than one tree can draw', () => {
    const n = 140_000;
    const big = {
      rows: n,
      columns: 1,
      names: ['x'],
      data: new Float64Array(n).map((_, i) => i % 100),
    };
    const target = new Uint8Array(n).map((_, i) => (i % 100 < 30 ? 1 : 0));
    const fitted = new Forest({ trees: 2 }).fit(big, target);
    const p = fitted.predictProba(matrixOf([[0], [29], [30], [99]], ['x']));
    expect([...p]).toEqual([1, 1, 0, 0]);
  });

  it('refuses parameters out of their bounds', () => {
    for (const wrong of [{ trees: 0 }, { trees: 1.5 }, { minLeaf: 0 }, { maxDepth: 65 }]) {
      expectInvalid(() => new Forest(wrong).fit(X, y));
    }
    expectInvalid(() => new Forest({ columnsTried: 4 }).fit(X, y), { param: 'columnsTried' });
  });

  it('refuses JSON whose walk would not end', () => {
    const json = model.toJSON();
    const trees = json['trees'] as Record<string, string>;
    const nodes = Buffer.from(trees['right']!.slice(4), 'base64').length / 4;
    const loop = { ...json, trees: { ...trees, right: pack(new Int32Array(nodes)) } };
    expectInvalid(() => FittedForest.fromJSON(loop), { kind: 'forest' });
    const outside = { ...trees, feature: pack(new Int32Array(nodes).fill(7)) };
    expectInvalid(() => FittedForest.fromJSON({ ...json, trees: outside }), { kind: 'forest' });
  });
});
