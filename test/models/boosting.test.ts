import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Boosting, BoostingRegression } from '../../models/boosting/boosting.ts';
import type { Estimator, Model } from '../../models/estimator.ts';
import { Forest } from '../../models/forest/forest.ts';
import { ForestRegression } from '../../models/forest/regression.ts';
import type { Matrix } from '../../models/matrix.ts';
import { matrixOf, rowOf, takeRows } from '../../models/matrix.ts';
import { logLoss } from '../../models/metrics.ts';
import { Random } from '../../models/random.ts';
import { encode, findBins } from '../../models/tree/bins.ts';
import { layOut } from '../../models/tree/bundles.ts';
import { DecisionTree, TreeRegression } from '../../models/tree/decision-tree.ts';
import { LeafWiseGrower } from '../../models/tree/leaf-wise.ts';
import { TreesBuilder } from '../../models/tree/trees.ts';
import { expectInvalid, outputs } from './estimator-contract.ts';

/** Every estimator that grows trees, small, with further parameters. */
const GROWERS: Record<string, (more?: object) => Estimator> = {
  DecisionTree: (more) => new DecisionTree({ minLeaf: 5, ...more }),
  'DecisionTree leaf-wise': (more) => new DecisionTree({ maxLeaves: 16, ...more }),
  Forest: (more) => new Forest({ trees: 20, ...more }),
  Boosting: (more) => new Boosting({ trees: 20, minLeaf: 5, ...more }),
  TreeRegression: (more) => new TreeRegression({ minLeaf: 5, ...more }),
  ForestRegression: (more) => new ForestRegression({ trees: 20, ...more }),
  BoostingRegression: (more) => new BoostingRegression({ trees: 20, minLeaf: 5, ...more }),
};

function data(seed: number, rows: number, row: (random: Random) => [number[], number]) {
  const random = new Random(seed);
  const made = Array.from({ length: rows }, () => row(random));
  const columns = made[0]![0].length;
  const names = Array.from({ length: columns }, (_, j) => `x${j}`);
  return {
    X: matrixOf(
      made.map(([values]) => values),
      names,
    ),
    y: Float64Array.from(made, ([, target]) => target),
  };
}

