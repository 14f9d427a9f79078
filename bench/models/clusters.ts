import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kmeans } from 'ml-kmeans';
import { agglomerate, cut } from '../../models/cluster/agglomerate.ts';
import { adjustedRand } from '../../models/cluster/choose-k.ts';
import { KMeans } from '../../models/cluster/kmeans.ts';
import type { Matrix } from '../../models/matrix.ts';
import { matrixOf, rowOf } from '../../models/matrix.ts';
import { Random } from '../../models/random.ts';
import { scaleOf, standardise } from '../../models/scale.ts';
import * as data from '../models-data.ts';
import { runChild } from '../support/child.ts';
import { pythonWith } from '../support/environments.ts';
import { ratios as ratiosOf, spread } from '../support/result.ts';
import { interleave } from '../support/rounds.ts';
import type { FamilyOptions, FamilyResult } from './family.ts';

const PACKAGES = ['scikit-learn==1.9.1', 'lightgbm==4.7.0', 'numpy==2.4.6', 'scipy==1.17.1'];

const SCRIPT = `
import sys, time, json, numpy as np
from sklearn.cluster import AgglomerativeClustering, KMeans
X = np.fromfile(sys.argv[1], dtype='<f8').reshape(-1, 3)
AgglomerativeClustering(6).fit_predict(X[:100])
a = time.perf_counter(); own = AgglomerativeClustering(6).fit_predict(X); b = time.perf_counter()
m = KMeans(6, n_init=20, random_state=1).fit(X); c = time.perf_counter()
print(json.dumps(dict(wardMs=1e3 * (b - a), kmeansMs=1e3 * (c - b), inertia=m.inertia_, own=own.tolist())))
`;

interface Clustered {
  readonly wardMs: number;
  readonly kmeansMs: number;
  readonly inertia: number;
  readonly own: ArrayLike<number>;
}

/** k-means inertia on these customers for k = 6, from scikit-learn 1.9.1, where no Python is at hand. */
const STORED_INERTIA = 2875.18;

/** k-means and Ward beside scikit-learn on the customers of a real shop, and Ward on 20,000 rows. */
export async function clusters({ rounds, log }: FamilyOptions): Promise<FamilyResult> {
  const notes: string[] = [];
  const figures: Record<string, number> = { wardSeconds20k: wardSeconds(20_000) };
  log(`Ward of 20,000 rows: ${figures['wardSeconds20k']!.toFixed(1)} s`);
  const ratios: Record<string, number> = {};
  if (!data.hasData(data.ONLINE_RETAIL)) {
    notes.push(`${data.ONLINE_RETAIL} is absent: no clusters of customers.`);
    return { figures, ratios, tables: [], notes };
  }
  const raw = data.rfmOf(data.onlineRetail(), Date.parse('2011-12-10T00:00:00Z'));
  const logged = { ...raw, data: raw.data.map(Math.log1p) };
  const X = standardise(logged, scaleOf(logged));
  const contenders: Record<string, () => Promise<Clustered>> = {
    ours: () => Promise.resolve(ours(X)),
  };
  const python = await pythonWith(PACKAGES, log);
  const folder = mkdtempSync(join(tmpdir(), 'kairos-bench-'));
  writeFileSync(join(folder, 'X'), new Uint8Array(X.data.buffer));
  if (python.found === null) notes.push(`scikit-learn was not run: ${python.why}`);
  else {
    contenders['scikit-learn'] = async () =>
      JSON.parse(
        (await runChild(python.found, ['-c', SCRIPT, join(folder, 'X')])).stdout,
      ) as Clustered;
  }
  const results = await interleave(
    rounds,
    contenders,
    log,
    ({ wardMs }) => `Ward ${Math.round(wardMs)} ms`,
  );
  rmSync(folder, { recursive: true });
  const own = results['ours']!;
  const theirs = results['scikit-learn'];
  figures['kmeansInertiaRatio'] = own[0]!.inertia / (theirs?.[0]!.inertia ?? STORED_INERTIA);
  const times = (runs: readonly Clustered[], key: 'wardMs' | 'kmeansMs') =>
    runs.map((run) => run[key]);
  if (theirs) {
    figures['wardAgreement'] = adjustedRand(own[0]!.own, theirs[0]!.own);
    for (const [name, key] of [
      ['wardFitToScikitLearn', 'wardMs'],
      ['kmeansFitToScikitLearn', 'kmeansMs'],
    ] as const) {
      ratios[name] = spread(ratiosOf(times(theirs, key), times(own, key))).median;
    }
  }
  const plain = Array.from({ length: X.rows }, (_, i) => Array.from(rowOf(X, i)));
  const started = performance.now();
  for (let seed = 1; seed <= 20; seed++) kmeans(plain, 6, { seed, initialization: 'kmeans++' });
  const peer = performance.now() - started;
  ratios['kmeansFitToMlKmeans'] = peer / spread(times(own, 'kmeansMs')).median;
  const rows: (string | number)[][] = Object.entries(results).map(([name, runs]) => [
    name,
    runs[0]!.inertia.toFixed(2),
    Math.round(spread(times(runs, 'kmeansMs')).median),
    Math.round(spread(times(runs, 'wardMs')).median),
  ]);
  rows.push(['ml-kmeans, once', '', Math.round(peer), '']);
  const title = `${X.rows} customers of Online Retail, 6 clusters, 20 starts, ${rounds} rounds`;
  const columns = ['', 'k-means inertia', 'k-means ms', 'Ward ms'];
  return { figures, ratios, tables: [{ title, columns, rows }], notes };
}

function ours(X: Matrix): Clustered {
  const started = performance.now();
  const own = cut(agglomerate(X, 'ward'), 6);
  const middle = performance.now();
  const { inertia } = new KMeans({ k: 6 }).fit(X);
  return { wardMs: middle - started, kmeansMs: performance.now() - middle, inertia, own };
}

function wardSeconds(rows: number): number {
  const random = new Random(1);
  const names = ['a', 'b', 'c'];
  const X = matrixOf(
    Array.from({ length: rows }, () => names.map(() => random.normal())),
    names,
  );
  const started = performance.now();
  agglomerate(X, 'ward');
  return (performance.now() - started) / 1000;
}
