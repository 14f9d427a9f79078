import { checkJson, invalid, invalidJson } from '../check.ts';
import type { ModelJson } from '../estimator.ts';
import type { Matrix } from '../matrix.ts';
import type { CategoryState } from './category-column.ts';
import { categoryNames, crossFitRates, encodeCategories, fitCategory } from './category-column.ts';
import type { DateState } from './date-column.ts';
import { dateNames, encodeDate, fitDate } from './date-column.ts';
import type { ColumnPlan } from './infer.ts';
import type { NumberState } from './number-column.ts';
import { checkNumber, encodeNumber, fitNumber, numberNames } from './number-column.ts';
import type { RawTable } from './table.ts';
import { cellsOf } from './table.ts';
import type { TextState } from './text-column.ts';
import {
  crossFitText,
  encodeText,
  fitText,
  textFromJson,
  textNames,
  textToJson,
} from './text-column.ts';

/**
 * What the columns are prepared for. `trees`: missing values stay missing, levels up to 12 get a column each. `lines`:
 * nothing is missing, long tails are shortened, levels up to 60 get a column each. `steps`: as `lines`, and each number
 * is cut into groups too, so that a line can bend. `codes`: as `trees`, for trees that know categories.
 */
export type Flavour = 'trees' | 'codes' | 'lines' | 'steps';

interface Recipe {
  readonly fill: boolean;
  readonly bins: number;
  readonly levelsMax: number;
  readonly codes: boolean;
}

const RECIPES: Readonly<Record<Flavour, Recipe>> = {
  trees: { fill: false, bins: 0, levelsMax: 12, codes: false },
  codes: { fill: false, bins: 0, levelsMax: 200, codes: true },
  lines: { fill: true, bins: 0, levelsMax: 60, codes: false },
  steps: { fill: true, bins: 10, levelsMax: 60, codes: false },
};

type ColumnState = NumberState | CategoryState | DateState | TextState;

/** Learns how the columns of a table become a matrix, from the training rows alone. */
export class TableEncoder {
  readonly plans: readonly ColumnPlan[];
  readonly flavour: Flavour;
  readonly seed: number;

  constructor(options: { plans: readonly ColumnPlan[]; flavour: Flavour; seed?: number }) {
    this.plans = options.plans;
    this.flavour = options.flavour;
    this.seed = options.seed ?? 1;
  }

  /** Also the training matrix, in which no row was encoded with the help of its own outcome. */
  fit(table: RawTable, y: ArrayLike<number>): { encoder: FittedTableEncoder; X: Matrix } {
    if (y.length !== table.rows) {
      throw invalid(`The target has ${y.length} values; expected ${table.rows}.`);
    }
    const recipe = RECIPES[this.flavour];
    const states = this.plans.map((plan): ColumnState => {
      const cells = cellsOf(table, plan.name);
      switch (plan.kind) {
        case 'number':
          return fitNumber(cells, plan, recipe);
        case 'category':
          return fitCategory(cells, y, plan.name, recipe);
        case 'date':
          return fitDate(cells, plan, recipe.fill);
        case 'text':
          return fitText(cells, y, plan.name);
      }
    });
    const encoder = new FittedTableEncoder(this.flavour, states);
    const X = encoder.transform(table);
    for (const [name, values] of this.#crossFitted(encoder, table, y)) {
      const j = X.names.indexOf(name);
      for (let i = 0; i < X.rows; i++) X.data[i * X.columns + j] = values[i]!;
    }
    return { encoder, X };
  }

  *#crossFitted(
    { states }: FittedTableEncoder,
    table: RawTable,
    y: ArrayLike<number>,
  ): Generator<[string, Float64Array]> {
    for (const state of states) {
      const cells = cellsOf(table, state.name);
      if (state.kind === 'category' && state.encode === 'target') {
        yield [categoryNames(state)[0]!, crossFitRates(cells, y, this.seed)];
      } else if (state.kind === 'text') {
        yield [textNames(state)[0]!, crossFitText(state, cells, y, this.seed)];
      }
    }
  }
}

const FORMAT = 1;

/** Turns tables with the columns it was fitted on into matrices; columns that it does not know are not looked at. */
export class FittedTableEncoder {
  readonly flavour: Flavour;
  readonly states: readonly ColumnState[];
  readonly names: readonly string[];
  /** The column of the table that each column of the matrix is from. */
  readonly origins: readonly string[];

  constructor(flavour: Flavour, states: readonly ColumnState[]) {
    this.flavour = flavour;
    this.states = states;
    this.names = unique(states.flatMap(namesOfState));
    this.origins = states.flatMap((state) => namesOfState(state).map(() => state.name));
  }

  /** Columns whose numbers are names of categories. */
  get categorical(): readonly string[] {
    const coded = this.states.filter(
      (state) => state.kind === 'category' && state.encode === 'codes',
    );
    const origins = new Set(coded.map((state) => state.name));
    return this.names.filter((_, j) => origins.has(this.origins[j]!));
  }

  transform(table: RawTable): Matrix {
    const columns = this.names.length;
    const data = new Float64Array(table.rows * columns);
    let place = 0;
    for (const state of this.states) {
      const cells = cellsOf(table, state.name);
      encodeColumn(state, cells, data, place, columns);
      place += namesOfState(state).length;
    }
    return { rows: table.rows, columns, data, names: this.names };
  }

  toJSON(): ModelJson {
    const states = this.states.map((state) => (state.kind === 'text' ? textToJson(state) : state));
    return { kind: 'table-encoder', format: FORMAT, flavour: this.flavour, states };
  }

  static fromJSON(json: ModelJson): FittedTableEncoder {
    checkJson(json, 'table-encoder', FORMAT);
    const flavour = json['flavour'] as Flavour;
    const stored = json['states'];
    if (!Object.hasOwn(RECIPES, flavour) || !Array.isArray(stored)) {
      throw invalidJson('table-encoder', 'its columns are absent');
    }
    const states = stored.map((state: Record<string, unknown>): ColumnState => {
      if (state['kind'] === 'text') return textFromJson(state);
      if (state['kind'] === 'number') checkNumber(state as unknown as NumberState);
      return state as unknown as ColumnState;
    });
    return new FittedTableEncoder(flavour, states);
  }
}

function encodeColumn(
  state: ColumnState,
  cells: readonly string[],
  data: Float64Array,
  place: number,
  stride: number,
): void {
  switch (state.kind) {
    case 'number':
      for (let i = 0; i < cells.length; i++)
        encodeNumber(state, cells[i]!, data, i * stride + place);
      break;
    case 'date':
      for (let i = 0; i < cells.length; i++) encodeDate(state, cells[i]!, data, i * stride + place);
      break;
    case 'category':
      encodeCategories(state, cells, data, place, stride);
      break;
    case 'text':
      encodeText(state, cells, data, place, stride);
      break;
  }
}

function namesOfState(state: ColumnState): string[] {
  switch (state.kind) {
    case 'number':
      return numberNames(state);
    case 'date':
      return dateNames(state);
    case 'category':
      return categoryNames(state);
    case 'text':
      return textNames(state);
  }
}

/** A column may be called as another one's level is. */
function unique(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.map((name) => {
    let own = name;
    for (let k = 2; seen.has(own); k++) own = `${name} (${k})`;
    seen.add(own);
    return own;
  });
}
