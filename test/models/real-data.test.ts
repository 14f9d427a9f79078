import { describe, expect, it } from 'vitest';
import {
  BANK,
  bankMarketing,
  CDNOW,
  cdnow,
  hasData,
  ONLINE_RETAIL,
  onlineRetail,
  orderDataset,
  rfmOf,
} from '../../bench/models-data.ts';
import { KMeans } from '../../models/cluster/kmeans.ts';
import { silhouette } from '../../models/cluster/silhouette.ts';
import { Forest } from '../../models/forest/forest.ts';
import { Logistic } from '../../models/logistic/logistic.ts';
import { binaryMetrics } from '../../models/metrics.ts';
import { trainClusters } from '../../models/train-cluster.ts';
import { trainOrderModel } from '../../models/train-order.ts';

// Where a data set is absent its tests are skipped, and the run's last line counts them.
const day = (text: string): number => Date.parse(`${text}T00:00:00Z`);

describe.skipIf(!hasData(BANK))('on Bank Marketing', { timeout: 120_000 }, () => {
  const { train, test } = hasData(BANK)
    ? bankMarketing()
    : ({} as ReturnType<typeof bankMarketing>);

  it('has the rows and columns that the published figures are from', () => {
    expect([train.X.rows, test.X.rows, train.X.columns]).toEqual([28_792, 12_396, 62]);
  });

  it('the forest is as good as scikit-learn’s', () => {
    // Half of its 200 trees, for time; scikit-learn with 200: ROC AUC 0.7930, log loss 0.2706.
    const model = new Forest({ trees: 100, minLeaf: 5 }).fit(train.X, train.y);
    const metrics = binaryMetrics(test.y, model.predictProba(test.X));
    expect(metrics.rocAuc).toBeGreaterThan(0.788);
    expect(metrics.logLoss).toBeLessThan(0.2735);
    expect(metrics.brier).toBeLessThan(0.077);
    expect(metrics.ece).toBeLessThan(0.02);
  });

  it('logistic regression equals scikit-learn’s', () => {
    const model = new Logistic({ lambda: 1 }).fit(train.X, train.y);
    const metrics = binaryMetrics(test.y, model.predictProba(test.X));
    expect(metrics.rocAuc).toBeCloseTo(0.7911, 3);
    expect(metrics.logLoss).toBeCloseTo(0.2736, 3);
    expect(metrics.accuracy).toBeCloseTo(0.9025, 3);
    expect(metrics.recall).toBeCloseTo(0.2349, 2);
    expect(metrics.brier).toBeCloseTo(0.0772, 3);
  });
});

describe.skipIf(!hasData(ONLINE_RETAIL))('on Online Retail', { timeout: 120_000 }, () => {
  const orders = hasData(ONLINE_RETAIL) ? onlineRetail() : [];

  it('k-means is as tight as scikit-learn’s, and parts as well', () => {
    const X = rfmOf(orders, day('2011-12-10'));
    expect(X.rows).toBe(4_338);
    for (const [k, inertia, parted] of [
      [4, 3962.4, 0.3363],
      [6, 2875.18, 0.3139],
      [8, 2359.87, 0.3017],
    ] as const) {
      const model = new KMeans({ k, log1p: X.names }).fit(X);
      expect(Math.abs(model.inertia / inertia - 1)).toBeLessThan(0.001);
      const found = silhouette(model.space(X), model.predict(X), { rowsMax: 5_000 });
      // Other places of the centres can be as tight and part a little otherwise.
      expect(Math.abs(found - parted)).toBeLessThan(0.01);
    }
  });

  it('finds groups that a marketer knows', () => {
    const X = rfmOf(orders, day('2011-12-10'));
    const { card } = trainClusters({ X, asOfMs: day('2011-12-10'), seed: 1 });
    expect(card.clusters.map(({ name }) => name)).toMatchInlineSnapshot(`
      [
        "lapsed high spenders",
        "lapsed one-time buyers",
        "one-time buyers going quiet",
        "high spenders going quiet",
        "active regulars",
        "loyal high spenders",
      ]
    `);
  });

  it('the order model of a first start beats the recency rule', () => {
    const train = orderDataset(orders, ['2011-06-01', '2011-08-01'].map(day));
    const later = orderDataset(orders, ['2011-10-15'].map(day));
    const { card, refused } = trainOrderModel({ train, later, seed: 1, rowsMax: 1_500 });
    expect(refused).toBeUndefined();
    expect(card.aucGain.low).toBeGreaterThan(0.04);
    expect(card.metrics.rocAuc).toBeGreaterThan(0.71);
    expect(card.metrics.logLoss).toBeLessThan(card.baseline.metrics.logLoss!);
  });
});

describe.skipIf(!hasData(CDNOW))('on CDNOW', { timeout: 120_000 }, () => {
  it('the order model gains little where recency is nearly all there is to know', () => {
    const orders = cdnow().filter(({ customer }) => Number(customer) % 5 === 0);
    const train = orderDataset(orders, ['1997-09-01', '1997-11-01'].map(day));
    const later = orderDataset(orders, ['1998-03-01'].map(day));
    const { card, refused } = trainOrderModel({ train, later, seed: 1 });
    expect(refused).toBeUndefined();
    expect(card.aucGain.estimate).toBeLessThan(0.05);
    expect(card.metrics.logLoss).toBeLessThan(card.baseline.metrics.logLoss!);
    expect(card.metrics.ece).toBeLessThan(0.05);
  });
});