describe.each(Object.entries(GROWERS))('%s', (_, make) => {
  it('keeps categories as categories, and sends unknown ones where missing ones go', () => {
    // Odd shops sell: no order of the numbers says so.
    const { X, y } = data(1, 600, (random) => {
      const shop = random.int(20);
      return [[shop, random.normal()], random.next() < (shop % 2 === 1 ? 0.9 : 0.1) ? 1 : 0];
    });
    const model = make({ categorical: ['x0'], maxDepth: 2 }).fit(X, y);
    const said = outputs(
      model,
      matrixOf(
        [
          [3, 0],
          [4, 0],
          [17, 0],
          [999, 0],
          [Number.NaN, 0],
        ],
        X.names,
      ),
    );
    expect(said[0]! - said[1]!).toBeGreaterThan(0.2);
    expect(said[2]! - said[1]!).toBeGreaterThan(0.2);
    expect(said[3]).toBe(said[4]);
  });

  it('learns where missing values belong', () => {
    const { X, y } = data(2, 600, (random) => {
      const value = random.next();
      const lost = random.next() < 0.3;
      const yes = lost || value > 0.8;
      return [
        [lost ? Number.NaN : value, random.normal()],
        random.next() < (yes ? 0.9 : 0.1) ? 1 : 0,
      ];
    });
    const said = outputs(
      make().fit(X, y),
      matrixOf(
        [
          [Number.NaN, 0],
          [0.3, 0],
          [0.95, 0],
        ],
        X.names,
      ),
    );
    expect(said[0]! - said[1]!).toBeGreaterThan(0.2);
    expect(said[2]! - said[1]!).toBeGreaterThan(0.15);
  });

  it('keeps monotone columns monotone, for everybody else alike', () => {
    for (const direction of [1, -1] as const) {
      const { X, y } = data(3, 500, (random) => {
        const [a, b] = [random.next(), random.next()];
        // Against the direction in a part, so that it must be held by force.
        const pull = direction * (a < 0.6 ? a : 1 - a) + b / 2;
        return [[a, b], random.next() < 1 / (1 + Math.exp(-6 * pull)) ? 1 : 0];
      });
      const model = make({ monotone: { x0: direction } }).fit(X, y);
      for (let k = 0; k < 10; k++) {
        const grid = Array.from({ length: 40 }, (_v, i) => [i / 40, k / 10]);
        const said = outputs(model, matrixOf(grid, X.names));
        for (let i = 1; i < 40; i++) {
          expect(direction * (said[i]! - said[i - 1]!)).toBeGreaterThanOrEqual(-1e-12);
        }
      }
    }
  });

  it('reads weights: a row of weight 0 is as if it were not there', () => {
    const { X, y } = data(4, 300, (random) => {
      const a = random.next();
      return [[a, random.next()], random.next() < a ? 1 : 0];
    });
    // All that is above the middle counts for nothing, so the model cannot know it.
    const sampleWeight = Float64Array.from({ length: 300 }, (_v, i) =>
      rowOf(X, i)[0]! > 0.5 ? 0 : 2,
    );
    const low = Int32Array.from({ length: 300 }, (_v, i) => i).filter((i) => sampleWeight[i]! > 0);
    const weighed = outputs(make().fit(X, y, { sampleWeight }), X);
    const mean = (rows: Int32Array) => rows.reduce((sum, i) => sum + weighed[i]! / rows.length, 0);
    const truth = low.reduce((sum, i) => sum + y[i]! / low.length, 0);
    expect(mean(low)).toBeCloseTo(truth, 1);
    expectInvalid(() => make().fit(X, y, { sampleWeight: new Float64Array(300) }));
    expectInvalid(() => make().fit(X, y, { sampleWeight: new Float64Array(9).fill(1) }));
    expectInvalid(() => make().fit(X, y, { sampleWeight: new Float64Array(300).fill(-1) }), {
      row: 0,
    });
  });

  it('takes many columns, few rows, and columns of one value', () => {
    const random = new Random(5);
    const rows = Array.from({ length: 24 }, (_v, i) =>
      Array.from({ length: 10_000 }, (_w, j) =>
        j === 7_000 ? i % 2 : j % 3 === 0 ? 1 : random.next(),
      ),
    );
    const names = rows[0]!.map((_v, j) => `x${j}`);
    const y = Float64Array.from(rows, (_v, i) => i % 2);
    const wide = matrixOf(rows, names);
    const model = make({ columnsTried: undefined, minLeaf: 2, trees: 3 }).fit(wide, y);
    expect(outputs(model, wide).every(Number.isFinite)).toBe(true);
    const few = make().fit(takeRows(wide, [0, 1]), y.slice(0, 2));
    expect(outputs(few, wide).every(Number.isFinite)).toBe(true);
    const flat = matrixOf([[1], [1], [1], [1]], ['x']);
    const said = outputs(make().fit(flat, Float64Array.of(0, 1, 1, 1)), flat);
    expect(new Set(said).size).toBe(1);
  });

  it('refuses columns that are not there, and an order of categories', () => {
    const { X, y } = data(6, 40, (random) => [[random.int(3)], random.int(2)]);
    expectInvalid(() => make({ categorical: ['nope'] }).fit(X, y), { column: 'nope' });
    expectInvalid(() => make({ monotone: { nope: 1 } }).fit(X, y), { column: 'nope' });
    expectInvalid(() => make({ categorical: ['x0'], monotone: { x0: 1 } }).fit(X, y), {
      column: 'x0',
    });
  });

  it('explains each prediction exactly, against anybody', () => {
    const { X, y } = data(8, 200, (random) => {
      const [a, b] = [random.int(6), random.normal()];
      return [[a, b, random.next()], a + b > 3 ? 1 : 0];
    });
    const model = make({ categorical: ['x0'] }).fit(X, y) as Model & {
      contributions(row: Float64Array): { base: number; scale: string; values: Float64Array };
      contributionsAgainst(row: Float64Array, X: Matrix): { base: number; values: Float64Array };
    };
    const background = takeRows(X, [1, 2, 3, 4]);
    const said = outputs(model, X);
    for (const i of [0, 50, 100]) {
      const row = rowOf(X, i);
      for (const { base, values } of [
        model.contributions(row),
        model.contributionsAgainst(row, background),
      ]) {
        const sum = values.reduce((total, value) => total + value, base);
        const isLogit = model.contributions(row).scale === 'logit';
        expect(isLogit ? 1 / (1 + Math.exp(-sum)) : sum).toBeCloseTo(said[i]!, 9);
      }
    }
    expectInvalid(() => model.contributionsAgainst(rowOf(X, 0), takeRows(X, [])));
  });
});

