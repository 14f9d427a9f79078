import { checkPredict, invalid } from '../check.ts';
import type { BinaryModel, Model, ModelJson, RegressionModel } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { modelFromJSON } from '../registry.ts';
import type { UpliftLearner } from './learners.ts';

/** A model whose prediction counts with this weight. */
export interface UpliftPart {
  readonly weight: number;
  readonly model: BinaryModel | RegressionModel;
}

const FORMAT = 1;

/** Says by how much the treatment raises each person's chance of the outcome: −1 to 1, 0.02 is two points. */
export class FittedUplift implements Model {
  readonly kind = 'uplift';
  readonly names: readonly string[];
  readonly learner: UpliftLearner;
  readonly #parts: readonly UpliftPart[];

  constructor(names: readonly string[], learner: UpliftLearner, parts: readonly UpliftPart[]) {
    this.names = names;
    this.learner = learner;
    this.#parts = parts;
  }

  predict(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'accepts');
    if (this.learner === 's') {
      const { model } = this.#parts[0]!;
      const [one, zero] = [1, 0].map((arm) =>
        said(model, interacted(X, new Float64Array(X.rows).fill(arm))),
      ) as [Float64Array, Float64Array];
      return one.map((p, i) => p - zero[i]!);
    }
    const sum = new Float64Array(X.rows);
    for (const { weight, model } of this.#parts) {
      said(model, X).forEach((value, i) => {
        sum[i]! += weight * value;
      });
    }
    return sum;
  }

  toJSON(): ModelJson {
    const parts = this.#parts.map(({ weight, model }) => ({ weight, model: model.toJSON() }));
    return { kind: this.kind, format: FORMAT, names: this.names, learner: this.learner, parts };
  }
}

/** A stored uplift model; MODEL_INVALID where it is none, or damaged. */
export function upliftFromJSON(json: unknown): FittedUplift {
  const { kind, format, names, learner, parts } = (json ?? {}) as Record<string, unknown>;
  if (kind !== 'uplift' || format !== FORMAT || !Array.isArray(names) || !Array.isArray(parts)) {
    throw invalid(`The stored model is no "uplift" in format ${FORMAT}; train it again.`);
  }
  if (learner !== 's' && learner !== 't' && learner !== 'x' && learner !== 'dr') {
    throw invalid('The stored model "uplift" is damaged: its learner is unknown; train it again.');
  }
  return new FittedUplift(
    names.map(String),
    learner,
    (parts as { weight: number; model: unknown }[]).map(({ weight, model }) => {
      const read = modelFromJSON(model) as BinaryModel | RegressionModel;
      if (!Number.isFinite(weight)) {
        throw invalid('The stored model "uplift" is damaged: a weight is absent; train it again.');
      }
      return { weight, model: read };
    }),
  );
}

function said(model: BinaryModel | RegressionModel, X: Matrix): Float64Array {
  return model.task === 'binary' ? model.predictProba(X) : model.predict(X);
}

/** The columns, the treatment, and each column where treated: so that a linear model can tell who is moved by it. */
export function interacted(X: Matrix, treated: Target): Matrix {
  const columns = 2 * X.columns + 1;
  const data = new Float64Array(X.rows * columns);
  for (let i = 0; i < X.rows; i++) {
    const at = i * columns;
    data.set(X.data.subarray(i * X.columns, (i + 1) * X.columns), at);
    data[at + X.columns] = treated[i]!;
    if (treated[i] === 1) data.copyWithin(at + X.columns + 1, at, at + X.columns);
  }
  const names = [...X.names, 'treated', ...X.names.map((name) => `treated × ${name}`)];
  return { rows: X.rows, columns, data, names };
}
