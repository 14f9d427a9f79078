import { checkPredict, invalid } from '../check.ts';
import type { Attribution, BinaryModel } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import { rowOf } from '../matrix.ts';
import { Random } from '../random.ts';

/**
 * Shapley values of any model by sampling (Štrumbelj & Kononenko 2014): a random person of the background becomes
 * this one, feature by feature in a random order, and each change of the prediction is the feature's. Each order is
 * walked both ways (antithetic), and the errors shrink with the root of `samples`. The values add up exactly to the
 * prediction minus `base`, which is the mean prediction over the people that were drawn.
 */
export function sampledShapley(
  model: BinaryModel,
  row: Float64Array,
  background: Matrix,
  { samples = 200, seed = 1 }: { samples?: number; seed?: number } = {},
): Attribution {
  checkPredict(background, model.names, 'accepts');
  if (background.rows === 0) throw invalid('The background has no rows; expected at least one.');
  const columns = row.length;
  const random = new Random(seed);
  const steps = columns + 1;
  const values = new Float64Array(columns);
  let base = 0;
  for (let s = 0; s < samples; s++) {
    const order = random.sample(columns, columns);
    const start = rowOf(background, random.int(background.rows));
    for (const way of [order, order.toReversed()]) {
      const data = new Float64Array(steps * columns);
      data.set(start);
      for (let step = 1; step < steps; step++) {
        data.copyWithin(step * columns, (step - 1) * columns, step * columns);
        const j = way[step - 1]!;
        data[step * columns + j] = row[j]!;
      }
      const p = model.predictProba({ rows: steps, columns, data, names: model.names });
      base += p[0]! / (2 * samples);
      for (let step = 1; step < steps; step++) {
        values[way[step - 1]!]! += (p[step]! - p[step - 1]!) / (2 * samples);
      }
    }
  }
  return { base, scale: 'probability', values };
}