/** One-hot columns of a few categories beside plain ones: some share a bundle, some cannot. */
const oneHot = fc
  .record({
    seed: fc.integer(),
    rows: fc.integer({ min: 20, max: 120 }),
    kinds: fc.integer({ min: 2, max: 6 }),
  })
  .map(({ seed, rows, kinds }) =>
    data(seed, rows, (random) => {
      const kind = random.int(kinds);
      const hot = Array.from({ length: kinds }, (_, k) => (k === kind ? 1 : 0));
      const odd = random.next() < 0.1 ? Number.NaN : random.next() < 0.8 ? 0 : random.int(4);
      return [[...hot, odd, random.int(9)], random.next() < (kind + 1) / (kinds + 1) ? 1 : 0];
    }),
  );

describe('bundles', () => {
  it('hold every code of every column', () => {
    fc.assert(
      fc.property(oneHot, ({ X }) => {
        const bins = findBins(X);
        const codes = encode(X, bins, 'column');
        const { width, cells, base, silent, size } = layOut(codes, X.rows, X.columns);
        expect(width).toBeLessThanOrEqual(X.columns);
        for (let i = 0; i < X.rows; i++) {
          const own = cells.subarray(i * width, (i + 1) * width);
          own.forEach((cell) => expect(cell).toBeLessThan(size));
          for (let j = 0; j < X.columns; j++) {
            const code = codes[j * X.rows + i]!;
            if (code === silent[j]) continue;
            const moved = silent[j]! >= 0 && code > silent[j]! ? 1 : 0;
            expect(own).toContain(base[j]! + code - moved);
          }
        }
      }),
    );
  });

  it('of a one-hot encoding are one', () => {
    const { X } = data(1, 200, (random) => {
      const kind = random.int(10);
      return [Array.from({ length: 10 }, (_, k) => (k === kind ? 1 : 0)), 0];
    });
    const codes = encode(X, findBins(X), 'column');
    expect(layOut(codes, X.rows, X.columns).width).toBe(1);
  });
});

