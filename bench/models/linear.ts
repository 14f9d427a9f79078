import { GaussianBayes } from '../../models/bayes/gaussian.ts';
import type { BinaryModel, Estimator } from '../../models/estimator.ts';
import { Logistic } from '../../models/logistic/logistic.ts';
import { takeRows, takeTarget } from '../../models/matrix.ts';
import { Net } from '../../models/net/net.ts';
import { sampleRows } from '../../models/splits.ts';
import { SvmLinear } from '../../models/svm/linear.ts';
import { SvmRbf } from '../../models/svm/rbf.ts';
import * as data from '../models-data.ts';
import { spread } from '../support/result.ts';
import { interleave } from '../support/rounds.ts';
import { type FamilyOptions, type FamilyResult, judge } from './family.ts';
import { libsvm, pythonLinear, tfjs } from './linear-references.ts';
import type { Judged, Slice } from './trees-references.ts';

/** What TensorFlow.js and libsvm-js manage in seconds; ours gets the very same rows. */
const NET_ROWS = 5_000;
const SVM_ROWS = 3_000;
/** Better than the settings that the speed is measured with. */
const QUALITY = { layers: [{ units: 64, activation: 'relu', dropout: 0.3 }] } as const;
/** ROC AUC without Python: measured with scikit-learn 1.9.1 on the same split. */
const STORED = { logistic: 0.7911, bayes: 0.767 };

const NAMES = {
  logistic: 'logistic, lambda 1',
  sklearnLogistic: 'scikit-learn logistic, C = 1',
  bayes: 'Gaussian naive Bayes',
  sklearnBayes: 'scikit-learn Gaussian naive Bayes',
  svm: 'linear SVM, C = 0.01, 50 passes, Platt by 3 folds',
  sklearnSvm: 'scikit-learn LinearSVC, C = 0.01, 50 passes, Platt by 3 folds',
  net: 'net 64 relu, dropout 0.3, 10 epochs',
  netSmall: 'net 64 relu, 10 epochs, 5,000 rows',
  tfCpu: 'tfjs cpu, 64 relu, 10 epochs, 5,000 rows',
  tfWasm: 'tfjs wasm, 64 relu, 10 epochs, 5,000 rows',
  rbf: 'RBF SVM, 3,000 rows, Platt by 5 folds',
  libsvm: 'libsvm-js RBF, 3,000 rows, Platt by 5 folds',
} as const;

type Contenders = Record<string, () => Promise<Judged>>;

/** Linear models, naive Bayes, support vector machines and the network on Bank Marketing beside their references. */
export async function linear({ rounds, log }: FamilyOptions): Promise<FamilyResult> {
  if (!data.hasData(data.BANK)) {
    return { figures: {}, ratios: {}, tables: [], notes: [`${data.BANK} is absent: no linear.`] };
  }
  const notes: string[] = [];
  const { train, test } = data.bankMarketing();
  const python = await pythonLinear(train, test, log);
  if (python.found === null) notes.push(`No Python references (${python.why}): stored AUC only.`);
  const tf = await tfjs(log);
  if (tf.found === null) notes.push(`@tensorflow/tfjs did not run: ${tf.why}`);
  const svm = await libsvm(log);
  if (svm.found === null) notes.push(`libsvm-js did not run: ${svm.why}`);
  const [forNet, forSvm] = [part(train, NET_ROWS), part(train, SVM_ROWS)];
  const py = python.found;
  const contenders: Contenders = {
    ...ours(train, forNet, forSvm, test),
    ...(py && {
      [NAMES.sklearnLogistic]: () => py.judge('logistic'),
      [NAMES.sklearnBayes]: () => py.judge('bayes'),
      [NAMES.sklearnSvm]: () => py.judge('svm'),
    }),
    ...(tf.found && {
      [NAMES.tfCpu]: async () => timed(await tf.found('cpu', forNet)),
      [NAMES.tfWasm]: async () => timed(await tf.found('wasm', forNet)),
    }),
    ...(svm.found && { [NAMES.libsvm]: () => Promise.resolve(timed(svm.found(forSvm))) }),
  };
  const found = await interleave(
    rounds,
    contenders,
    log,
    ({ fitMs, rocAuc }) => `fit ${Math.round(fitMs)} ms, ROC AUC ${rocAuc.toFixed(4)}`,
  );
  const { figures, ratios } = compare(found);
  if (py) {
    const exact = await py.judge('logisticExact');
    const own = new Logistic().fit(train.X, train.y).weights;
    figures['logisticCoefficientGap'] = exact.coefficients.reduce(
      (most, value, j) => Math.max(most, Math.abs(value - own[j]!)),
      0,
    );
    py.close();
  }
  return { figures, ratios, tables: [tableOf(found, rounds)], notes };
}

