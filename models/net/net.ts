import {
  checkBinaryTarget,
  checkJson,
  checkMatrix,
  checkParam,
  checkPredict,
  invalid,
  invalidJson,
  namesOf,
  numberOf,
} from '../check.ts';
import { pack, unpack } from '../codec.ts';
import { designOf, sparseColumns } from '../design.ts';
import type { BinaryModel, Estimator, FitContext, ModelJson } from '../estimator.ts';
import { advance, classesOf } from '../estimator.ts';
import type { Matrix, Target } from '../matrix.ts';
import { columnIndex } from '../matrix.ts';
import { Random } from '../random.ts';
import { scaleOf } from '../scale.ts';
import type { Inputs } from './network.ts';
import { Network } from './network.ts';
import type { HiddenLayer, Shape } from './shape.ts';
import { shapeOf, startAt } from './shape.ts';
import { train } from './train.ts';

export interface NetParams {
  readonly layers: readonly HiddenLayer[];
  /** Columns that hold codes of categories, each with the length of the vector that is learnt for each of its levels. */
  readonly embeddings: Readonly<Record<string, number>>;
  readonly batch: number;
  readonly epochs: number;
  /** Adam's step. */
  readonly rate: number;
  /** Strength of the penalty ½ l2 |w|² beside the sum of the losses. */
  readonly l2: number;
  /** Share of the rows, the last ones, that is held out to stop at; 0 learns from all rows for all epochs. */
  readonly heldOut: number;
  /** Epochs without a better loss on the rows held out after which it stops. */
  readonly patience: number;
}

const DEFAULTS: NetParams = {
  layers: [{ units: 64, activation: 'relu', dropout: 0 }],
  embeddings: {},
  batch: 32,
  epochs: 10,
  rate: 1e-3,
  l2: 0,
  heldOut: 0,
  patience: 3,
};

/**
 * A neural network for yes or no: dense layers on standardised columns, binary cross-entropy, Adam (Kingma, Ba 2015),
 * dropout (Srivastava et al. 2014), early stopping on the last rows, vectors for the levels of categories (Guo, Berkhahn
 * 2016). By default 64 relu units, batches of 32, 10 epochs.
 */
export class Net implements Estimator<FittedNet> {
  readonly kind = 'net';
  readonly seed: number;
  readonly params: Readonly<NetParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'rejects', rowOrder: 'statistical' } as const;

  constructor({ seed = 1, ...options }: Partial<NetParams> & { seed?: number } = {}) {
    this.seed = seed;
    this.params = { ...DEFAULTS, ...options };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedNet {
    checkMatrix(X, 'rejects');
    checkBinaryTarget(X, y);
    const { layers, batch, epochs, rate, l2, heldOut, patience } = this.params;
    checkParams(this.params, X.names);
    advance(ctx, 0, 'standardising');
    const tables = Object.entries(this.params.embeddings).map(([name, size]) => {
      const column = columnIndex(X.names, name);
      return { column, size, levels: levelsOf(X, column) };
    });
    const scale = scaleOf(X);
    const sparse = sparseColumns(X);
    // What is a category is no number: it has no entry as one, so that its weights never move.
    for (const { column } of tables) sparse[column] = CATEGORY;
    const state = { names: [...X.names], ...scale, sparse, tables, layers };
    const shape = shapeFor(state);
    const theta = startAt(shape, new Random(this.seed, 1));
    shape.embeddings.forEach(({ at, levels, size }) => {
      theta.fill(0, at + (levels - 1) * size, at + levels * size);
    });
    const net = new Network(shape, theta, 'sigmoid', batch);
    const learn = Math.max(1, X.rows - Math.floor(heldOut * X.rows));
    const rows = Int32Array.from({ length: X.rows }, (_, i) => i);
    const options = { batch, epochs, rate, l2, patience, seed: this.seed };
    const halves = { learn: rows.subarray(0, learn), later: rows.subarray(learn) };
    const { epochs: best, losses } = train(
      net,
      inputsOf(state, X, 0, X.rows),
      y!,
      halves,
      options,
      ctx,
    );
    return new FittedNet({ ...state, theta, epochs: best, loss: losses.at(best - 1) ?? 0 });
  }
}

function checkParams(params: NetParams, names: readonly string[]): void {
  checkParam('batch', params.batch, 1, 100_000);
  checkParam('epochs', params.epochs, 1, 100_000);
  checkParam('rate', params.rate, 1e-9, 10);
  checkParam('l2', params.l2, 0, Number.MAX_VALUE);
  checkParam('heldOut', params.heldOut, 0, 0.9);
  checkParam('patience', params.patience, 1, 100_000);
  for (const { units, dropout } of params.layers) {
    checkParam('units', units, 1, 65_536);
    checkParam('dropout', dropout, 0, 0.99);
  }
  for (const [name, size] of Object.entries(params.embeddings)) {
    columnIndex(names, name);
    checkParam(`embeddings of "${name}"`, size, 1, 1_024);
  }
}

