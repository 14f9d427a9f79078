import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BinaryModel, Estimator } from '../models/estimator.ts';
import { KMeans } from '../models/cluster/kmeans.ts';
import { Forest } from '../models/forest/forest.ts';
import { MlForest } from '../models/forest/ml-forest.ts';
import { Logistic } from '../models/logistic/logistic.ts';
import type { Matrix } from '../models/matrix.ts';
import { takeRows, takeTarget } from '../models/matrix.ts';
import { binaryMetrics } from '../models/metrics.ts';
import { sampleRows } from '../models/splits.ts';
import { trainOrderModel } from '../models/train-order.ts';
import * as data from './models-data.ts';

export interface BenchOptions {
  /** At least 5 for figures that are published. */
  readonly rounds: number;
  readonly log?: (line: string) => void;
}

export interface BenchResult {
  readonly figures: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, number>>;
  readonly tables: readonly {
    readonly title: string;
    readonly columns: readonly string[];
    readonly rows: readonly (readonly (string | number)[])[];
  }[];
  /** What was left out, and why. */
  readonly notes: readonly string[];
}

type Slice = { readonly X: Matrix; readonly y: Float64Array };

/** Rows and trees that `ml-random-forest` manages in seconds; ours gets the very same. */
const SMALL = { rows: 600, trees: 10 };

/** Our forest beside `ml-random-forest` and scikit-learn, and all models on the data that their figures are known for. */
export async function run({ rounds, log = () => {} }: BenchOptions): Promise<BenchResult> {
  const notes: string[] = [];
  const figures: Record<string, number> = {};
  const ratios: Record<string, number> = {};
  const tables: BenchResult['tables'][number][] = [];
  if (data.hasData(data.BANK)) bank(rounds, log, { notes, figures, ratios, tables });
  else notes.push(`${data.BANK} is absent: no classification.`);
  await orders({ notes, figures, tables });
  return { figures, ratios, tables, notes };
}

interface Out {
  readonly notes: string[];
  readonly figures: Record<string, number>;
  readonly ratios: Record<string, number>;
  readonly tables: BenchResult['tables'][number][];
}

interface Judged {
  readonly fitMs: number;
  readonly predictMs: number;
  readonly rocAuc: number;
  readonly logLoss: number;
}

function bank(rounds: number, log: (line: string) => void, out: Out): void {
  const { train, test } = data.bankMarketing();
  const taken = sampleRows(train.X.rows, SMALL.rows, 1);
  const small = { X: takeRows(train.X, taken), y: takeTarget(train.y, taken) };
  const sklearn = scikitLearn(train, test);
  if (!sklearn) out.notes.push('python3 has no scikit-learn: its forest was not run.');
  const contenders: Record<string, () => Judged> = {
    'ours, 600 rows, 10 trees': () =>
      judge(new Forest({ trees: SMALL.trees, minLeaf: 5 }), small, test),
    'ml-random-forest, 600 rows, 10 trees': () =>
      judge(new MlForest({ trees: SMALL.trees, rowsMax: SMALL.rows }), small, test),
    'ours, 28,792 rows, 200 trees': () => judge(new Forest({ minLeaf: 5 }), train, test),
    ...(sklearn ? { 'scikit-learn, 28,792 rows, 200 trees, 1 thread': sklearn.round } : {}),
    'our logistic regression, 28,792 rows': () => judge(new Logistic(), train, test),
  };
  const results = interleaved(contenders, rounds, log);
  sklearn?.close();
  const median = (name: string, key: keyof Judged): number =>
    middle(results.get(name)!.map((judged) => judged[key]));
  const [ours, ml, big, theirs] = Object.keys(contenders) as [string, string, string, string];
  Object.assign(out.figures, {
    forestSmallFitMs: median(ours, 'fitMs'),
    mlForestSmallFitMs: median(ml, 'fitMs'),
    forestFitMs: median(big, 'fitMs'),
    forestPredictMs: median(big, 'predictMs'),
    forestRocAuc: median(big, 'rocAuc'),
    forestLogLoss: median(big, 'logLoss'),
    logisticFitMs: median(Object.keys(contenders).at(-1)!, 'fitMs'),
    logisticRocAuc: median(Object.keys(contenders).at(-1)!, 'rocAuc'),
    ...(sklearn ? { sklearnFitMs: median(theirs, 'fitMs') } : {}),
  });
  out.ratios['fitToMlRandomForest'] = median(ml, 'fitMs') / median(ours, 'fitMs');
  if (sklearn) out.ratios['fitToScikitLearn'] = median(theirs, 'fitMs') / median(big, 'fitMs');
  out.tables.push({
    title: `Bank Marketing without duration, 62 columns, 12,396 test rows, ${rounds} rounds`,
    columns: ['model', 'fit ms min', 'median', 'max', 'predict ms', 'ROC AUC', 'log loss'],
    rows: [...results].map(([name, runs]) => {
      const fits = runs.map(({ fitMs }) => fitMs);
      return [
        name,
        Math.round(Math.min(...fits)),
        Math.round(middle(fits)),
        Math.round(Math.max(...fits)),
        Math.round(median(name, 'predictMs')),
        median(name, 'rocAuc').toFixed(4),
        median(name, 'logLoss').toFixed(4),
      ];
    }),
  });
}

