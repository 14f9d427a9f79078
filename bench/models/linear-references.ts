import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { rowOf } from '../../models/matrix.ts';
import { scaleOf, standardise } from '../../models/scale.ts';
import { runChild } from '../support/child.ts';
import type { Found } from '../support/environments.ts';
import { npmPackage, pythonWith } from '../support/environments.ts';
import type { Judged, Slice } from './trees-references.ts';

const PACKAGES = ['scikit-learn==1.9.1', 'lightgbm==4.7.0', 'numpy==2.4.6', 'scipy==1.17.1'];

const SCRIPT = `
import sys, time, json, warnings, numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.pipeline import make_pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import roc_auc_score, log_loss
warnings.simplefilter('ignore')
folder, rows, tests, columns, name = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
read = lambda name, n, m: np.fromfile(f'{folder}/{name}', dtype='<f8').reshape(n, m)
X, y, T, z = read('X', rows, columns), read('y', rows, 1)[:, 0], read('T', tests, columns), read('z', tests, 1)[:, 0]
if name == 'logistic': model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
elif name == 'logisticExact': model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100000, tol=1e-9))
elif name == 'bayes': model = GaussianNB()
else: model = make_pipeline(StandardScaler(), CalibratedClassifierCV(LinearSVC(C=0.01, dual=True, max_iter=50, tol=0.05), cv=3, ensemble=False))
model.fit(X[:500], y[:500])
a = time.perf_counter(); model.fit(X, y); b = time.perf_counter(); p = model.predict_proba(T)[:, 1]; c = time.perf_counter()
coef = model[-1].coef_[0].tolist() if name.startswith('logistic') else []
print(json.dumps(dict(fitMs=1e3 * (b - a), predictMs=1e3 * (c - b), rocAuc=roc_auc_score(z, p), logLoss=log_loss(z, p), coefficients=coef)))
`;

export type PythonLinear = 'logistic' | 'logisticExact' | 'bayes' | 'svm';
export type WithCoefficients = Judged & { readonly coefficients: readonly number[] };

/** scikit-learn's linear models on the same rows, one thread, in a process of its own each time. */
export async function pythonLinear(
  train: Slice,
  test: Slice,
  log: (line: string) => void,
): Promise<Found<{ judge(model: PythonLinear): Promise<WithCoefficients>; close(): void }>> {
  const python = await pythonWith(PACKAGES, log);
  if (python.found === null) return python;
  const folder = mkdtempSync(join(tmpdir(), 'kairos-bench-'));
  const files = { X: train.X.data, y: train.y, T: test.X.data, z: test.y };
  for (const [name, values] of Object.entries(files)) {
    writeFileSync(join(folder, name), new Uint8Array(values.buffer));
  }
  const sizes = [train.X.rows, test.X.rows, train.X.columns].map(String);
  const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
  return {
    found: {
      async judge(model) {
        const { stdout } = await runChild(
          python.found,
          ['-c', SCRIPT, folder, ...sizes, model],
          env,
        );
        return JSON.parse(stdout) as WithCoefficients;
      },
      close: () => rmSync(folder, { recursive: true }),
    },
  };
}

interface Tensor {
  dispose(): void;
}

interface TfModel {
  compile(options: object): void;
  fit(x: Tensor, y: Tensor, options: object): Promise<unknown>;
}

interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor2d(values: Float32Array, shape: readonly number[]): Tensor;
  sequential(): TfModel & { add(layer: unknown): void };
  layers: { dense(options: object): unknown };
  train: { adam(rate: number): unknown };
}

const TFJS = ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'] as const;
const TFJS_VERSION = '4.22.0';

/** TensorFlow.js with its two backends that need no native code; the fit's time in ms of 64 relu → 1 sigmoid. */
export async function tfjs(
  log: (line: string) => void,
): Promise<Found<(backend: 'cpu' | 'wasm', slice: Slice) => Promise<number>>> {
  try {
    const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kairos');
    const folder = join(cache, `bench-npm-tfjs-both-${TFJS_VERSION}`);
    if (!existsSync(join(folder, 'complete'))) {
      log(`getting ${TFJS.join(' and ')} ${TFJS_VERSION}`);
      mkdirSync(folder, { recursive: true });
      const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
      const wanted = TFJS.map((name) => `${name}@${TFJS_VERSION}`);
      await runChild('npm', ['install', ...quiet, ...wanted]);
      writeFileSync(join(folder, 'complete'), '');
    }
    const load = createRequire(join(folder, 'x.js'));
    const tf = load(TFJS[0]) as Tf;
    (load(TFJS[1]) as { setThreadsCount(count: number): void }).setThreadsCount(1);
    return { found: (backend, slice) => fitTfjs(tf, backend, slice) };
  } catch (error) {
    return { found: null, why: (error as Error).message };
  }
}

async function fitTfjs(tf: Tf, backend: string, { X, y }: Slice): Promise<number> {
  await tf.setBackend(backend);
  await tf.ready();
  const begun = performance.now();
  const Z = standardise(X, scaleOf(X));
  const inputs = tf.tensor2d(Float32Array.from(Z.data), [X.rows, X.columns]);
  const truth = tf.tensor2d(Float32Array.from(y), [X.rows, 1]);
  const model = tf.sequential();
  model.add(tf.layers.dense({ units: 64, activation: 'relu', inputShape: [X.columns] }));
  model.add(tf.layers.dense({ units: 1, activation: 'sigmoid' }));
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'binaryCrossentropy' });
  await model.fit(inputs, truth, { epochs: 10, batchSize: 32, verbose: 0, yieldEvery: 'never' });
  const ms = performance.now() - begun;
  inputs.dispose();
  truth.dispose();
  return ms;
}

type Svm = {
  new (options: object): { train(rows: number[][], labels: number[]): void; free(): void };
  KERNEL_TYPES: { RBF: number };
  SVM_TYPES: { C_SVC: number };
};

/** libsvm in WebAssembly: the fit's time in ms with probabilities, on standardised columns. */
export async function libsvm(
  log: (line: string) => void,
): Promise<Found<(slice: Slice) => number>> {
  const loaded = await npmPackage<Promise<Svm>>('libsvm-js', '0.2.1', log);
  if (loaded.found === null) return loaded;
  const Svm = await loaded.found;
  return {
    found: ({ X, y }) => {
      const begun = performance.now();
      const Z = standardise(X, scaleOf(X));
      const rows = Array.from({ length: X.rows }, (_, i) => [...rowOf(Z, i)]);
      const svm = new Svm({
        kernel: Svm.KERNEL_TYPES.RBF,
        type: Svm.SVM_TYPES.C_SVC,
        gamma: 1 / X.columns,
        cost: 1,
        cacheSize: 256,
        probabilityEstimates: true,
        quiet: true,
      });
      svm.train(
        rows,
        Array.from(y, (value) => (value === 1 ? 1 : -1)),
      );
      const ms = performance.now() - begun;
      svm.free();
      return ms;
    },
  };
}
