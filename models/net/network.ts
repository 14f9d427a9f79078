import type { Design } from '../design.ts';
import type { Random } from '../random.ts';
import { addDenseOuter, addDenseRow, addSparseOuter, addSparseRow, backRow } from './kernels.ts';
import type { Shape } from './shape.ts';

/** What a network is asked about: numbers, and for each embedding the level of each row. */
export interface Inputs {
  readonly numbers: Design;
  readonly levels: readonly Int32Array[];
}

export type Output = 'sigmoid' | 'softmax';

/**
 * Forward and backward through dense layers, a batch at a time, in buffers that are made once. The offsets of the sparse
 * columns go into the first layer's bias once a batch, so a batch costs what its entries cost that are not 0.
 */
export class Network {
  readonly shape: Shape;
  readonly theta: Float64Array;
  readonly output: Output;
  /** Of each layer, batch × units, after the activation. */
  readonly #values: Float64Array[];
  readonly #deltas: Float64Array[];
  readonly #embedded: Float64Array;
  readonly #embeddedDelta: Float64Array;
  readonly #width: number;
  readonly #base: Float64Array;

  constructor(shape: Shape, theta: Float64Array, output: Output, batch: number) {
    this.shape = shape;
    this.theta = theta;
    this.output = output;
    this.#values = shape.layers.map(({ units }) => new Float64Array(batch * units));
    this.#deltas = shape.layers.map(({ units }) => new Float64Array(batch * units));
    this.#width = shape.layers[0]!.inputs - shape.inputs;
    this.#embedded = new Float64Array(this.#width);
    this.#embeddedDelta = new Float64Array(this.#width);
    this.#base = new Float64Array(shape.layers[0]!.units);
  }

  /** Probabilities of `count` rows from `order[from]` on, batch × outputs; `random` where it learns with dropout. */
  forward(
    X: Inputs,
    order: Int32Array,
    from: number,
    count: number,
    random?: Random,
  ): Float64Array {
    this.#first(X, order, from, count);
    const { layers } = this.shape;
    for (let l = 0; l < layers.length; l++) {
      const { inputs, units, activation, dropout, weightAt, biasAt } = layers[l]!;
      const values = this.#values[l]!;
      if (l > 0) {
        const before = this.#values[l - 1]!;
        for (let b = 0; b < count; b++) {
          for (let u = 0; u < units; u++) values[b * units + u] = this.theta[biasAt + u]!;
          addDenseRow(values, b * units, units, this.theta, weightAt, before, b * inputs, inputs);
        }
      }
      if (activation === 'output') this.#finish(values, count, units);
      else activate(values, count * units, activation);
      if (random && dropout > 0) dropOut(values, count * units, dropout, random);
    }
    return this.#values.at(-1)!;
  }

  #first({ numbers, levels }: Inputs, order: Int32Array, from: number, count: number): void {
    const { theta, shape } = this;
    const { units, weightAt, biasAt } = shape.layers[0]!;
    const base = this.#base;
    const out = this.#values[0]!;
    for (let u = 0; u < units; u++) base[u] = theta[biasAt + u]!;
    for (let j = 0; j < shape.inputs; j++) {
      const offset = numbers.offset[j]!;
      if (offset === 0) continue;
      for (let u = 0; u < units; u++) base[u]! -= offset * theta[weightAt + j * units + u]!;
    }
    const { start, column, value } = numbers;
    for (let b = 0; b < count; b++) {
      const row = order[from + b]!;
      out.set(base, b * units);
      const [first, last] = [start[row]!, start[row + 1]!];
      addSparseRow(out, b * units, units, theta, weightAt, column, value, first, last);
      if (this.#width === 0) continue;
      this.#embed(levels, row);
      const at = weightAt + shape.inputs * units;
      addDenseRow(out, b * units, units, theta, at, this.#embedded, 0, this.#width);
    }
  }

  #embed(levels: readonly Int32Array[], row: number): void {
    let place = 0;
    this.shape.embeddings.forEach(({ at, size }, t) => {
      const from = at + levels[t]![row]! * size;
      for (let k = 0; k < size; k++) this.#embedded[place + k] = this.theta[from + k]!;
      place += size;
    });
  }

