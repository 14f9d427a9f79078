import { describe, expect, it } from 'vitest';
import { MlForest } from '../../models/forest/ml-forest.ts';
import { Forest } from '../../models/forest/forest.ts';
import { Constant } from '../../models/baseline.ts';
import { columnOf, matrixOf, takeRows } from '../../models/matrix.ts';
import { binaryModelFromJSON, clustersFromJSON, modelFromJSON } from '../../models/registry.ts';
import { sentence } from '../../models/explain/sentence.ts';
import { explainScore } from '../../models/explain/explain.ts';
import { rowOf } from '../../models/matrix.ts';
import { trainOrderJob } from '../../models/jobs.ts';
import { trainClusters } from '../../models/train-cluster.ts';
import { trainOrderModel } from '../../models/train-order.ts';
import { nameClusters, yardstickOf } from '../../models/cluster/names.ts';
import { silhouette } from '../../models/cluster/silhouette.ts';
import { KMeans } from '../../models/cluster/kmeans.ts';
import { expectInvalid } from './estimator-contract.ts';
import { customers, DAY, orderDataset } from './support.ts';

describe('training the order model', () => {
  const train = orderDataset(1, 1500, 0);
  const later = orderDataset(2, 800, 30 * DAY);

  it('beats the recency rule where there is more to know, and its card says by how much', () => {
    const { model, card, refused } = trainOrderModel({ train, later, seed: 5 });
    expect(refused).toBeUndefined();
    expect(card.metrics.rocAuc).toBeGreaterThan(card.baseline.metrics.rocAuc! + 0.05);
    expect(card.aucGain.low).toBeGreaterThan(0);
    expect(card.aucGain.estimate).toBeCloseTo(
      card.metrics.rocAuc! - card.baseline.metrics.rocAuc!,
      12,
    );
    expect(card).toMatchObject({
      name: 'order-30d',
      kind: 'forest',
      seed: 5,
      rowsGiven: 1500,
      rowsUsed: 1500,
      features: train.X.names,
      baseline: { kind: 'recency-rule' },
      window: { train: { fromMs: 0, toMs: 0 }, later: later.window, horizonDays: 30 },
      limits: [],
    });
    expect(card.dataHash).toMatch(/^[0-9a-f]{64}$/);
    expect(card.importance[0]!.feature).toBe('ordersAll');
    expect(card.importance.at(-1)!.aucDrop).toBeLessThan(0.01);
    expect(card.calibration.reduce((sum, bin) => sum + bin.count, 0)).toBe(800);
    expect(JSON.parse(JSON.stringify(card))).toEqual(card);
    const again = trainOrderModel({ train, later, seed: 5 });
    expect(JSON.stringify(again)).toBe(JSON.stringify({ model, card }));
  });

  it('trains on the first start’s 1,500 rows within two seconds of one core', () => {
    // The thread's own time: other tests run beside this one.
    const before = process.threadCpuUsage();
    trainOrderModel({ train, later, seed: 1 });
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1e6).toBeLessThan(2);
  });

  it('is refused, with the reason, where it loses to the recency rule', () => {
    const plain = orderDataset(3, 300, 0, false);
    const judge = orderDataset(4, 800, 30 * DAY, false);
    const { refused, card } = trainOrderModel({
      train: plain,
      later: judge,
      seed: 1,
      estimator: new Forest({ trees: 3, minLeaf: 1 }),
    });
    expect(refused).toMatch(
      /^It ranks people worse than the recency rule on the later slice: ROC AUC 0\.\d{4} against 0\.\d{4}\.$/,
    );
    expect(card.metrics.rocAuc).toBeLessThan(card.baseline.metrics.rocAuc!);
  });

  it('says what limits it: sampled rows, few people, a gain that may be luck', () => {
    const plain = orderDataset(3, 600, 0, false);
    const few = orderDataset(6, 120, 30 * DAY, false);
    const { card } = trainOrderModel({ train: plain, later: few, seed: 1, rowsMax: 400 });
    expect(card.rowsUsed).toBe(400);
    expect(card.limits.join(' ')).toContain('It learnt from a random 400 of 600 rows.');
    expect(card.limits.join(' ')).toMatch(/It was judged on \d+ orders among 120 people/);
  });

  it('counts the rows that the estimator itself leaves out, and compares with the model in use', () => {
    const filled = (data: typeof train) => ({
      ...data,
      X: { ...data.X, data: data.X.data.map((value) => (Number.isNaN(value) ? 999 : value)) },
    });
    const [a, b] = [filled(train), filled(later)];
    const { card } = trainOrderModel({
      train: a,
      later: b,
      seed: 1,
      estimator: new MlForest({ trees: 3, rowsMax: 200 }),
      current: new Constant().fit(a.X, a.y),
    });
    expect(card).toMatchObject({ kind: 'ml-forest', rowsGiven: 1500, rowsUsed: 200 });
    expect(card.current!.metrics.rocAuc).toBe(0.5);
    expect(card.limits.join(' ')).toContain('random 200 of 1500 rows');
  });

  it('goes on without the model in use where that is of another format or of other features', () => {
    const few = { ...orderDataset(1, 300, 0), rowsMax: 300 };
    const judge = orderDataset(2, 150, 30 * DAY);
    const estimator = new Forest({ trees: 5 });
    const { model } = trainOrderModel({ train: few, later: judge, seed: 1, estimator });
    const job = (current: unknown) =>
      trainOrderJob({ train: few, later: judge, seed: 1, current }, {}).card;
    expect(job(model.toJSON()).current).toBeDefined();
    expect(job({ ...model.toJSON(), format: 99 }).current).toBeUndefined();
    const X = { ...few.X, names: ['a', 'b', 'c', 'd'] };
    const other = estimator.fit(X, few.y);
    expect(job(other.toJSON()).current).toBeUndefined();
  });

  it('refuses a later slice that begins before the outcomes are known', () => {
    const early = { ...later, window: { fromMs: 29.5 * DAY, toMs: 40 * DAY } };
    expectInvalid(() => trainOrderModel({ train, later: early, seed: 1 }));
    expect(() => trainOrderModel({ train, later: early, seed: 1 })).toThrow(/move it 1 days on/);
  });

  it('refuses slices of other columns, and a later slice without orders', () => {
    const renamed = { ...later, X: { ...later.X, names: ['a', ...later.X.names.slice(1)] } };
    expectInvalid(() => trainOrderModel({ train, later: renamed, seed: 1 }), { column: 'a' });
    expectInvalid(() =>
      trainOrderModel({ train, later: { ...later, y: new Uint8Array(800) }, seed: 1 }),
    );
  });

  it('tells its progress and stops in every part', () => {
    const told: number[] = [];
    const onProgress = ({ fraction }: { fraction: number }) => void told.push(fraction);
    trainOrderModel({ train, later, seed: 1, ctx: { onProgress } });
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told.at(-1)).toBe(1);
    for (const at of [0.3, 0.75, 0.9]) {
      const controller = new AbortController();
      const stopAt = ({ fraction }: { fraction: number }) => fraction >= at && controller.abort();
      const ctx = { signal: controller.signal, onProgress: stopAt };
      expect(() => trainOrderModel({ train, later, seed: 1, ctx })).toThrow(/stopped/);
    }
  });

  it('a shuffled target teaches nothing: no leak through the code', () => {
    const y = Uint8Array.from(train.y, (_, i) => train.y[(i * 7919) % 1500]!);
    const { card } = trainOrderModel({ train: { ...train, y }, later, seed: 1 });
    expect(Math.abs(card.metrics.rocAuc! - 0.5)).toBeLessThan(0.15);
  });

  it('explains a stored score in words', () => {
    const { model } = trainOrderModel({ train, later, seed: 1 });
    const read = binaryModelFromJSON(JSON.parse(JSON.stringify(model)));
    const p = read.predictProba(later.X);
    const best = p.indexOf(Math.max(...p));
    expect(sentence(explainScore(read, rowOf(later.X, best)))).toMatch(
      /^Higher because they ordered \d+ times so far/,
    );
  });
});

