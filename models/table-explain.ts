import type { FitContext } from './estimator.ts';
import { advance } from './estimator.ts';
import type { Importance } from './importance.ts';
import { rocAuc } from './metrics.ts';
import type { RawTable } from './preprocess/table.ts';
import { cellsOf, takeTableRows, withCells } from './preprocess/table.ts';
import { Random } from './random.ts';
import { sampleRows } from './splits.ts';
import type { TableModel } from './table-model.ts';

/** How much a table's model relies on each column of the file; see `importance.ts`. */
export function tableImportance(
  model: TableModel,
  all: RawTable,
  truth: Float64Array,
  options: { seed?: number; repeats?: number; rowsMax?: number } = {},
  ctx: FitContext = {},
): Importance[] {
  const { seed = 1, repeats = 2, rowsMax = 2000 } = options;
  const rows = sampleRows(all.rows, rowsMax, seed);
  const table = takeTableRows(all, rows);
  const y = Float64Array.from(rows, (row) => truth[row]!);
  const whole = rocAuc(y, model.predictProba(table));
  const drops = model.names.map((feature, j) => {
    const random = new Random(seed, j);
    const cells = cellsOf(table, feature);
    let sum = 0;
    for (let r = 0; r < repeats; r++) {
      const order = random.sample(table.rows, table.rows);
      const shuffled = Array.from(order, (row) => cells[row]!);
      sum += whole - rocAuc(y, model.predictProba(withCells(table, feature, shuffled)));
    }
    advance(ctx, (j + 1) / model.names.length, `importance of ${feature}`);
    return { feature, aucDrop: sum / repeats };
  });
  return drops.sort((a, b) => b.aucDrop - a.aucDrop);
}