/** All contenders in each round, so that a slow minute of the machine is slow for all of them. */
function interleaved(
  contenders: Readonly<Record<string, () => Judged>>,
  rounds: number,
  log: (line: string) => void,
): Map<string, Judged[]> {
  const results = new Map<string, Judged[]>(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const [name, contender] of Object.entries(contenders)) {
      const judged = contender();
      results.get(name)!.push(judged);
      log(`round ${round}: ${name}: fit ${Math.round(judged.fitMs)} ms`);
    }
  }
  return results;
}

function judge(estimator: Estimator<BinaryModel>, train: Slice, test: Slice): Judged {
  const started = performance.now();
  const model = estimator.fit(train.X, train.y);
  const fitted = performance.now();
  const p = model.predictProba(test.X);
  const predicted = performance.now();
  const { rocAuc, logLoss } = binaryMetrics(test.y, p);
  return { fitMs: fitted - started, predictMs: predicted - fitted, rocAuc, logLoss };
}

const SKLEARN = `
import sys, time, json, numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score, log_loss
folder, rows, tests, columns = sys.argv[1], *map(int, sys.argv[2:5])
read = lambda name, n, m: np.fromfile(f'{folder}/{name}', dtype='<f8').reshape(n, m)
X, y, T, z = read('X', rows, columns), read('y', rows, 1)[:, 0], read('T', tests, columns), read('z', tests, 1)[:, 0]
model = RandomForestClassifier(200, min_samples_leaf=5, random_state=1, n_jobs=1)
a = time.perf_counter(); model.fit(X, y); b = time.perf_counter(); p = model.predict_proba(T)[:, 1]; c = time.perf_counter()
print(json.dumps(dict(fitMs=1e3 * (b - a), predictMs=1e3 * (c - b), rocAuc=roc_auc_score(z, p), logLoss=log_loss(z, p))))
`;

/** scikit-learn on the same rows, where the machine's python3 has it. */
function scikitLearn(train: Slice, test: Slice): { round: () => Judged; close: () => void } | null {
  if (spawnSync('python3', ['-c', 'import sklearn']).status !== 0) return null;
  const folder = mkdtempSync(join(tmpdir(), 'kairos-bench-'));
  const files = { X: train.X.data, y: train.y, T: test.X.data, z: test.y };
  for (const [name, values] of Object.entries(files)) {
    writeFileSync(join(folder, name), new Uint8Array(values.buffer));
  }
  const sizes = [train.X.rows, test.X.rows, train.X.columns].map(String);
  return {
    round: () =>
      JSON.parse(
        execFileSync('python3', ['-c', SKLEARN, folder, ...sizes], { encoding: 'utf8' }),
      ) as Judged,
    close: () => rmSync(folder, { recursive: true }),
  };
}

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
async function orders(out: Omit<Out, 'ratios'>): Promise<void> {
  const scores: (string | number)[][] = [];
  const clusters: (string | number)[][] = [];
  for (const shop of SHOPS) {
    if (!data.hasData(shop.file)) {
      out.notes.push(`${shop.file} is absent: no ${shop.name}.`);
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
  out.tables.push(
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
  );
}

function middle(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
