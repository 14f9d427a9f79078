import { Boosting } from '../../models/boosting/boosting.ts';
import type { BinaryModel, Estimator } from '../../models/estimator.ts';
import { Forest } from '../../models/forest/forest.ts';
import { takeRows, takeTarget } from '../../models/matrix.ts';
import { sampleRows } from '../../models/splits.ts';
import { DecisionTree } from '../../models/tree/decision-tree.ts';
import * as data from '../models-data.ts';
import { interleave } from '../support/rounds.ts';
import { spread } from '../support/result.ts';
import { type FamilyOptions, type FamilyResult, judge } from './family.ts';
import type { Judged, PythonReferences, Slice } from './trees-references.ts';
import { mlRandomForestMs, pythonReferences, ydfReference } from './trees-references.ts';

/** What `ml-random-forest` can do in less than a minute; ours gets the very same. */
const SMALL = { rows: 6_000, trees: 20 };
/** Many columns by chance and few leaves: better than the settings that LightGBM is timed with. */
const QUALITY = { columnShare: 0.5, maxLeaves: 15 };
/** ROC AUC without Python: measured with scikit-learn 1.9.1 and LightGBM 4.7.0 on the same split. */
const STORED = { forest: 0.793, boosting: 0.798, tree: 0.7875 };
const SCORED_ROWS = 100_000;

const NAMES = {
  forest: 'forest, 200 trees, 5 a leaf',
  sklearn: 'scikit-learn forest, 200 trees, 5 a leaf',
  boosting: 'boosting, 100 trees, 31 leaves',
  lightgbm: 'LightGBM, 100 trees, 31 leaves',
  ydf: 'ydf-training, its own settings',
  quality: 'boosting, 100 trees, 15 leaves, half of the columns',
  tree: 'tree, depth 6',
  sklearnTree: 'scikit-learn tree, depth 6',
  small: 'forest, 6,000 rows, 20 trees',
} as const;

/** Tree, forest and boosting on Bank Marketing beside scikit-learn, LightGBM, Yggdrasil and ml-random-forest. */
export async function trees({ rounds, log }: FamilyOptions): Promise<FamilyResult> {
  if (!data.hasData(data.BANK)) {
    return { figures: {}, ratios: {}, tables: [], notes: [`${data.BANK} is absent: no trees.`] };
  }
  const notes: string[] = [];
  const { train, test } = data.bankMarketing();
  const python = await pythonReferences(train, test, log);
  if (python.found === null) {
    notes.push(`No Python references (${python.why}): compared with stored ROC AUC only.`);
  }
  const ydf = await ydfReference(train, test, log);
  if (ydf.found === null) notes.push(`ydf-training did not run: ${ydf.why}`);
  const taken = sampleRows(train.X.rows, SMALL.rows, 1);
  const small = { X: takeRows(train.X, taken), y: takeTarget(train.y, taken) };
  const found = await interleave(
    rounds,
    { ...ours(train, small, test), ...theirs(python.found, ydf.found) },
    log,
    ({ fitMs, rocAuc }) => `fit ${Math.round(fitMs)} ms, ROC AUC ${rocAuc.toFixed(4)}`,
  );
  python.found?.close();
  const mlMs = mlRandomForestMs(small, SMALL.trees);
  notes.push(
    `ml-random-forest fits 6,000 rows and 20 trees in ${Math.round(mlMs)} ms (2 trees timed, once).`,
  );
  const { figures, ratios } = compare(found, mlMs, python.found !== null, ydf.found !== null);
  figures['forestRowsPerSecond'] = scoring(train, test);
  return { figures, ratios, tables: [tableOf(found, rounds)], notes };
}

type Contenders = Record<string, () => Promise<Judged>>;

/** Ours; the seed of a round is its number. */
function ours(train: Slice, small: Slice, test: Slice): Contenders {
  const run = (make: (seed: number) => Estimator<BinaryModel>, on = train) => {
    let round = 0;
    return () => Promise.resolve(judge(make(++round), on, test));
  };
  return {
    [NAMES.forest]: run((seed) => new Forest({ trees: 200, minLeaf: 5, seed })),
    [NAMES.boosting]: run((seed) => new Boosting({ trees: 100, maxLeaves: 31, seed })),
    [NAMES.quality]: run((seed) => new Boosting({ trees: 100, ...QUALITY, seed })),
    [NAMES.tree]: run((seed) => new DecisionTree({ maxDepth: 6, minLeaf: 1, seed })),
    [NAMES.small]: run((seed) => new Forest({ trees: SMALL.trees, minLeaf: 5, seed }), small),
  };
}

