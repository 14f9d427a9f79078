import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RandomForestClassifier } from 'ml-random-forest';
import type { Matrix } from '../../models/matrix.ts';
import { rowOf } from '../../models/matrix.ts';
import { binaryMetrics } from '../../models/metrics.ts';
import { runChild } from '../support/child.ts';
import type { Found } from '../support/environments.ts';
import { npmPackage, pythonWith } from '../support/environments.ts';

export type Slice = { readonly X: Matrix; readonly y: Float64Array };

export interface Judged {
  readonly fitMs: number;
  readonly predictMs: number;
  readonly rocAuc: number;
  readonly logLoss: number;
}

const PACKAGES = ['scikit-learn==1.9.1', 'lightgbm==4.7.0', 'numpy==2.4.6', 'scipy==1.17.1'];

const SCRIPT = `
import sys, time, json, numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.metrics import roc_auc_score, log_loss
folder, rows, tests, columns, name, seed = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5], int(sys.argv[6])
read = lambda name, n, m: np.fromfile(f'{folder}/{name}', dtype='<f8').reshape(n, m)
X, y, T, z = read('X', rows, columns), read('y', rows, 1)[:, 0], read('T', tests, columns), read('z', tests, 1)[:, 0]
if name == 'forest': model = RandomForestClassifier(200, min_samples_leaf=5, random_state=seed, n_jobs=1)
elif name == 'tree': model = DecisionTreeClassifier(max_depth=6, random_state=seed)
else:
    import lightgbm
    model = lightgbm.LGBMClassifier(n_estimators=100, num_leaves=31, n_jobs=1, verbose=-1, random_state=seed)
    model.fit(X[:1000], y[:1000])
a = time.perf_counter(); model.fit(X, y); b = time.perf_counter(); p = model.predict_proba(T)[:, 1]; c = time.perf_counter()
print(json.dumps(dict(fitMs=1e3 * (b - a), predictMs=1e3 * (c - b), rocAuc=roc_auc_score(z, p), logLoss=log_loss(z, p))))
`;

export type PythonModel = 'forest' | 'tree' | 'boosting';

export interface PythonReferences {
  judge(model: PythonModel, seed: number): Promise<Judged>;
  close(): void;
}

/** scikit-learn and LightGBM on the same rows, one thread each, in a process of its own each time. */
export async function pythonReferences(
  train: Slice,
  test: Slice,
  log: (line: string) => void,
): Promise<Found<PythonReferences>> {
  const python = await pythonWith(PACKAGES, log);
  if (python.found === null) return python;
  const folder = mkdtempSync(join(tmpdir(), 'kairos-bench-'));
  const files = { X: train.X.data, y: train.y, T: test.X.data, z: test.y };
  for (const [name, values] of Object.entries(files)) {
    writeFileSync(join(folder, name), new Uint8Array(values.buffer));
  }
  const sizes = [train.X.rows, test.X.rows, train.X.columns].map(String);
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  return {
    found: {
      async judge(model, seed) {
        const given = [folder, ...sizes, model, String(seed)];
        const { stdout } = await runChild(python.found, ['-c', SCRIPT, ...given], env);
        return JSON.parse(stdout) as Judged;
      },
      close: () => rmSync(folder, { recursive: true }),
    },
  };
}

interface Ydf {
  GradientBoostedTreesLearner: new (
    label: string,
    task: string,
  ) => { train(data: Record<string, unknown>): YdfModel };
}

interface YdfModel {
  predict(data: Record<string, unknown>): number[];
  unload(): void;
}

/** Yggdrasil Decision Forests in WebAssembly; it has no parameters, so it runs as its makers set it. */
export async function ydfReference(
  train: Slice,
  test: Slice,
  log: (line: string) => void,
): Promise<Found<() => Judged>> {
  const loaded = await npmPackage<(options: object) => Promise<Ydf>>('ydf-training', '0.0.1', log);
  if (loaded.found === null) return loaded;
  try {
    const quiet = (): void => {};
    const ydf = await loaded.found({ print: quiet, printErr: quiet });
    const rows = {
      ...table(train.X),
      y: [...train.y].map((value) => (value === 1 ? 'yes' : 'no')),
    };
    const asked = table(test.X);
    return {
      found: () => {
        const begun = performance.now();
        const learner = new ydf.GradientBoostedTreesLearner('y', 'CLASSIFICATION');
        const model = learner.train(rows);
        const fitted = performance.now();
        const said = model.predict(asked);
        const predicted = performance.now();
        model.unload();
        const { rocAuc, logLoss } = ofYes(test.y, Float64Array.from(said));
        return { fitMs: fitted - begun, predictMs: predicted - fitted, rocAuc, logLoss };
      },
    };
  } catch (error) {
    return { found: null, why: (error as Error).message };
  }
}

/**
 * Milliseconds that `ml-random-forest` needs for `trees` trees on these rows: two are timed, since they cost 2 s each and
 * one after the other. A tree of it with the usual columns: the root of their count.
 */
export function mlRandomForestMs({ X, y }: Slice, trees: number): number {
  const rows = Array.from({ length: X.rows }, (_, i) => Array.from(rowOf(X, i)));
  const forest = new RandomForestClassifier({
    nEstimators: 2,
    maxFeatures: Math.floor(Math.sqrt(X.columns)) / X.columns,
    replacement: false,
    noOOB: true,
    seed: 1,
  });
  const started = performance.now();
  forest.train(rows, Array.from(y));
  return ((performance.now() - started) * trees) / 2;
}

/** It orders its classes by how frequent they are, so the probabilities may be those of "no". */
function ofYes(y: Float64Array, p: Float64Array): { rocAuc: number; logLoss: number } {
  const found = binaryMetrics(y, p);
  return found.rocAuc >= 0.5
    ? found
    : binaryMetrics(
        y,
        p.map((value) => 1 - value),
      );
}

/** Columns as arrays. */
function table(X: Matrix): Record<string, number[]> {
  return Object.fromEntries(
    X.names.map((_, j) => [
      `x${j}`,
      Array.from({ length: X.rows }, (_v, i) => X.data[i * X.columns + j]!),
    ]),
  );
}
