import type { BinaryModel } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import { columnIndex, columnOf } from '../matrix.ts';
import { phrase } from './phrases.ts';

export interface Counterfactual {
  readonly feature: string;
  readonly from: number;
  readonly to: number;
  readonly score: number;
  /** Such as "Would be 0.61 if they ordered 3 times so far." */
  readonly sentence: string;
}

/**
 * The smallest change of one column that brings a score over (or under) a threshold, for each column where there is
 * one, the smallest change first. Values are taken from people that there are, and changes are measured in ranks among
 * them, so that days and money compare. `columns` are those that anyone could change.
 */
export function counterfactuals(
  model: BinaryModel,
  row: Float64Array,
  background: Matrix,
  {
    threshold = 0.5,
    columns = model.names,
  }: { threshold?: number; columns?: readonly string[] } = {},
): Counterfactual[] {
  const now = scores(model, [row])[0]!;
  const found: (Counterfactual & { distance: number })[] = [];
  for (const feature of columns) {
    const j = columnIndex(model.names, feature);
    const values = [...new Set(columnOf(background, columnIndex(background.names, feature)))]
      .filter((value) => !Number.isNaN(value))
      .sort((a, b) => a - b);
    const thinned = values.filter((_, k) => k % Math.ceil(values.length / 100) === 0);
    const tries = thinned.map((value) => row.map((own, k) => (k === j ? value : own)));
    if (tries.length === 0) continue;
    const said = scores(model, tries);
    const own = rankOf(thinned, row[j]!);
    let best: { k: number; distance: number } | null = null;
    said.forEach((score, k) => {
      if (score >= threshold === now >= threshold) return;
      const distance = Math.abs(k - own) / thinned.length;
      if (!best || distance < best.distance) best = { k, distance };
    });
    if (best === null) continue;
    const { k, distance } = best as { k: number; distance: number };
    const [to, score] = [thinned[k]!, said[k]!];
    const sentence = `Would be ${score.toFixed(2)} if ${phrase(feature, to).text}.`;
    found.push({ feature, from: row[j]!, to, score, sentence, distance });
  }
  return found
    .sort((a, b) => a.distance - b.distance)
    .map(({ distance: _, ...counterfactual }) => counterfactual);
}

function scores(model: BinaryModel, rows: readonly Float64Array[]): Float64Array {
  const columns = model.names.length;
  const data = new Float64Array(rows.length * columns);
  rows.forEach((row, i) => data.set(row, i * columns));
  return model.predictProba({ rows: rows.length, columns, data, names: model.names });
}

function rankOf(sorted: readonly number[], value: number): number {
  const place = sorted.findIndex((other) => other >= value);
  return place < 0 ? sorted.length : place;
}