/** In `sparse`: the column goes in by its level's vector. */
const CATEGORY = 2;

/** More levels than this are an id, not a category. */
const LEVELS_MAX = 10_000;

function levelsOf(X: Matrix, column: number): Float64Array {
  const seen = new Set<number>();
  for (let i = 0; i < X.rows; i++) seen.add(X.data[i * X.columns + column]!);
  if (seen.size > LEVELS_MAX) {
    throw invalid(
      `Column "${X.names[column]}" has ${seen.size} levels; expected at most ${LEVELS_MAX} for an embedding, so group the rare ones.`,
      { column: X.names[column] },
    );
  }
  return Float64Array.from(seen).toSorted();
}

interface NetState {
  readonly names: readonly string[];
  readonly mean: Float64Array;
  readonly scale: Float64Array;
  /** 0 for a column that is centred, 1 for one that is mostly 0, CATEGORY for one with an embedding. */
  readonly sparse: Uint8Array;
  readonly tables: readonly Table[];
  readonly layers: readonly HiddenLayer[];
}

interface Table {
  readonly column: number;
  readonly size: number;
  /** Sorted; a level that is not here has the vector 0. */
  readonly levels: Float64Array;
}

function shapeFor({ names, tables, layers }: NetState): Shape {
  const embeddings = tables.map(({ levels, size }) => ({ levels: levels.length + 1, size }));
  return shapeOf(names.length, embeddings, layers, 1);
}

function inputsOf(state: NetState, X: Matrix, from: number, to: number): Inputs {
  // Scale and mean 0 leave neither an entry's weight nor an offset to a category.
  const isCategory = (j: number): boolean => state.sparse[j] === CATEGORY;
  const mean = state.mean.map((value, j) => (isCategory(j) ? 0 : value));
  const scale = state.scale.map((value, j) => (isCategory(j) ? Infinity : value));
  const numbers = designOf(X, { mean, scale }, state.sparse, from, to);
  const levels = state.tables.map(({ column, levels: known }) => {
    const place = new Map(Array.from(known, (value, k) => [value, k]));
    return Int32Array.from(
      { length: to - from },
      (_, i) => place.get(X.data[(from + i) * X.columns + column]!) ?? known.length,
    );
  });
  return { numbers, levels };
}

const FORMAT = 1;
const CHUNK = 1_024;

export class FittedNet implements BinaryModel {
  readonly kind = 'net';
  readonly task = 'binary';
  readonly names: readonly string[];
  /** Epochs that its parameters have seen. */
  readonly epochs: number;
  /** Mean loss after those, on the rows held out where there were some. */
  readonly loss: number;
  readonly #state: NetState;
  readonly #theta: Float64Array;

  constructor(state: NetState & { theta: Float64Array; epochs: number; loss: number }) {
    const { theta, epochs, loss, ...rest } = state;
    this.names = state.names;
    this.epochs = epochs;
    this.loss = loss;
    this.#state = rest;
    this.#theta = theta;
  }

  predictProba(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'rejects');
    const batch = Math.min(CHUNK, X.rows);
    const net = new Network(shapeFor(this.#state), this.#theta, 'sigmoid', batch);
    const order = Int32Array.from({ length: batch }, (_, i) => i);
    const p = new Float64Array(X.rows);
    for (let from = 0; from < X.rows; from += batch) {
      const to = Math.min(from + batch, X.rows);
      const said = net.forward(inputsOf(this.#state, X, from, to), order, 0, to - from);
      p.set(said.subarray(0, to - from), from);
    }
    return p;
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    return classesOf(this.predictProba(X), threshold);
  }

  toJSON(): ModelJson {
    const { names, mean, scale, sparse, tables, layers } = this.#state;
    return {
      kind: this.kind,
      format: FORMAT,
      names,
      mean: pack(mean),
      scale: pack(scale),
      sparse: pack(sparse),
      tables: tables.map((table) => ({ ...table, levels: pack(table.levels) })),
      layers,
      theta: pack(this.#theta),
      epochs: this.epochs,
      loss: this.loss,
    };
  }

  static fromJSON(json: ModelJson): FittedNet {
    checkJson(json, 'net', FORMAT);
    const names = namesOf(json);
    if (!Array.isArray(json['tables']) || !Array.isArray(json['layers'])) {
      throw invalidJson('net', 'its layers are absent');
    }
    const state: NetState = {
      names,
      mean: unpack(json['mean'], 'f64', names.length),
      scale: unpack(json['scale'], 'f64', names.length),
      sparse: unpack(json['sparse'], 'u8', names.length),
      layers: json['layers'] as HiddenLayer[],
      tables: (json['tables'] as (Omit<Table, 'levels'> & { levels: unknown })[]).map((table) => ({
        ...table,
        levels: unpack(table.levels, 'f64'),
      })),
    };
    return new FittedNet({
      ...state,
      theta: unpack(json['theta'], 'f64', shapeFor(state).size),
      epochs: numberOf(json, 'epochs'),
      loss: numberOf(json, 'loss'),
    });
  }
}
