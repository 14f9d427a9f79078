import { KairosError } from '../domain/errors.ts';

/** Rows of numbers with named columns: what every estimator reads. Row-major, so that a row is one view. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** `rows * columns` numbers; NaN is a missing value. */
  readonly data: Float64Array;
  /** One name per column, all different; a fitted model demands the same names in the same order. */
  readonly names: readonly string[];
}

/** What is learnt: one number per row; 0 and 1 for a binary target. */
export type Target = Float64Array | Uint8Array | Int32Array;

/** Builds a matrix from rows; a row with another count of values than there are names is MODEL_INVALID. */
export function matrixOf(rows: readonly ArrayLike<number>[], names: readonly string[]): Matrix {
  const columns = names.length;
  const data = new Float64Array(rows.length * columns);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (row.length !== columns) {
      throw new KairosError(
        'MODEL_INVALID',
        `Row ${i} has ${row.length} values; expected ${columns}, one for each column.`,
        { row: i },
      );
    }
    data.set(row, i * columns);
  }
  return { rows: rows.length, columns, data, names };
}

/** A view of one row; writing to it writes to the matrix. */
export function rowOf(X: Matrix, row: number): Float64Array {
  return X.data.subarray(row * X.columns, (row + 1) * X.columns);
}

/** A copy of one column. */
export function columnOf(X: Matrix, column: number): Float64Array {
  const values = new Float64Array(X.rows);
  for (let i = 0; i < X.rows; i++) values[i] = X.data[i * X.columns + column]!;
  return values;
}

/** The place of a column; MODEL_INVALID names the ones that there are. */
export function columnIndex(names: readonly string[], name: string): number {
  const index = names.indexOf(name);
  if (index < 0) {
    throw new KairosError(
      'MODEL_INVALID',
      `There is no column "${name}"; the data has ${names.map((n) => `"${n}"`).join(', ')}.`,
      { column: name },
    );
  }
  return index;
}

/** These rows, in this order; a row may be taken more than once. */
export function takeRows(X: Matrix, rows: ArrayLike<number>): Matrix {
  const data = new Float64Array(rows.length * X.columns);
  for (let i = 0; i < rows.length; i++) data.set(rowOf(X, rows[i]!), i * X.columns);
  return { rows: rows.length, columns: X.columns, data, names: X.names };
}

/** The targets of these rows. */
export function takeTarget(y: Target, rows: ArrayLike<number>): Float64Array {
  const taken = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) taken[i] = y[rows[i]!]!;
  return taken;
}

/** These columns, in this order. */
export function selectColumns(X: Matrix, names: readonly string[]): Matrix {
  const indexes = names.map((name) => columnIndex(X.names, name));
  const data = new Float64Array(X.rows * names.length);
  for (let i = 0; i < X.rows; i++) {
    for (let j = 0; j < indexes.length; j++) {
      data[i * indexes.length + j] = X.data[i * X.columns + indexes[j]!]!;
    }
  }
  return { rows: X.rows, columns: names.length, data, names };
}
