import { describe, expect, it } from 'vitest';
import { KairosError } from '../../domain/errors.ts';
import type {
  BinaryModel,
  ClusterModel,
  Estimator,
  Model,
  RegressionModel,
} from '../../models/estimator.ts';
import type { Matrix, Target } from '../../models/matrix.ts';
import { matrixOf, rowOf, takeRows, takeTarget } from '../../models/matrix.ts';
import { Random } from '../../models/random.ts';
import { modelFromJSON } from '../../models/registry.ts';

export interface ContractCase {
  /** A fresh estimator; without a seed, the default one. */
  readonly make: (seed?: number) => Estimator;
  /** Training data by seed; different seeds give different data of the same columns. */
  readonly data: (seed: number) => { X: Matrix; y?: Target };
  /** How good a fitted model is on data, where higher is better; ties rows' order and seeds to quality. */
  readonly quality: (model: Model, X: Matrix, y?: Target) => number;
  /** By how much quality may differ with the order of rows. */
  readonly qualityTolerance: number;
  /** The least quality on other data of the same making. */
  readonly qualityMin: number;
}

/** All that a fitted model says about rows, as one array. */
export function outputs(model: Model, X: Matrix): Float64Array {
  if ('predictProba' in model) return (model as BinaryModel).predictProba(X);
  if (isRegression(model)) return model.predict(X);
  const clusters = (model as ClusterModel).predict(X);
  return Float64Array.from([...clusters, ...(model as ClusterModel).transform(X).data]);
}

function isRegression(model: Model): model is RegressionModel {
  return 'task' in model && model.task === 'regression';
}

/** Every estimator keeps to this; see `models/estimator.ts`. */
export function describeEstimator(name: string, contract: ContractCase): void {
  const { make, data } = contract;
  const { X, y } = data(1);
  const fresh = data(2).X;
  const fitted = make(7).fit(X, y);
  const said = outputs(fitted, fresh);

  describe(`${name} keeps the estimator's contract`, () => {
    describeFitting(contract, X, y, fresh, said);
    describeFitted(contract, fitted, fresh, said);
    describeRefusals(contract, X, y, fitted);
    describeProgress(contract, X, y);
  });
}

function describeFitting(
  { make, data, quality, qualityMin, qualityTolerance }: ContractCase,
  X: Matrix,
  y: Target | undefined,
  fresh: Matrix,
  said: Float64Array,
): void {
  it('gives the same model for the same seed and rows', () => {
    expect(JSON.stringify(make(7).fit(X, y))).toBe(JSON.stringify(make(7).fit(X, y)));
  });

  it('keeps hyper-parameters only, and fitting does not change them', () => {
    const estimator = make(7);
    const before = JSON.stringify(estimator);
    estimator.fit(X, y);
    expect(JSON.stringify(estimator)).toBe(before);
  });

  it('forgets when fitted again, and leaves earlier models as they were', () => {
    const other = data(3);
    const estimator = make(7);
    const first = estimator.fit(other.X, other.y);
    const firstSaid = outputs(first, fresh);
    expect(outputs(estimator.fit(X, y), fresh)).toEqual(said);
    expect(outputs(first, fresh)).toEqual(firstSaid);
    expect(firstSaid).not.toEqual(said);
  });

  it('leaves the data as it was', () => {
    const before = X.data.slice();
    const target = y?.slice();
    make(7).fit(X, y);
    expect(X.data).toEqual(before);
    expect(y).toEqual(target);
  });

  it('learns something', () => {
    const other = data(4);
    expect(quality(make(7).fit(X, y), other.X, other.y)).toBeGreaterThan(qualityMin);
  });

  it('does not care about the order of rows', () => {
    const order = new Random(9).sample(X.rows, X.rows);
    const shuffled = make(7).fit(takeRows(X, order), y && takeTarget(y, order));
    if (make(7).traits.rowOrder === 'exact') {
      const again = outputs(shuffled, fresh);
      said.forEach((value, i) => expect(again[i]).toBeCloseTo(value, 8));
    }
    const other = data(4);
    const before = quality(make(7).fit(X, y), other.X, other.y);
    expect(Math.abs(quality(shuffled, other.X, other.y) - before)).toBeLessThan(qualityTolerance);
  });

  it('takes a constant column', () => {
    const j = X.columns - 1;
    const data2 = X.data.map((value, at) => (at % X.columns === j ? 5 : value));
    const model = make(7).fit({ ...X, data: data2 }, y);
    expect(outputs(model, { ...X, data: data2 }).every(Number.isFinite)).toBe(true);
  });
}

function describeFitted(
  { make }: ContractCase,
  fitted: Model,
  fresh: Matrix,
  said: Float64Array,
): void {
  it('predicts the same after a way through JSON and the registry', () => {
    const json = JSON.parse(JSON.stringify(fitted)) as unknown;
    const read = modelFromJSON(json);
    expect(read.kind).toBe(make().kind);
    expect(read.names).toEqual(fitted.names);
    expect(outputs(read, fresh)).toEqual(said);
    expect(JSON.parse(JSON.stringify(read))).toEqual(json);
  });

  it('says of one row what it says of it among others', () => {
    for (const i of [0, 1, fresh.rows - 1]) {
      const alone = outputs(fitted, matrixOf([rowOf(fresh, i)], fresh.names));
      expect(alone[0]).toBe(said[i]);
    }
  });

  it('says nothing of no rows', () => {
    expect(outputs(fitted, matrixOf([], fresh.names))).toHaveLength(0);
  });

  it('gives probabilities, or clusters that there are', () => {
    if (isRegression(fitted)) return expect(said.every(Number.isFinite)).toBe(true);
    for (let i = 0; i < fresh.rows; i++) {
      expect(said[i]).toBeGreaterThanOrEqual(0);
      expect(said[i]).toBeLessThanOrEqual('k' in fitted ? (fitted as ClusterModel).k - 1 : 1);
    }
  });

  it('refuses JSON of another format, and JSON that was cut', () => {
    const json = JSON.parse(JSON.stringify(fitted)) as Record<string, unknown>;
    expectInvalid(() => modelFromJSON({ ...json, format: 99 }));
    for (const key of Object.keys(json)) {
      if (key === 'kind') continue;
      const { [key]: _cut, ...rest } = json;
      expectInvalid(() => modelFromJSON(rest));
    }
    expectInvalid(() => modelFromJSON(null));
  });
}

