import { KairosError } from '../domain/errors.ts';
import type { ModelJson } from './estimator.ts';
import type { Matrix, Target } from './matrix.ts';

/** Every refusal of data, in one place and one tone: what, where, what was expected. */

/** Refuses empty, ragged or unnamed data, infinities, and NaN where the model cannot read it as "missing". */
export function checkMatrix(X: Matrix, missing: 'accepts' | 'rejects'): void {
  if (X.rows < 1) throw invalid('The data has no rows; expected at least one.');
  if (X.columns < 1) throw invalid('The data has no columns; expected at least one.');
  if (X.data.length !== X.rows * X.columns) {
    throw invalid(
      `The data has ${X.data.length} values; expected ${X.rows} rows of ${X.columns} columns, ${X.rows * X.columns} in all.`,
      { row: Math.floor(X.data.length / X.columns) },
    );
  }
  checkNames(X);
  for (let at = 0; at < X.data.length; at++) {
    const value = X.data[at]!;
    if (Number.isFinite(value) || (missing === 'accepts' && Number.isNaN(value))) continue;
    const row = Math.floor(at / X.columns);
    const column = X.names[at % X.columns]!;
    throw invalid(
      Number.isNaN(value)
        ? `Column "${column}" is missing (NaN) in row ${row}; this model needs every value, so fill it before.`
        : `Column "${column}" is infinite in row ${row}; expected a finite number.`,
      { row, column },
    );
  }
}

function checkNames(X: Matrix): void {
  if (X.names.length !== X.columns) {
    throw invalid(
      `The data has ${X.columns} columns and ${X.names.length} names; expected one each.`,
    );
  }
  const seen = new Set<string>();
  for (const name of X.names) {
    if (seen.has(name)) {
      throw invalid(`The column "${name}" stands twice; expected different names.`, {
        column: name,
      });
    }
    seen.add(name);
  }
}

/** Refuses to predict for other columns than were learnt, or in another order. */
export function checkPredict(
  X: Matrix,
  names: readonly string[],
  missing: 'accepts' | 'rejects',
): void {
  for (let j = 0; j < Math.max(names.length, X.names.length); j++) {
    if (X.names[j] === names[j]) continue;
    throw invalid(
      `Column ${j} is "${X.names[j] ?? 'absent'}"; the model was fitted on "${names[j] ?? 'no such column'}" there.`,
      { column: X.names[j] ?? names[j]! },
    );
  }
  // No rows are nothing to predict, which is no mistake.
  if (X.rows > 0) checkMatrix(X, missing);
}

/** Refuses a target that does not fit the rows or is not made of both 0 and 1; returns the count of ones. */
export function checkBinaryTarget(X: Matrix, y: Target | undefined): number {
  if (!y) throw invalid('There is no target; expected 0 or 1 for each row.');
  if (y.length !== X.rows) {
    throw invalid(`The target has ${y.length} values; expected ${X.rows}, one for each row.`, {
      row: Math.min(y.length, X.rows),
    });
  }
  let ones = 0;
  for (let i = 0; i < y.length; i++) {
    if (y[i] !== 0 && y[i] !== 1) {
      throw invalid(`The target is ${y[i]} in row ${i}; expected 0 or 1.`, { row: i });
    }
    ones += y[i]!;
  }
  if (ones === 0 || ones === y.length) {
    throw invalid(
      `All ${y.length} rows have the target ${ones === 0 ? 0 : 1}; expected some of both, so take a longer window.`,
    );
  }
  return ones;
}

/** Refuses a hyper-parameter outside its bounds. */
export function checkParam(name: string, value: number, low: number, high: number): void {
  const whole = Number.isInteger(low) && Number.isInteger(high);
  if (value >= low && value <= high && (!whole || Number.isInteger(value))) return;
  throw invalid(
    `The parameter ${name} is ${value}; expected a ${whole ? 'whole ' : ''}number from ${low} to ${high}.`,
    { param: name },
  );
}

/** Refuses JSON of another kind or format than the reader knows. */
export function checkJson(json: ModelJson, kind: string, format: number): void {
  if (json.kind === kind && json.format === format) return;
  throw invalid(
    `The stored model is "${json.kind}" in format ${json.format}; expected "${kind}" in format ${format}, so train it again.`,
    { kind: json.kind },
  );
}

/** The columns of stored JSON. */
export function namesOf(json: ModelJson): string[] {
  const names: unknown = json['names'];
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw invalidJson(json.kind, 'the names of its columns are absent');
}

/** A number of stored JSON. */
export function numberOf(json: ModelJson, key: string, from: object = json): number {
  const value: unknown = (from as Record<string, unknown>)[key];
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw invalidJson(json.kind, `its ${key} is no number`);
}

/** A broken blob: its parts contradict each other. */
export function invalidJson(kind: string, what: string): KairosError {
  return invalid(`The stored model "${kind}" is damaged: ${what}; train it again.`, { kind });
}

export function invalid(message: string, details: Record<string, unknown> = {}): KairosError {
  return new KairosError('MODEL_INVALID', message, details);
}