describe('training the clusters', () => {
  const X = customers(1, 800);

  it('finds groups of known making, and names them', () => {
    const { model, card } = trainClusters({ X, asOfMs: 5, seed: 1, k: 4 });
    expect(card.clusters.map(({ name }) => name).toSorted()).toEqual([
      'lapsed high spenders',
      'lapsed one-time buyers',
      'loyal high spenders',
      'new one-time buyers',
    ]);
    expect(card.clusters.reduce((sum, { size }) => sum + size, 0)).toBe(800);
    expect(card.silhouette).toBeGreaterThan(0.5);
    const names = model.nameOf(X);
    const groups = ['loyal high spenders', 'new one-time buyers', 'lapsed one-time buyers'];
    groups.push('lapsed high spenders');
    const right = names.filter((name, i) => name === groups[i % 4]).length;
    expect(right).toBeGreaterThan(790);
    expect(card).toMatchObject({ k: 4, rowsGiven: 800, rowsUsed: 800, asOfMs: 5, limits: [] });
    expect(JSON.parse(JSON.stringify(card))).toEqual(card);
    const read = clustersFromJSON(JSON.parse(JSON.stringify(model)));
    expect(read.nameOf(X)).toEqual(names);
    expect(read.clusters()).toEqual(card.clusters);
  });

  it('makes fewer clusters where no more customers differ, and says so', () => {
    const three = takeRows(X, [0, 1, 2, 0, 1, 2]);
    const { card } = trainClusters({ X: three, asOfMs: 0, seed: 1 });
    expect(card.k).toBe(3);
    expect(card.limits).toContain('It has 3 clusters instead of 6: no more customers differ.');
    const one = trainClusters({ X: takeRows(X, [0, 0]), asOfMs: 0, seed: 1 });
    expect(one.card).toMatchObject({ k: 1, silhouette: null });
  });

  it('samples, says so, and still places everyone', () => {
    const { model, card } = trainClusters({ X, asOfMs: 0, seed: 1, k: 4, rowsMax: 200 });
    expect(card.limits).toContain('It learnt from a random 200 of 800 rows.');
    expect(model.nameOf(X)).toHaveLength(800);
  });

  it('refuses what is no RFM data', () => {
    const broken = { ...X, data: X.data.map((value, at) => (at === 7 ? -1 : value)) };
    expectInvalid(() => trainClusters({ X: broken, asOfMs: 0, seed: 1 }), {
      row: 2,
      column: 'orders',
    });
    const wide = matrixOf([[1, 1, 1, 1]], ['recencyDays', 'orders', 'revenue', 'x']);
    expectInvalid(() => trainClusters({ X: wide, asOfMs: 0, seed: 1 }));
  });
});

