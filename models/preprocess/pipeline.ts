import {
  checkBinaryTarget,
  checkJson,
  checkMatrix,
  checkPredict,
  invalid,
  invalidJson,
  namesOf,
} from '../check.ts';
import { pack, unpack } from '../codec.ts';
import type { BinaryModel, Estimator, FitContext, ModelJson } from '../estimator.ts';
import { advance, classesOf, partOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { columnOf } from '../matrix.ts';
import { scaleOf } from '../scale.ts';

/**
 * Steps before an estimator, fitted with it and saved with it, in this order. `impute`: a missing value becomes the
 * median, and a column that had some gets another that says so. `log`: log(1 + x − min) where a long tail lies to the
 * right. `bins`: each column becomes the number of its group of about as many rows. `scale`: mean 0, deviation 1.
 */
export type Step = 'impute' | 'log' | 'bins' | 'scale';

export class Pipeline implements Estimator<FittedPipeline> {
  readonly kind = 'pipeline';
  readonly seed: number;
  readonly params: Readonly<
    { steps: readonly Step[]; estimator: string } & Record<string, unknown>
  >;
  readonly traits: Estimator['traits'];
  readonly #estimator: Estimator<BinaryModel>;

  constructor(options: { steps: readonly Step[]; estimator: Estimator<BinaryModel> }) {
    const { steps, estimator } = options;
    this.#estimator = estimator;
    this.seed = estimator.seed;
    this.params = { ...estimator.params, steps, estimator: estimator.kind };
    const missing = steps.includes('impute') ? 'accepts' : estimator.traits.missing;
    this.traits = { ...estimator.traits, missing };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedPipeline {
    checkMatrix(X, this.traits.missing);
    checkBinaryTarget(X, y);
    advance(ctx, 0, 'preparing the columns');
    const fitted: FittedStep[] = [];
    let prepared = X;
    for (const step of this.params.steps) {
      const learnt = fitStep(step, prepared);
      prepared = applyStep(learnt, prepared);
      fitted.push(learnt);
    }
    const model = this.#estimator.fit(prepared, y, partOf(ctx, 0, 1));
    return new FittedPipeline([...X.names], this.traits.missing, fitted, model);
  }
}

/** `values`: per column what the step learnt; `cuts`: per column the borders of its groups. */
interface FittedStep {
  readonly step: Step;
  readonly values: Float64Array;
  readonly more: Float64Array;
  readonly cuts: readonly Float64Array[];
}

const GROUPS = 10;
const NONE = new Float64Array(0);
const FORMAT = 1;

function fitStep(step: Step, X: Matrix): FittedStep {
  const columns = Array.from({ length: X.columns }, (_, j) => sortedPresent(columnOf(X, j)));
  const at = (sorted: Float64Array, share: number): number =>
    sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  switch (step) {
    case 'impute':
      return {
        step,
        values: Float64Array.from(columns, (sorted) => at(sorted, 0.5)),
        more: Float64Array.from(columns, (sorted) => (sorted.length < X.rows ? 1 : 0)),
        cuts: [],
      };
    case 'log': {
      const tailed = columns.map((s) => at(s, 0.99) - at(s, 0.5) > 4 * (at(s, 0.5) - at(s, 0.01)));
      return {
        step,
        values: Float64Array.from(columns, (sorted) => at(sorted, 0)),
        more: Float64Array.from(tailed, Number),
        cuts: [],
      };
    }
    case 'bins': {
      const cuts = columns.map((sorted) => {
        const borders = Array.from({ length: GROUPS - 1 }, (_, g) => at(sorted, (g + 1) / GROUPS));
        return Float64Array.from(new Set(borders));
      });
      return { step, values: NONE, more: NONE, cuts };
    }
    case 'scale': {
      const { mean, scale } = scaleOf(X);
      return { step, values: mean, more: scale, cuts: [] };
    }
  }
}

function sortedPresent(values: Float64Array): Float64Array {
  return values.filter((value) => !Number.isNaN(value)).sort();
}

function applyStep({ step, values, more, cuts }: FittedStep, X: Matrix): Matrix {
  switch (step) {
    case 'impute':
      return impute(X, values, more);
    case 'log':
      return mapped(X, (value, j) =>
        more[j] === 1 ? Math.log1p(Math.max(0, value - values[j]!)) : value,
      );
    case 'bins':
      return mapped(X, (value, j) => {
        if (Number.isNaN(value)) return value;
        let group = 0;
        while (group < cuts[j]!.length && value >= cuts[j]![group]!) group++;
        return group;
      });
    case 'scale':
      return mapped(X, (value, j) => (value - values[j]!) / more[j]!);
  }
}

function mapped(X: Matrix, change: (value: number, column: number) => number): Matrix {
  return { ...X, data: X.data.map((value, at) => change(value, at % X.columns)) };
}

function impute(X: Matrix, medians: Float64Array, marks: Float64Array): Matrix {
  const marked = [...marks.keys()].filter((j) => marks[j] === 1);
  const columns = X.columns + marked.length;
  const data = new Float64Array(X.rows * columns);
  for (let i = 0; i < X.rows; i++) {
    for (let j = 0; j < X.columns; j++) {
      const value = X.data[i * X.columns + j]!;
      data[i * columns + j] = Number.isNaN(value) ? medians[j]! : value;
    }
    marked.forEach((j, k) => {
      const value = X.data[i * X.columns + j]!;
      data[i * columns + X.columns + k] = Number.isNaN(value) ? 1 : 0;
    });
  }
  const names = [...X.names, ...marked.map((j) => `${X.names[j]!} is missing`)];
  return { rows: X.rows, columns, data, names };
}

export class FittedPipeline implements BinaryModel {
  readonly kind = 'pipeline';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly model: BinaryModel;
  readonly #missing: 'accepts' | 'rejects';
  readonly #steps: readonly FittedStep[];

  constructor(
    names: readonly string[],
    missing: 'accepts' | 'rejects',
    steps: readonly FittedStep[],
    model: BinaryModel,
  ) {
    this.names = names;
    this.model = model;
    this.#missing = missing;
    this.#steps = steps;
  }

  predictProba(X: Matrix): Float64Array {
    checkPredict(X, this.names, this.#missing);
    return this.model.predictProba(this.#steps.reduce((now, step) => applyStep(step, now), X));
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  toJSON(): ModelJson {
    return {
      kind: this.kind,
      format: FORMAT,
      names: this.names,
      missing: this.#missing,
      steps: this.#steps.map(({ step, values, more, cuts }) => ({
        step,
        values: pack(values),
        more: pack(more),
        cuts: cuts.map((borders) => pack(borders)),
      })),
      model: this.model.toJSON(),
    };
  }

  /** `read` makes the inner model: the registry knows the kinds, and it knows this one too. */
  static fromJSON(json: ModelJson, read: (json: unknown) => BinaryModel): FittedPipeline {
    checkJson(json, 'pipeline', FORMAT);
    const { missing, steps } = json;
    if (missing !== 'accepts' && missing !== 'rejects') {
      throw invalidJson('pipeline', 'it does not say whether values may be missing');
    }
    if (!Array.isArray(steps)) throw invalidJson('pipeline', 'its steps are absent');
    const fitted = steps.map((stored: Record<string, unknown>): FittedStep => ({
      step: stepOf(stored['step']),
      values: unpack(stored['values'], 'f64'),
      more: unpack(stored['more'], 'f64'),
      cuts: (stored['cuts'] as unknown[]).map((borders) => unpack(borders, 'f64')),
    }));
    return new FittedPipeline(namesOf(json), missing, fitted, read(json['model']));
  }
}

function stepOf(name: unknown): Step {
  if (name === 'impute' || name === 'log' || name === 'bins' || name === 'scale') return name;
  throw invalid(
    `The stored pipeline has a step ${String(name)}, which this version does not know.`,
  );
}
