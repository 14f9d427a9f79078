import type { Random } from '../random.ts';

/** A hidden layer: how many units, through which curve, and which share is left out at random while it learns. */
export interface HiddenLayer {
  readonly units: number;
  readonly activation: 'relu' | 'sigmoid';
  /** 0 to below 1. */
  readonly dropout: number;
}

/** Where everything stands in the one array of parameters. */
export interface Shape {
  /** Columns that go in as numbers. */
  readonly inputs: number;
  /** Tables of a vector per level, for the columns that are categories. */
  readonly embeddings: readonly {
    readonly at: number;
    readonly levels: number;
    readonly size: number;
  }[];
  /** Dense layers, the last being the output. */
  readonly layers: readonly {
    readonly inputs: number;
    readonly units: number;
    readonly activation: HiddenLayer['activation'] | 'output';
    readonly dropout: number;
    /** Of the weights, inputs × units row-major. */
    readonly weightAt: number;
    readonly biasAt: number;
  }[];
  readonly size: number;
}

export function shapeOf(
  inputs: number,
  tables: readonly { readonly levels: number; readonly size: number }[],
  hidden: readonly HiddenLayer[],
  outputs: number,
): Shape {
  let size = 0;
  const take = (count: number): number => {
    size += count;
    return size - count;
  };
  const embeddings = tables.map((table) => ({ ...table, at: take(table.levels * table.size) }));
  let width = inputs + tables.reduce((sum, table) => sum + table.size, 0);
  const output = { units: outputs, activation: 'output', dropout: 0 } as const;
  const layers = [...hidden, output].map(({ units, activation, dropout }) => {
    const layer = { inputs: width, units, activation, dropout };
    width = units;
    return { ...layer, weightAt: take(layer.inputs * units), biasAt: take(units) };
  });
  return { inputs, embeddings, layers, size };
}

/** Weights spread as Glorot and Bengio (2010) say, vectors of levels within ±0.05, biases 0. */
export function startAt({ embeddings, layers, size }: Shape, random: Random): Float64Array {
  const theta = new Float64Array(size);
  const fill = (at: number, count: number, limit: number): void => {
    for (let k = 0; k < count; k++) theta[at + k] = limit * (2 * random.next() - 1);
  };
  for (const { at, levels, size: width } of embeddings) fill(at, levels * width, 0.05);
  for (const { weightAt, inputs, units } of layers) {
    fill(weightAt, inputs * units, Math.sqrt(6 / (inputs + units)));
  }
  return theta;
}
