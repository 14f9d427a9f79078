import { isPlausible } from './dates.ts';
import type { FieldCompiler, Row, ValueField } from './fields.ts';
import { type FieldSpec, namedSources, type Scalar } from './mapping.ts';
import { type Reason, Rejection } from './rejection.ts';

/** Makers: one row to one record, or the reason why not. Compiled once a file. */
export type Maker<Record> = (row: Row) => Record | Rejection;

/** Counts what was mended or left out without rejecting a row, by what it was. */
export type Note = (what: string) => void;

export const ID_CHARS_MAX = 200;

/** One rejection a field and reason, so that a bad file of a million rows makes no million objects. */
const rejections = new Map<string, Rejection>();
export function reject(field: string, reason: Reason): Rejection {
  const key = `${field} ${reason}`;
  let known = rejections.get(key);
  if (!known) rejections.set(key, (known = new Rejection(field, reason)));
  return known;
}

/** The id, or why it is none. */
export function requiredId(value: string | null, field: string): string | Rejection {
  if (value === null) return reject(field, 'missing');
  return value.length > ID_CHARS_MAX ? reject(field, 'longer than 200 characters') : value;
}

export function requiredInstant(value: number | null, field: string): number | Rejection {
  if (value === null) return reject(field, 'missing');
  if (Number.isNaN(value)) return reject(field, 'not a date');
  return isPlausible(value) ? value : reject(field, 'date out of range');
}

export function requiredNumber(value: number | null, field: string): number | Rejection {
  if (value === null) return reject(field, 'missing');
  return Number.isFinite(value) ? value : reject(field, 'not a number');
}

/** Named values of free type: traits, properties. Those that are empty are left out. */
export function namedValues(
  compiler: FieldCompiler,
  given: readonly string[] | Readonly<Record<string, FieldSpec>> | undefined,
  pointer: string,
): (row: Row) => Record<string, Scalar> | Rejection {
  const fields = namedSources(given).map(([name, spec]): [string, ValueField] => {
    return [name, compiler.value(spec, `${pointer}/${name}`)];
  });
  return (row) => {
    const values: Record<string, Scalar> = {};
    for (const [name, field] of fields) {
      const value = field(row);
      if (value === undefined) return reject(name, 'not a number');
      if (value !== null) values[name] = value;
    }
    return values;
  };
}