describe('names of clusters', () => {
  const names = ['recencyDays', 'orders', 'revenue'];
  const yardstick = yardstickOf(customers(1, 800));

  it('are all different, and the largest of a kind has the plain name', () => {
    const centres = matrixOf(
      [
        [200, 5, 900],
        [200, 5, 2900],
        [200, 5, 1500],
        [200, 5, 1500.1],
        [200, 5, 800],
      ],
      names,
    );
    const found = nameClusters(centres, yardstick);
    expect(found).toEqual([
      'lapsed high spenders',
      'lapsed high spenders (spent most)',
      'lapsed high spenders (spent about 1500, no. 3)',
      'lapsed high spenders (spent about 1500)',
      'lapsed high spenders (spent least)',
    ]);
  });

  it('follow the shop, but not beyond reason', () => {
    const grocer = matrixOf(
      [
        [1, 60, 900],
        [2, 50, 800],
        [3, 70, 990],
      ],
      names,
    );
    expect(yardstickOf(grocer)).toMatchObject({ recent: 14, lapsed: 30 });
    const gone = matrixOf(
      [
        [400, 1, 9],
        [500, 1, 8],
        [600, 1, 7],
      ],
      names,
    );
    expect(yardstickOf(gone)).toMatchObject({ recent: 60, lapsed: 120, often: 3 });
  });
});

