import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BgNbd } from '../../models/lifetime/bg-nbd.ts';
import { GammaGamma } from '../../models/lifetime/gamma-gamma.ts';
import { histories } from '../../models/lifetime/histories.ts';
import type { Matrix } from '../../models/matrix.ts';
import { matrixOf } from '../../models/matrix.ts';
import * as data from '../models-data.ts';
import { runChild } from '../support/child.ts';
import { pythonWith } from '../support/environments.ts';
import { ratios as ratiosOf, spread } from '../support/result.ts';
import { interleave } from '../support/rounds.ts';
import type { FamilyOptions, FamilyResult } from './family.ts';

const PACKAGES = ['lifetimes==0.11.3', 'pandas==3.1.1', 'numpy==2.4.6', 'setuptools==80.9.0'];

const SCRIPT = `
import sys, time, json, numpy as np, warnings
warnings.filterwarnings('ignore')
from lifetimes import BetaGeoFitter
X = np.fromfile(sys.argv[1], dtype='<f8').reshape(-1, 4)
horizon = float(sys.argv[2])
BetaGeoFitter().fit(X[:100, 0], X[:100, 1], X[:100, 2])
a = time.perf_counter(); m = BetaGeoFitter().fit(X[:, 0], X[:, 1], X[:, 2]); b = time.perf_counter()
e = m.conditional_expected_number_of_purchases_up_to_time(horizon, X[:, 0], X[:, 1], X[:, 2])
print(json.dumps(dict(fitMs=1e3 * (b - a), parameters=[float(m.params_[k]) for k in ('r', 'alpha', 'a', 'b')], expected=float(np.sum(e)))))
`;

interface Fitted {
  readonly fitMs: number;
  /** r, α, a, b. */
  readonly parameters: readonly number[];
  /** Purchases of all people within the holdout. */
  readonly expected: number;
}

const DAY = 86_400_000;
const CUT = Date.parse('1997-10-01T00:00:00Z');
const END = Date.parse('1998-07-01T00:00:00Z');
const HORIZON = (END - CUT) / DAY / 7;

/** BG/NBD on CDNOW beside the Python package `lifetimes`, on the very same histories. */
export async function lifetime({ rounds, log }: FamilyOptions): Promise<FamilyResult> {
  const notes: string[] = [];
  const ratios: Record<string, number> = {};
  if (!data.hasData(data.CDNOW)) {
    notes.push(`${data.CDNOW} is absent: no lifetime value.`);
    return { figures: {}, ratios, tables: [], notes };
  }
  const purchases = data
    .cdnow()
    .map(({ customer, atMs, total }) => ({ customer, atMs, value: total }));
  const { X, customers } = histories(purchases, { asOfMs: CUT });
  const days = new Map<string, Set<number>>();
  for (const { customer, atMs } of purchases) {
    if (atMs >= CUT) days.set(customer, (days.get(customer) ?? new Set()).add(atMs));
  }
  const actual = customers.map((customer) => days.get(customer)?.size ?? 0);
  const expected = new BgNbd().fit(X).expectedPurchases(X, HORIZON);
  const mae = actual.reduce((sum, n, i) => sum + Math.abs(n - expected[i]!) / X.rows, 0);

  const python = await pythonWith(PACKAGES, log);
  const folder = mkdtempSync(join(tmpdir(), 'kairos-bench-'));
  writeFileSync(join(folder, 'X'), new Uint8Array(X.data.buffer));
  const contenders: Record<string, () => Promise<Fitted>> = {
    ours: () => Promise.resolve(ours(X)),
  };
  if (python.found === null) notes.push(`lifetimes was not run: ${python.why}`);
  else {
    const args = ['-c', SCRIPT, join(folder, 'X'), String(HORIZON)];
    contenders['lifetimes'] = async () =>
      JSON.parse((await runChild(python.found, args)).stdout) as Fitted;
  }
  const results = await interleave(
    rounds,
    contenders,
    log,
    ({ fitMs }) => `${Math.round(fitMs)} ms`,
  );
  rmSync(folder, { recursive: true });
  const times = (name: string) => (results[name] ?? []).map(({ fitMs }) => fitMs);
  if (results['lifetimes']) {
    ratios['bgNbdFitToLifetimes'] = spread(ratiosOf(times('lifetimes'), times('ours'))).median;
  }
  const { r, alpha, a, b } = new BgNbd().fit(paperSample()).parameters;
  const { p, q, v } = new GammaGamma().fit(X).parameters;
  return {
    figures: {
      bgNbdR: r,
      bgNbdAlpha: alpha,
      bgNbdA: a,
      bgNbdB: b,
      bgNbdHoldoutMae: mae,
      bgNbdFitMs: spread(times('ours')).median,
      gammaGammaP: p,
      gammaGammaQ: q,
      gammaGammaV: v,
    },
    ratios,
    tables: [
      {
        title: `BG/NBD on CDNOW, ${X.rows} customers, ${rounds} rounds; they bought ${actual.reduce((sum, n) => sum + n, 0)} times in the 9 months after`,
        columns: ['model', 'fit ms', 'r', 'alpha', 'a', 'b', 'purchases expected'],
        rows: Object.entries(results).map(([name, runs]) => [
          name,
          spread(times(name)).median.toFixed(0),
          ...runs[0]!.parameters.map((value) => value.toFixed(4)),
          Math.round(runs[0]!.expected),
        ]),
      },
    ],
    notes,
  };
}

function ours(X: Matrix): Fitted {
  const started = performance.now();
  const model = new BgNbd().fit(X);
  const fitMs = performance.now() - started;
  const { r, alpha, a, b } = model.parameters;
  const expected = model.expectedPurchases(X, HORIZON).reduce((sum, value) => sum + value, 0);
  return { fitMs, parameters: [r, alpha, a, b], expected };
}

function paperSample(): Matrix {
  const file = new URL('../../../shared/data/cdnow/sample-summary.csv', import.meta.url);
  const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1);
  const rows = lines.map((line) => line.split(',').slice(1).map(Number));
  return matrixOf(rows, ['frequency', 'recency', 'T']);
}