  #finish(values: Float64Array, count: number, units: number): void {
    if (this.output === 'sigmoid') return activate(values, count * units, 'sigmoid');
    for (let b = 0; b < count; b++) {
      let most = -Infinity;
      for (let u = 0; u < units; u++) most = Math.max(most, values[b * units + u]!);
      let sum = 0;
      for (let u = 0; u < units; u++) {
        const e = Math.exp(values[b * units + u]! - most);
        values[b * units + u] = e;
        sum += e;
      }
      for (let u = 0; u < units; u++) values[b * units + u]! /= sum;
    }
  }

  /**
   * Adds the gradient of the batch's summed cross-entropy, after `forward` on the same rows. Of both outputs it is
   * probability − truth; `truth` is 0 or 1 for a sigmoid, the class for a softmax.
   */
  backward(
    X: Inputs,
    truth: ArrayLike<number>,
    order: Int32Array,
    from: number,
    count: number,
    gradient: Float64Array,
  ): void {
    const { layers } = this.shape;
    const last = layers.length - 1;
    const outputs = layers[last]!.units;
    const said = this.#values[last]!;
    const top = this.#deltas[last]!;
    for (let b = 0; b < count; b++) {
      const y = truth[order[from + b]!]!;
      for (let u = 0; u < outputs; u++) {
        const is = this.output === 'sigmoid' ? y : Number(y === u);
        top[b * outputs + u] = said[b * outputs + u]! - is;
      }
    }
    for (let l = last; l > 0; l--) this.#back(l, count, gradient);
    this.#backFirst(X, order, from, count, gradient);
  }

  #back(l: number, count: number, gradient: Float64Array): void {
    const { inputs, units, weightAt, biasAt } = this.shape.layers[l]!;
    const { activation, dropout } = this.shape.layers[l - 1]!;
    const [before, below] = [this.#values[l - 1]!, this.#deltas[l - 1]!];
    const delta = this.#deltas[l]!;
    for (let b = 0; b < count; b++) {
      const [at, to] = [b * units, b * inputs];
      for (let u = 0; u < units; u++) gradient[biasAt + u]! += delta[at + u]!;
      addDenseOuter(gradient, weightAt, units, before, to, inputs, delta, at);
      backRow(below, to, inputs, this.theta, weightAt, delta, at, units);
    }
    // What was left out is 0, and what stayed was raised by the same factor.
    const kept = 1 - dropout;
    for (let k = 0; k < count * inputs; k++) {
      const value = before[k]!;
      if (value === 0) below[k] = 0;
      else if (activation === 'sigmoid') below[k]! *= value * (1 - value * kept);
      else below[k]! /= kept;
    }
  }

  #backFirst(
    X: Inputs,
    order: Int32Array,
    from: number,
    count: number,
    gradient: Float64Array,
  ): void {
    const { units, weightAt, biasAt } = this.shape.layers[0]!;
    const { start, column, value, offset } = X.numbers;
    const delta = this.#deltas[0]!;
    const sum = this.#base;
    sum.fill(0);
    for (let b = 0; b < count; b++) {
      const row = order[from + b]!;
      const at = b * units;
      for (let u = 0; u < units; u++) sum[u]! += delta[at + u]!;
      const [first, last] = [start[row]!, start[row + 1]!];
      addSparseOuter(gradient, weightAt, units, column, value, first, last, delta, at);
      if (this.#width > 0) this.#backEmbedded(X.levels, row, at, gradient);
    }
    for (let u = 0; u < units; u++) gradient[biasAt + u]! += sum[u]!;
    for (let j = 0; j < this.shape.inputs; j++) {
      if (offset[j] === 0) continue;
      const g = weightAt + j * units;
      for (let u = 0; u < units; u++) gradient[g + u]! -= offset[j]! * sum[u]!;
    }
  }

  #backEmbedded(
    levels: readonly Int32Array[],
    row: number,
    at: number,
    gradient: Float64Array,
  ): void {
    const { units, weightAt } = this.shape.layers[0]!;
    const delta = this.#deltas[0]!;
    const below = weightAt + this.shape.inputs * units;
    this.#embed(levels, row);
    addDenseOuter(gradient, below, units, this.#embedded, 0, this.#width, delta, at);
    backRow(this.#embeddedDelta, 0, this.#width, this.theta, below, delta, at, units);
    let place = 0;
    this.shape.embeddings.forEach((table, t) => {
      const g = table.at + levels[t]![row]! * table.size;
      for (let k = 0; k < table.size; k++) gradient[g + k]! += this.#embeddedDelta[place + k]!;
      place += table.size;
    });
  }
}

function activate(values: Float64Array, count: number, activation: 'relu' | 'sigmoid'): void {
  if (activation === 'relu') {
    for (let k = 0; k < count; k++) if (values[k]! < 0) values[k] = 0;
  } else {
    for (let k = 0; k < count; k++) values[k] = 1 / (1 + Math.exp(-values[k]!));
  }
}

function dropOut(values: Float64Array, count: number, share: number, random: Random): void {
  const limit = share * 4_294_967_296;
  const factor = 1 / (1 - share);
  for (let k = 0; k < count; k++) values[k] = random.uint32() < limit ? 0 : values[k]! * factor;
}
