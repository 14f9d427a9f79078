import { KMeans } from '../../models/cluster/kmeans.ts';
import { trainOrderModel } from '../../models/train-order.ts';
import * as data from '../models-data.ts';
import type { FamilyResult } from './family.ts';

const day = (text: string): number => Date.parse(`${text}T00:00:00Z`);

const SHOPS = [
  {
    name: 'Online Retail',
    file: data.ONLINE_RETAIL,
    read: data.onlineRetail,
    train: ['2011-06-01', '2011-07-01', '2011-08-01', '2011-09-01'],
    later: ['2011-10-15'],
    clustersAt: '2011-12-10',
  },
  {
    name: 'CDNOW',
    file: data.CDNOW,
    read: data.cdnow,
    train: ['1997-07-01', '1997-09-01', '1997-11-01', '1998-01-01'],
    later: ['1998-03-01', '1998-05-01'],
    clustersAt: '1998-07-01',
  },
  {
    name: 'Complete Journey',
    file: data.COMPLETE_JOURNEY,
    read: data.completeJourney,
    train: ['2017-06-01', '2017-07-01', '2017-08-01', '2017-09-01'],
    later: ['2017-10-01', '2017-11-01', '2017-12-01'],
    clustersAt: '2017-10-01',
  },
] as const;

/** What the score and the clusters find in real shops: once each, since only their times are chance. */
export async function orders(): Promise<FamilyResult> {
  const notes: string[] = [];
  const scores: (string | number)[][] = [];
  const clusters: (string | number)[][] = [];
  for (const shop of SHOPS) {
    if (!data.hasData(shop.file)) {
      notes.push(`${shop.file} is absent: no ${shop.name}.`);
      continue;
    }
    const history = await shop.read();
    const train = data.orderDataset(history, shop.train.map(day));
    const later = data.orderDataset(history, shop.later.map(day));
    const started = performance.now();
    const { card, refused } = trainOrderModel({ train, later, seed: 1 });
    scores.push([
      shop.name,
      card.rowsUsed,
      card.metrics.rocAuc!.toFixed(4),
      card.baseline.metrics.rocAuc!.toFixed(4),
      `${card.aucGain.low!.toFixed(4)} to ${card.aucGain.high!.toFixed(4)}`,
      card.metrics.logLoss!.toFixed(4),
      card.baseline.metrics.logLoss!.toFixed(4),
      card.metrics.ece!.toFixed(4),
      Math.round(performance.now() - started),
      refused ?? 'accepted',
    ]);
    const X = data.rfmOf(history, day(shop.clustersAt));
    for (const k of [4, 6, 8]) {
      const before = performance.now();
      const model = new KMeans({ k, log1p: X.names }).fit(X);
      const ms = Math.round(performance.now() - before);
      clusters.push([shop.name, X.rows, k, model.inertia.toFixed(2), ms]);
    }
  }
  const tables = [
    {
      title: 'P(order in 30 days) on later moments, our forest beside the recency rule',
      columns: 'shop,rows,ROC AUC,rule,gain 95 %,log loss,rule,ECE,ms,verdict'.split(','),
      rows: scores,
    },
    {
      title: 'k-means on log recency, orders, revenue, 20 starts',
      columns: ['shop', 'customers', 'k', 'inertia', 'ms'],
      rows: clusters,
    },
  ];
  return { figures: {}, ratios: {}, tables, notes };
}