describe('k-means', () => {
  it('keeps the tightest of its starts', () => {
    const X = customers(5, 200);
    const inertia = (seed: number, starts: number) =>
      new KMeans({ k: 9, seed, starts, log1p: X.names }).fit(X).inertia;
    const seeds = [1, 2, 3, 4, 5];
    for (const seed of seeds) expect(inertia(seed, 8)).toBeLessThanOrEqual(inertia(seed, 1));
    expect(seeds.some((seed) => inertia(seed, 8) < inertia(seed, 1))).toBe(true);
  });

  it('gives centres in the units of the data, and counts who is where', () => {
    const X = matrixOf(
      [
        [1, 10],
        [1, 10],
        [3, 1000],
      ],
      ['a', 'b'],
    );
    const model = new KMeans({ k: 2, log1p: ['b'] }).fit(X);
    expect([...model.sizes]).toEqual([2, 1]);
    const centres = model.centres();
    [1, 10, 3, 1000].forEach((value, at) => expect(centres.data[at]).toBeCloseTo(value, 9));
    expect([...model.predict(X)]).toEqual([0, 0, 1]);
    expect(model.inertia).toBeCloseTo(0, 12);
    expectInvalid(() => new KMeans({ k: 4 }).fit(X));
    const negative = matrixOf(
      [
        [1, 1],
        [2, -1],
      ],
      ['a', 'b'],
    );
    expectInvalid(() => new KMeans({ k: 1, log1p: ['b'] }).fit(negative), { row: 1, column: 'b' });
  });
});

describe('silhouette', () => {
  it('equals its definition, and a sample of it comes near', () => {
    const X = customers(3, 60);
    const model = new KMeans({ k: 3, log1p: X.names }).fit(X);
    const space = model.space(X);
    const own = model.predict(X);
    const distance = (i: number, j: number) =>
      Math.hypot(...[...rowOf(space, i)].map((value, c) => value - rowOf(space, j)[c]!));
    let total = 0;
    for (let i = 0; i < 60; i++) {
      const mean = (c: number) => {
        const rows = [...own.keys()].filter((j) => own[j] === c && j !== i);
        return rows.reduce((sum, j) => sum + distance(i, j), 0) / rows.length;
      };
      const a = mean(own[i]!);
      const b = Math.min(...[0, 1, 2].filter((c) => c !== own[i]).map((c) => mean(c)));
      total += (b - a) / Math.max(a, b);
    }
    expect(silhouette(space, own)).toBeCloseTo(total / 60, 12);
    const many = customers(3, 3000);
    const fitted = new KMeans({ k: 4, log1p: many.names }).fit(many);
    const all = silhouette(fitted.space(many), fitted.predict(many), { rowsMax: 3000 });
    const some = silhouette(fitted.space(many), fitted.predict(many), { rowsMax: 500 });
    expect(Math.abs(all - some)).toBeLessThan(0.03);
  });
});

describe('the registry', () => {
  it('refuses kinds it does not know, and models of another task', () => {
    expect(() => modelFromJSON({ kind: 'toString', format: 1 })).toThrow(/no kind of model/);
    const { model } = trainClusters({ X: customers(1, 40), asOfMs: 0, seed: 1, k: 2 });
    expectInvalid(() => binaryModelFromJSON(model.toJSON()));
    expectInvalid(() => clustersFromJSON(model.kmeans.toJSON()));
    expect([...columnOf(customers(1, 4), 1)]).toHaveLength(4);
  });
});