const timed = (fitMs: number): Judged => ({
  fitMs,
  predictMs: Number.NaN,
  rocAuc: Number.NaN,
  logLoss: Number.NaN,
});

function part(slice: Slice, count: number): Slice {
  const rows = sampleRows(slice.X.rows, count, 1);
  return { X: takeRows(slice.X, rows), y: takeTarget(slice.y, rows) };
}

/** Ours; the seed of a round is its number. */
function ours(train: Slice, forNet: Slice, forSvm: Slice, test: Slice): Contenders {
  const run = (make: (seed: number) => Estimator<BinaryModel>, on = train) => {
    let round = 0;
    return () => Promise.resolve(judge(make(++round), on, test));
  };
  return {
    [NAMES.logistic]: run(() => new Logistic()),
    [NAMES.bayes]: run(() => new GaussianBayes()),
    [NAMES.svm]: run((seed) => new SvmLinear({ seed })),
    [NAMES.net]: run((seed) => new Net({ ...QUALITY, seed })),
    [NAMES.netSmall]: run((seed) => new Net({ seed }), forNet),
    [NAMES.rbf]: run((seed) => new SvmRbf({ seed }), forSvm),
  };
}

type Results = Readonly<Record<string, readonly Judged[]>>;

function compare(results: Results): {
  figures: Record<string, number>;
  ratios: Record<string, number>;
} {
  const middle = (name: string): number =>
    spread((results[name] ?? []).map(({ fitMs }) => fitMs)).median;
  const auc = (name: string): number =>
    results[name]!.reduce((sum, { rocAuc }) => sum + rocAuc / results[name]!.length, 0);
  const figures = {
    logisticAuc: auc(NAMES.logistic),
    naiveBayesAuc: auc(NAMES.bayes),
    linearSvmAuc: auc(NAMES.svm),
    netAuc: auc(NAMES.net),
    rbfSvmAuc: auc(NAMES.rbf),
    logisticFitMs: middle(NAMES.logistic),
    netFitMs: middle(NAMES.net),
    scikitLearnLogisticAuc: results[NAMES.sklearnLogistic]
      ? auc(NAMES.sklearnLogistic)
      : STORED.logistic,
    scikitLearnNaiveBayesAuc: results[NAMES.sklearnBayes] ? auc(NAMES.sklearnBayes) : STORED.bayes,
  };
  const pairs = {
    netFitToTfjs: [NAMES.tfCpu, NAMES.netSmall],
    netFitToTfjsWasm: [NAMES.tfWasm, NAMES.netSmall],
    rbfSvmFitToLibsvmJs: [NAMES.libsvm, NAMES.rbf],
    logisticFitToScikitLearn: [NAMES.sklearnLogistic, NAMES.logistic],
    linearSvmFitToScikitLearn: [NAMES.sklearnSvm, NAMES.svm],
  } as const;
  const ratios: Record<string, number> = {};
  for (const [name, [reference, own]] of Object.entries(pairs)) {
    if (results[reference]) ratios[name] = middle(reference) / middle(own);
  }
  return { figures, ratios };
}

function tableOf(results: Results, rounds: number): FamilyResult['tables'][number] {
  return {
    title: `Linear models, naive Bayes, SVM and net on Bank Marketing, ${rounds} rounds`,
    columns: ['model', 'fit ms min', 'median', 'max', 'predict ms', 'ROC AUC', 'log loss'],
    rows: Object.entries(results).map(([name, runs]) => {
      const fits = spread(runs.map(({ fitMs }) => fitMs));
      const mean = (key: keyof Judged): number =>
        runs.reduce((sum, run) => sum + run[key] / runs.length, 0);
      const text = (value: number, digits: number): string =>
        Number.isNaN(value) ? '' : value.toFixed(digits);
      return [
        name,
        Math.round(fits.min),
        Math.round(fits.median),
        Math.round(fits.max),
        text(mean('predictMs'), 0),
        text(mean('rocAuc'), 4),
        text(mean('logLoss'), 4),
      ];
    }),
  };
}
