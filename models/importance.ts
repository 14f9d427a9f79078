import type { BinaryModel, FitContext } from './estimator.ts';
import { advance } from './estimator.ts';
import type { Matrix, Target } from './matrix.ts';
import { takeRows, takeTarget } from './matrix.ts';
import { rocAuc } from './metrics.ts';
import { Random } from './random.ts';
import { sampleRows } from './splits.ts';

export interface Importance {
  readonly feature: string;
  /** How much the ROC AUC falls when this column is shuffled; near or below 0 the model does not need it. */
  readonly aucDrop: number;
}

/**
 * How much a model relies on each column, on data it has not seen (permutation importance, Breiman 2001), the largest
 * first. Columns that say the same share their importance: each alone may look superfluous. It predicts all rows
 * `repeats` times for each column, so at most `rowsMax` random rows are looked at.
 */
export function permutationImportance(
  model: BinaryModel,
  all: Matrix,
  truth: Target,
  options: { seed?: number; repeats?: number; rowsMax?: number } = {},
  ctx: FitContext = {},
): Importance[] {
  const { seed = 1, repeats = 2, rowsMax = 1000 } = options;
  const rows = sampleRows(all.rows, rowsMax, seed);
  const X = takeRows(all, rows);
  const y = takeTarget(truth, rows);
  const whole = rocAuc(y, model.predictProba(X));
  const drops = X.names.map((feature, j) => {
    const random = new Random(seed, j);
    let sum = 0;
    for (let r = 0; r < repeats; r++) {
      const order = random.sample(X.rows, X.rows);
      const data = X.data.slice();
      for (let i = 0; i < X.rows; i++) {
        data[i * X.columns + j] = X.data[order[i]! * X.columns + j]!;
      }
      sum += whole - rocAuc(y, model.predictProba({ ...X, data }));
    }
    advance(ctx, (j + 1) / X.columns, `importance of ${feature}`);
    return { feature, aucDrop: sum / repeats };
  });
  return drops.sort((a, b) => b.aucDrop - a.aucDrop);
}