function theirs(python: PythonReferences | null, ydf: (() => Judged) | null): Contenders {
  const counted = (model: 'forest' | 'tree' | 'boosting') => {
    let round = 0;
    return () => python!.judge(model, ++round);
  };
  return {
    ...(python
      ? {
          [NAMES.sklearn]: counted('forest'),
          [NAMES.lightgbm]: counted('boosting'),
          [NAMES.sklearnTree]: counted('tree'),
        }
      : {}),
    ...(ydf ? { [NAMES.ydf]: () => Promise.resolve(ydf()) } : {}),
  };
}

function compare(
  results: Readonly<Record<string, readonly Judged[]>>,
  mlMs: number,
  withPython: boolean,
  withYdf: boolean,
): { figures: Record<string, number>; ratios: Record<string, number> } {
  const middle = (name: string, key: keyof Judged): number =>
    spread(results[name]!.map((judged) => judged[key])).median;
  const mean = (name: string, key: keyof Judged): number =>
    results[name]!.reduce((sum, judged) => sum + judged[key] / results[name]!.length, 0);
  const figures: Record<string, number> = {
    forestAuc: mean(NAMES.forest, 'rocAuc'),
    forestLogLoss: mean(NAMES.forest, 'logLoss'),
    boostingAuc: mean(NAMES.quality, 'rocAuc'),
    boostingLogLoss: mean(NAMES.quality, 'logLoss'),
    boostingEqualAuc: mean(NAMES.boosting, 'rocAuc'),
    treeAuc: mean(NAMES.tree, 'rocAuc'),
    forestFitMs: middle(NAMES.forest, 'fitMs'),
    forestPredictMs: middle(NAMES.forest, 'predictMs'),
    boostingFitMs: middle(NAMES.boosting, 'fitMs'),
    scikitLearnForestAuc: withPython ? mean(NAMES.sklearn, 'rocAuc') : STORED.forest,
    lightGbmAuc: withPython ? mean(NAMES.lightgbm, 'rocAuc') : STORED.boosting,
    scikitLearnTreeAuc: withPython ? mean(NAMES.sklearnTree, 'rocAuc') : STORED.tree,
  };
  const faster = (reference: string, own: string, key: keyof Judged): number =>
    middle(reference, key) / middle(own, key);
  const ratios: Record<string, number> = {
    forestFitToMlRandomForest: mlMs / middle(NAMES.small, 'fitMs'),
  };
  if (withPython) {
    ratios['forestFitToScikitLearn'] = faster(NAMES.sklearn, NAMES.forest, 'fitMs');
    ratios['forestPredictToScikitLearn'] = faster(NAMES.sklearn, NAMES.forest, 'predictMs');
    ratios['boostingFitToLightGbm'] = faster(NAMES.lightgbm, NAMES.boosting, 'fitMs');
  }
  if (withYdf) ratios['boostingFitToYdf'] = faster(NAMES.ydf, NAMES.boosting, 'fitMs');
  return { figures, ratios };
}

/** People a second by a forest of 200 trees, from raw features on. */
function scoring(train: Slice, test: Slice): number {
  const model = new Forest({ trees: 200, minLeaf: 5 }).fit(train.X, train.y);
  const many = takeRows(
    test.X,
    Int32Array.from({ length: SCORED_ROWS }, (_, i) => i % test.X.rows),
  );
  const started = performance.now();
  model.predictProba(many);
  return (1_000 * SCORED_ROWS) / (performance.now() - started);
}

function tableOf(
  results: Readonly<Record<string, readonly Judged[]>>,
  rounds: number,
): FamilyResult['tables'][number] {
  return {
    title: `Bank Marketing without duration, 28,792 rows of 62 columns, 12,396 test rows, one thread, ${rounds} rounds`,
    columns: ['model', 'fit ms', 'min', 'max', 'predict ms', 'ROC AUC', 'log loss'],
    rows: Object.entries(results).map(([name, runs]) => {
      const fits = spread(runs.map(({ fitMs }) => fitMs));
      const mean = (key: keyof Judged) =>
        runs.reduce((sum, judged) => sum + judged[key] / runs.length, 0).toFixed(4);
      return [
        name,
        Math.round(fits.median),
        Math.round(fits.min),
        Math.round(fits.max),
        Math.round(spread(runs.map(({ predictMs }) => predictMs)).median),
        mean('rocAuc'),
        mean('logLoss'),
      ];
    }),
  };
}
