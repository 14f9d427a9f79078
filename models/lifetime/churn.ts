import { checkJson, checkParam, checkPredict, invalid, namesOf, numberOf } from '../check.ts';
import type {
  Attribution,
  BinaryModel,
  Estimator,
  FitContext,
  ModelJson,
  SelfExplaining,
} from '../estimator.ts';
import { checkMatrix } from '../check.ts';
import { FittedLogistic, Logistic } from '../logistic/logistic.ts';
import type { Matrix, Target } from '../matrix.ts';
import { columnIndex } from '../matrix.ts';

export interface ChurnParams {
  /** Column with the number of periods a person has been a customer; 0 or more. */
  readonly duration: string;
  /** Columns that grow by one with each period that passes without an order, such as recency in periods. */
  readonly ageing: readonly string[];
  readonly lambda: number;
}

const DEFAULTS: ChurnParams = { duration: 'period', ageing: [], lambda: 1 };

/**
 * Churn in discrete time (Singer, Willett 1993; Allison 1982): one row for each person and period in which they could
 * leave, 1 where they did, and the hazard is a logistic regression on the person's features and on the duration, bent
 * by ln(1 + t) and √t so that early and late risks may differ. `person-periods.ts` makes such rows from purchases.
 */
export class Churn implements Estimator<FittedChurn> {
  readonly kind = 'churn';
  readonly seed = 0;
  readonly params: Readonly<ChurnParams & Record<string, unknown>>;
  readonly traits = { supervised: true, missing: 'rejects', rowOrder: 'exact' } as const;

  constructor(options: Partial<ChurnParams> = {}) {
    this.params = { ...DEFAULTS, ...options };
  }

  fit(X: Matrix, y?: Target, ctx: FitContext = {}): FittedChurn {
    checkMatrix(X, 'rejects');
    const { duration, ageing, lambda } = this.params;
    const place = columnIndex(X.names, duration);
    for (const name of ageing) columnIndex(X.names, name);
    let longest = 0;
    for (let i = 0; i < X.rows; i++) longest = Math.max(longest, X.data[i * X.columns + place]!);
    const hazard = new Logistic({ lambda }).fit(bend(X, place, longest), y, ctx);
    return new FittedChurn({ names: [...X.names], duration, ageing: [...ageing], longest, hazard });
  }
}

interface ChurnState {
  readonly names: readonly string[];
  readonly duration: string;
  readonly ageing: readonly string[];
  /** The longest duration learnt from: beyond it the hazard stays as it was there, since a bend says nothing of it. */
  readonly longest: number;
  readonly hazard: FittedLogistic;
}

const FORMAT = 1;

/** `predictProba` is the hazard: the chance to leave in the next period. */
export class FittedChurn implements BinaryModel, SelfExplaining {
  readonly kind = 'churn';
  readonly task = 'binary';
  readonly names: readonly string[];
  readonly #state: ChurnState;
  readonly #duration: number;

  constructor(state: ChurnState) {
    this.names = state.names;
    this.#state = state;
    this.#duration = columnIndex(state.names, state.duration);
  }

  predictProba(X: Matrix): Float64Array {
    checkPredict(X, this.names, 'rejects');
    return this.#state.hazard.predictProba(bend(X, this.#duration, this.#state.longest));
  }

  predict(X: Matrix, threshold = 0.5): Uint8Array {
    checkPredict(X, this.names, 'rejects');
    return this.#state.hazard.predict(bend(X, this.#duration, this.#state.longest), threshold);
  }

  /**
   * Chance of each person to be still a customer after 1 … `periods` periods, row by row: the product of what remains,
   * with the duration and the ageing columns moved on and all else as it is now.
   */
  survival(X: Matrix, periods: number): Matrix {
    checkParam('periods', periods, 1, 1000);
    checkPredict(X, this.names, 'rejects');
    const moving = [this.#state.duration, ...this.#state.ageing].map((name) =>
      columnIndex(this.names, name),
    );
    const data = new Float64Array(X.rows * periods);
    const now = { ...X, data: X.data.slice() };
    for (let t = 0; t < periods; t++) {
      const hazard = this.predictProba(now);
      for (let i = 0; i < X.rows; i++) {
        const before = t === 0 ? 1 : data[i * periods + t - 1]!;
        data[i * periods + t] = before * (1 - hazard[i]!);
        for (const j of moving) now.data[i * X.columns + j]! += 1;
      }
    }
    const names = Array.from({ length: periods }, (_, t) => `after ${t + 1}`);
    return { rows: X.rows, columns: periods, data, names };
  }

  /** Log-odds by column; the duration's bends count to the duration. */
  contributions(row: Float64Array): Attribution {
    const X = { rows: 1, columns: row.length, data: row, names: this.names };
    checkPredict(X, this.names, 'rejects');
    const bent = this.#state.hazard.contributions(
      bend(X, this.#duration, this.#state.longest).data,
    );
    const values = bent.values.slice(0, row.length);
    for (const extra of bent.values.subarray(row.length)) values[this.#duration]! += extra;
    return { ...bent, values };
  }

  toJSON(): ModelJson {
    const { names, duration, ageing, longest, hazard } = this.#state;
    return {
      kind: this.kind,
      format: FORMAT,
      names,
      duration,
      ageing,
      longest,
      hazard: hazard.toJSON(),
    };
  }

  static fromJSON(json: ModelJson): FittedChurn {
    checkJson(json, 'churn', FORMAT);
    const { duration, ageing } = json;
    if (typeof duration !== 'string' || !Array.isArray(ageing)) {
      throw invalid('The stored model "churn" is damaged: its duration is absent; train it again.');
    }
    return new FittedChurn({
      names: namesOf(json),
      duration,
      ageing: ageing.map(String),
      longest: numberOf(json, 'longest'),
      hazard: FittedLogistic.fromJSON(json['hazard'] as ModelJson),
    });
  }
}

/** The columns, the duration no longer than `longest`, and two bends of the duration behind them. */
function bend(X: Matrix, duration: number, longest: number): Matrix {
  const columns = X.columns + 2;
  const data = new Float64Array(X.rows * columns);
  for (let i = 0; i < X.rows; i++) {
    data.set(X.data.subarray(i * X.columns, (i + 1) * X.columns), i * columns);
    const t = X.data[i * X.columns + duration]!;
    if (t < 0) {
      throw invalid(
        `Column "${X.names[duration]}" is ${t} in row ${i}; expected 0 or more periods.`,
        { row: i, column: X.names[duration] },
      );
    }
    const within = Math.min(t, longest);
    data[i * columns + duration] = within;
    data[i * columns + X.columns] = Math.log1p(within);
    data[i * columns + X.columns + 1] = Math.sqrt(within);
  }
  const name = X.names[duration]!;
  return { rows: X.rows, columns, data, names: [...X.names, `log of ${name}`, `root of ${name}`] };
}
