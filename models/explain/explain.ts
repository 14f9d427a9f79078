import { invalid } from '../check.ts';
import type { Attribution, BinaryModel, SelfExplaining } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import { columnIndex } from '../matrix.ts';
import { sampledShapley } from './sampled-shapley.ts';

/** How much one feature moved one person's score. */
export interface Contribution {
  readonly feature: string;
  /** NaN where it is missing. */
  readonly value: number;
  /** Above 0 it raised the score. */
  readonly contribution: number;
}

export interface Explanation {
  /** P(y = 1) of this person. */
  readonly score: number;
  /** The mean prediction; `base` and the contributions add up to the score on `scale`. */
  readonly base: number;
  readonly scale: Attribution['scale'];
  /** The largest effect first. */
  readonly contributions: readonly Contribution[];
}

export interface ExplainOptions {
  /** Names of the row's values, where they stand in another order than the model's. */
  readonly names?: readonly string[];
  /** People to compare with; needed for models that cannot explain themselves. */
  readonly background?: Matrix;
  readonly samples?: number;
  readonly seed?: number;
}

/** Why this person has this score: exactly where the model can say so, else by sampled Shapley values. */
export function explain(
  model: BinaryModel,
  row: ArrayLike<number>,
  { names = model.names, background, samples, seed }: ExplainOptions = {},
): Explanation {
  if (row.length !== names.length) {
    throw invalid(
      `The row has ${row.length} values; expected ${names.length}, one for each column.`,
    );
  }
  const ordered = Float64Array.from(model.names, (name) => row[columnIndex(names, name)]!);
  const score = model.predictProba({
    rows: 1,
    columns: ordered.length,
    data: ordered,
    names: model.names,
  })[0]!;
  const { base, scale, values } = attribute(model, ordered, { background, samples, seed });
  const contributions = model.names
    .map((feature, j) => ({ feature, value: ordered[j]!, contribution: values[j]! }))
    .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  return { score, base, scale, contributions };
}

/** The contributions alone, the largest effect first; what `sentence` turns into words. */
export function explainScore(
  model: BinaryModel,
  row: ArrayLike<number>,
  names: readonly string[] = model.names,
): Contribution[] {
  return [...explain(model, row, { names }).contributions];
}

function attribute(
  model: BinaryModel,
  row: Float64Array,
  {
    background,
    samples,
    seed,
  }: Record<'background', Matrix | undefined> & Record<'samples' | 'seed', number | undefined>,
): Attribution {
  if (explainsItself(model)) return model.contributions(row);
  if (!background) {
    throw invalid(
      `A model of kind "${model.kind}" cannot explain itself; expected a background of people to compare with.`,
    );
  }
  return sampledShapley(model, row, background, {
    ...(samples === undefined ? {} : { samples }),
    ...(seed === undefined ? {} : { seed }),
  });
}

function explainsItself(model: BinaryModel): model is BinaryModel & SelfExplaining {
  return 'contributions' in model;
}
