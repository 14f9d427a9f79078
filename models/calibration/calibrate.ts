import { invalidJson } from '../check.ts';
import type { Target } from '../matrix.ts';
import { logLoss } from '../metrics.ts';
import { stratifiedFolds } from '../splits.ts';
import type { Isotonic } from './isotonic.ts';
import { fitIsotonic, isotonicAt } from './isotonic.ts';
import type { Platt } from './platt.ts';
import { fitPlatt, logit } from './platt.ts';

/** A curve from a model's probability to the share that comes true. */
export type Calibrator = Platt | Isotonic | { readonly method: 'none' };

export function calibrate(calibrator: Calibrator, p: Float64Array): Float64Array {
  switch (calibrator.method) {
    case 'none':
      return p;
    case 'platt':
      return p.map(
        (value) => 1 / (1 + Math.exp(-(calibrator.slope * logit(value) + calibrator.intercept))),
      );
    case 'isotonic':
      return p.map((value) => isotonicAt(calibrator, value));
  }
}

/** Isotonic curves need more rows than this not to draw noise. */
const ISOTONIC_ROWS_MIN = 2_000;

/**
 * The curve that has the least log loss on rows it was not fitted on, among none, Platt's and isotonic. `p` are
 * predictions for rows that the model did not learn from.
 */
export function chooseCalibrator(
  y: Target,
  p: Float64Array,
  { seed = 1, monotone = false }: { seed?: number; monotone?: boolean } = {},
): Calibrator {
  const methods: ((y: Target, p: Float64Array) => Calibrator)[] = [() => ({ method: 'none' })];
  methods.push((truth, scores) => fitPlatt(truth, scores));
  if (!monotone && y.length >= ISOTONIC_ROWS_MIN) methods.push(fitIsotonic);
  const folds = stratifiedFolds(y, 5, seed);
  let best = { loss: Infinity, method: methods[0]! };
  for (const method of methods) {
    const said = new Float64Array(y.length);
    for (const { train, later } of folds) {
      const curve = method(pick(y, train), pick(p, train));
      calibrate(curve, pick(p, later)).forEach((value, i) => (said[later[i]!] = value));
    }
    const loss = logLoss(y, said);
    // A curve must earn its place.
    if (loss < best.loss - 1e-5) best = { loss, method };
  }
  const chosen = best.method(y, p);
  // A falling curve would turn the ranking round.
  return chosen.method === 'platt' && chosen.slope <= 0 ? { method: 'none' } : chosen;
}

function pick(values: ArrayLike<number>, rows: Int32Array): Float64Array {
  return Float64Array.from(rows, (row) => values[row]!);
}

export function calibratorFromJSON(json: unknown): Calibrator {
  const read = (json ?? {}) as Partial<Calibrator>;
  if (read.method === 'none') return { method: 'none' };
  if (read.method === 'platt' && Number.isFinite(read.slope) && Number.isFinite(read.intercept)) {
    return read as Platt;
  }
  if (read.method === 'isotonic' && read.from!.length > 0 && isPaired(read))
    return read as Isotonic;
  throw invalidJson('calibrator', 'its curve is absent');
}

const isPaired = ({ from, value }: Partial<Isotonic>): boolean => from?.length === value?.length;
