import { invalid } from '../check.ts';
import { Boosting } from '../boosting/boosting.ts';
import type { BinaryModel, Estimator } from '../estimator.ts';
import { Forest } from '../forest/forest.ts';
import { Logistic } from '../logistic/logistic.ts';
import type { Flavour } from '../preprocess/table-encoder.ts';

/** One thing to try: an estimator with its settings, and how the columns are prepared for it. */
export interface Candidate {
  readonly family: string;
  readonly flavour: Flavour;
  readonly params: Readonly<Record<string, unknown>>;
  /** `categorical`: columns whose numbers are names of categories. */
  make(seed: number, categorical: readonly string[]): Estimator<BinaryModel>;
  /** What a fit costs, in units of work: about a second each on one core of 2024. It is no clock, so that the same seed chooses the same on every machine. */
  units(rows: number, columns: number): number;
}

interface Family {
  readonly flavours: readonly Flavour[];
  /** The first is the one to take without a choice. */
  readonly settings: readonly Readonly<Record<string, unknown>>[];
  make(
    params: Readonly<Record<string, unknown>>,
    seed: number,
    categorical: readonly string[],
  ): Estimator<BinaryModel>;
  units(rows: number, columns: number, params: Readonly<Record<string, unknown>>): number;
}

/** What can be chosen from. A new family is one entry here. */
const FAMILIES: Readonly<Record<string, Family>> = {
  logistic: {
    flavours: ['lines', 'steps'],
    settings: [{ lambda: 10 }, { lambda: 1 }, { lambda: 100 }, { lambda: 400 }],
    make: (params) => new Logistic(params),
    units: (rows, columns) => (8 * rows * columns * (columns + 20)) / 1.2e9,
  },
  boosting: {
    flavours: ['trees', 'codes'],
    settings: [
      { trees: 200, learningRate: 0.03, maxLeaves: 15, minLeaf: 40 },
      { trees: 100, learningRate: 0.1, maxLeaves: 31, minLeaf: 20 },
      { trees: 300, learningRate: 0.03, maxLeaves: 6, minLeaf: 20, columnShare: 0.6 },
    ],
    make: (params, seed, categorical) => new Boosting({ ...params, categorical, seed }),
    units: (rows, columns, params) =>
      (Number(params['trees']) * rows * columns * Math.log2(Number(params['maxLeaves']))) / 6e8,
  },
  forest: {
    flavours: ['trees'],
    settings: [
      { trees: 200, minLeaf: 5 },
      { trees: 200, minLeaf: 20 },
      { trees: 200, minLeaf: 50 },
    ],
    make: (params, seed) => new Forest({ ...params, seed }),
    units: (rows, columns, params) =>
      (Number(params['trees']) * rows * Math.sqrt(columns) * Math.log2(rows + 2)) / 1.5e8,
  },
};

export const FAMILY_NAMES: readonly string[] = Object.keys(FAMILIES);

/** All candidates of these families (of all by default), the default settings of each first. */
export function candidatesOf(families: readonly string[] = FAMILY_NAMES): Candidate[] {
  const candidates: Candidate[] = [];
  for (const name of families) {
    const family = Object.hasOwn(FAMILIES, name) ? FAMILIES[name] : undefined;
    if (!family) {
      throw invalid(`There is no family "${name}"; expected one of ${FAMILY_NAMES.join(', ')}.`);
    }
    for (const flavour of family.flavours) {
      for (const params of family.settings) {
        candidates.push({
          family: name,
          flavour,
          params,
          make: (seed, categorical) => family.make(params, seed, categorical),
          units: (rows, columns) => family.units(rows, columns, params),
        });
      }
    }
  }
  return candidates;
}

export function labelOf({ family, flavour, params }: Candidate): string {
  const said = Object.entries(params).map(([key, value]) => `${key} ${String(value)}`);
  return `${family} (${[flavour, ...said].join(', ')})`;
}