function describeRefusals(
  { make }: ContractCase,
  X: Matrix,
  y: Target | undefined,
  fitted: Model,
): void {
  const { missing, supervised } = make().traits;
  const spoilt = (value: number): Matrix => {
    const data = X.data.slice();
    data[2 * X.columns] = value;
    return { ...X, data };
  };

  it('refuses infinities by column and row', () => {
    const details = { row: 2, column: X.names[0] };
    expectInvalid(() => make().fit(spoilt(Infinity), y), details);
    expectInvalid(() => outputs(fitted, spoilt(-Infinity)), details);
  });

  it(missing === 'rejects' ? 'refuses NaN by column and row' : 'learns from missing values', () => {
    if (missing === 'rejects') {
      const details = { row: 2, column: X.names[0] };
      expectInvalid(() => make().fit(spoilt(Number.NaN), y), details);
      expectInvalid(() => outputs(fitted, spoilt(Number.NaN)), details);
      return;
    }
    const model = make().fit(spoilt(Number.NaN), y);
    expect(outputs(model, spoilt(Number.NaN)).every(Number.isFinite)).toBe(true);
  });

  it('refuses empty and ragged data, and names that do not fit', () => {
    const empty = new Float64Array(0);
    expectInvalid(() => make().fit({ ...X, rows: 0, data: empty }, y?.slice(0, 0)));
    expectInvalid(() => make().fit({ ...X, columns: 0, names: [], data: empty }, y));
    expectInvalid(() => make().fit({ ...X, data: X.data.slice(1) }, y));
    expectInvalid(() => make().fit({ ...X, names: X.names.slice(1) }, y));
    expectInvalid(() => make().fit({ ...X, names: X.names.map(() => 'same') }, y));
    expect(() => matrixOf([[1, 2], [3]], ['a', 'b'])).toThrow(KairosError);
  });

  it('refuses to predict for other columns', () => {
    const renamed = X.names.map((name, j) => (j === 1 ? `${name}!` : name));
    expectInvalid(() => outputs(fitted, { ...X, names: renamed }), { column: renamed[1] });
    const swapped = [X.names[1]!, X.names[0]!, ...X.names.slice(2)];
    expectInvalid(() => outputs(fitted, { ...X, names: swapped }), { column: swapped[0] });
  });

  if (!supervised) return;
  if (isRegression(fitted)) {
    it('refuses a target that is absent, too short or not finite', () => {
      expectInvalid(() => make().fit(X));
      expectInvalid(() => make().fit(X, y!.slice(1)));
      const broken = Float64Array.from(y!);
      broken[3] = Number.NaN;
      expectInvalid(() => make().fit(X, broken), { row: 3 });
    });
    return;
  }
  it('refuses a target that is absent, too short, not 0 or 1, or one-sided', () => {
    expectInvalid(() => make().fit(X));
    expectInvalid(() => make().fit(X, y!.slice(1)));
    const half = Float64Array.from(y!);
    half[3] = 0.5;
    expectInvalid(() => make().fit(X, half), { row: 3 });
    expectInvalid(() => make().fit(X, new Float64Array(X.rows)));
    expectInvalid(() => make().fit(X, new Float64Array(X.rows).fill(1)));
  });
}

function describeProgress({ make }: ContractCase, X: Matrix, y: Target | undefined): void {
  it('tells a progress that never falls and ends at 1', () => {
    const told: number[] = [];
    make().fit(X, y, { onProgress: ({ fraction }) => told.push(fraction) });
    expect(told.at(-1)).toBe(1);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told[0]).toBeGreaterThanOrEqual(0);
  });

  it('stops when it is aborted, before and in the midst', () => {
    const before = AbortSignal.abort();
    expect(() => make().fit(X, y, { signal: before })).toThrow(named('AbortError'));
    const controller = new AbortController();
    let calls = 0;
    const context = {
      signal: controller.signal,
      onProgress: () => {
        calls++;
        controller.abort();
      },
    };
    expect(() => make().fit(X, y, context)).toThrow(named('AbortError'));
    expect(calls).toBe(1);
  });
}

function named(name: string): Error {
  return expect.objectContaining({ name }) as Error;
}

/** MODEL_INVALID, in one sentence. */
export function expectInvalid(act: () => unknown, details: Record<string, unknown> = {}): void {
  let caught: unknown;
  try {
    act();
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(KairosError);
  const error = caught as KairosError;
  expect(error.code).toBe('MODEL_INVALID');
  expect(error.message).toMatch(/^[A-Z].*\.$/);
  expect(error.details).toMatchObject(details);
}