describe('a leaf-wise tree', () => {
  it('cuts as a depth-first one where both grow to the end', () => {
    fc.assert(
      fc.property(oneHot, fc.integer({ min: 1, max: 4 }), ({ X, y }, minLeaf) => {
        fc.pre(y.some((v) => v === 1) && y.some((v) => v === 0));
        const deep = new TreeRegression({ maxDepth: 64, minLeaf }).fit(X, y).predict(X);
        const wide = new TreeRegression({ maxDepth: 64, minLeaf, maxLeaves: 500 })
          .fit(X, y)
          .predict(X);
        // Equally good cuts may be chosen differently; what they explain is the same at the first cut at least.
        const error = (said: Float64Array) => said.reduce((s, v, i) => s + (v - y[i]!) ** 2, 0);
        expect(Math.abs(error(deep) - error(wide))).toBeLessThan(0.25 * y.length);
        expect(wide.every((value) => value >= 0 && value <= 1)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('takes the cut that gains most, and its sums by subtraction are exact', () => {
    fc.assert(
      fc.property(oneHot, fc.integer({ min: 2, max: 12 }), ({ X, y }, maxLeaves) => {
        const bins = findBins(X);
        const codes = encode(X, bins, 'column');
        const rows = Int32Array.from({ length: X.rows }, (_, i) => i);
        const rules = {
          minWeight: 0,
          lambda: 0,
          categorySmooth: 0,
          categoryLambda: 0,
          monotone: null,
        };
        const grower = new LeafWiseGrower(
          { codes, rows: X.rows, columns: X.columns, categorical: bins.categorical },
          rows,
          { maxLeaves, maxDepth: 64, minLeaf: 1, ...rules },
        );
        const builder = new TreesBuilder();
        const score = new Float64Array(X.rows);
        const pull = y.map((value, i) => -(value + i / 1000));
        grower.grow(pull, new Float64Array(X.rows).fill(1), 1, builder, score);
        const { feature, value, cover } = builder.trees();
        expect(feature.filter((f) => f < 0).length).toBeLessThanOrEqual(maxLeaves);
        // Each leaf says the mean of its rows.
        const leaves = Map.groupBy(rows, (i) => score[i]!);
        for (const [said, inside] of leaves) {
          const mean = inside.reduce((sum, i) => sum - pull[i]!, 0) / inside.length;
          expect(said).toBeCloseTo(mean, 9);
        }
        expect(cover[0]).toBe(X.rows);
        expect(value[0]).toBeCloseTo(-pull.reduce((a, b) => a + b) / X.rows, 9);
      }),
      { numRuns: 60 },
    );
  });
});

describe('boosting', () => {
  const { X, y } = data(11, 1500, (random) => {
    const [a, b] = [random.normal(), random.normal()];
    return [[a, b, random.normal()], random.next() < 1 / (1 + Math.exp(-a - a * b)) ? 1 : 0];
  });

  it('lowers the training loss with every tree', () => {
    const losses = [1, 5, 20, 60].map((trees) =>
      logLoss(y, new Boosting({ trees }).fit(X, y).predictProba(X)),
    );
    expect(losses).toEqual(losses.toSorted((a, b) => b - a));
    expect(new Set(losses).size).toBe(4);
  });

  it('stops early on the last rows, and keeps the best trees only', () => {
    const earlyStopping = { rounds: 10, share: 0.3 };
    const model = new Boosting({ trees: 400, learningRate: 0.3, earlyStopping }).fit(X, y);
    expect(model.treeCount).toBeLessThan(100);
    expect(model.stopped.treesTried).toBe(model.treeCount + 10);
    const later = takeRows(
      X,
      Int32Array.from({ length: 450 }, (_, i) => 1050 + i),
    );
    const loss = logLoss(y.slice(1050), model.predictProba(later));
    expect(model.stopped.laterLoss).toBeCloseTo(loss, 9);
    // The same trees as without: the later rows taught nothing.
    const early = takeRows(
      X,
      Int32Array.from({ length: 1050 }, (_, i) => i),
    );
    const same = new Boosting({ trees: model.treeCount, learningRate: 0.3 });
    const again = same.fit(early, y.slice(0, 1050)).predictProba(later);
    again.forEach((p, i) => expect(p).toBeCloseTo(model.predictProba(later)[i]!, 9));
    expectInvalid(() =>
      new Boosting({ earlyStopping: { rounds: 3, share: 0.001 } }).fit(
        takeRows(X, [0, 1, 2, 3]),
        Float64Array.of(0, 1, 0, 1),
      ),
    );
  });

  it('refuses parameters out of their bounds', () => {
    for (const wrong of [
      { trees: 0 },
      { learningRate: 0 },
      { maxLeaves: 1 },
      { minLeaf: 0.5 },
      { columnShare: 0 },
      { lambda: -1 },
    ]) {
      expectInvalid(() => new Boosting(wrong).fit(X, y), { param: Object.keys(wrong)[0] });
    }
  });

  it('survives targets of any size', () => {
    for (const size of [1e-9, 1, 1e9]) {
      const model = new BoostingRegression({ trees: 200 }).fit(
        X,
        y.map((value) => value * size),
      );
      const said = model.predict(X);
      const mean = said.reduce((sum, value) => sum + value / 1500, 0);
      expect(mean / size).toBeCloseTo(
        y.reduce((sum, value) => sum + value / 1500, 0),
        6,
      );
    }
  });
});
