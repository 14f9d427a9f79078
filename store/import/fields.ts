import { KairosError } from '../../domain/errors.ts';
import { didYouMean } from '../../domain/problem.ts';
import { dateReader, zoneClock } from './dates.ts';
import { keyOf, type LoadedLookup } from './lookups.ts';
import type { ColumnSource, FieldSpec, FormatRules, Scalar, Source } from './mapping.ts';
import type { Cell, Column, Table } from './table.ts';
import { cleanText, readBoolean, readNumber } from './values.ts';

export type Row = readonly Cell[];
/** Null where the row has nothing there. */
export type TextField = (row: Row) => string | null;
/** NaN where there is something, but no number or date. */
export type NumberField = (row: Row) => number | null;
/** Undefined where there is something, but not of the type that was asked for. */
export type BooleanField = (row: Row) => boolean | null | undefined;
export type ValueField = (row: Row) => Scalar | null | undefined;

interface CellSource {
  readonly column: Column;
  readonly read: (row: Row) => Cell;
}

const nothing = (): null => null;

/**
 * Turns the sources of a mapping into functions of a row, once a file: looking up names, patterns and zones in the loop
 * would cost more than the reading. Remembers which columns are wanted, so that a reader may leave out the others.
 */
export class FieldCompiler {
  readonly wanted = new Set<number>();
  readonly #path: string;
  readonly #table: Table;
  readonly #format: FormatRules;
  readonly #lookups: ReadonlyMap<string, LoadedLookup>;
  readonly #empty: ReadonlySet<string>;
  readonly #clocks = new Map<string, (localMs: number) => number>();

  constructor(
    path: string,
    table: Table,
    format: FormatRules = {},
    lookups: ReadonlyMap<string, LoadedLookup> = new Map(),
  ) {
    this.#path = path;
    this.#table = table;
    this.#format = format;
    this.#lookups = lookups;
    this.#empty = new Set(['', ...(format.empty ?? [])]);
  }

  text(spec: FieldSpec | undefined, pointer: string): TextField {
    return this.#firstOf(spec, pointer, (source) => this.#text(source, pointer));
  }

  number(spec: FieldSpec | undefined, pointer: string): NumberField {
    return this.#firstOf(spec, pointer, (source) => this.#number(source, pointer));
  }

  /** Milliseconds since the Unix epoch. */
  instant(spec: FieldSpec | undefined, pointer: string): NumberField {
    return this.#firstOf(spec, pointer, (source) => this.#instant(source, pointer));
  }

  boolean(spec: FieldSpec | undefined, pointer: string): BooleanField {
    return this.#firstOf(spec, pointer, (source) => this.#boolean(source, pointer));
  }

  /** Of the type that `as` says, else of the type that the file has: text in CSV. */
  value(spec: FieldSpec | undefined, pointer: string): ValueField {
    return this.#firstOf(spec, pointer, (source) => this.#value(source, pointer));
  }

  #firstOf<T>(
    spec: FieldSpec | undefined,
    _pointer: string,
    compile: (source: Source) => (row: Row) => T | null,
  ): (row: Row) => T | null {
    if (spec === undefined) return nothing;
    const fields = (Array.isArray(spec) ? (spec as Source[]) : [spec as Source]).map(compile);
    if (fields.length === 1) return fields[0]!;
    return (row) => {
      for (const field of fields) {
        const value = field(row);
        if (value !== null) return value;
      }
      return null;
    };
  }

  /** The cells of a column, or of a lookup's column. */
  cells(name: string, pointer: string): CellSource {
    const dot = name.indexOf('.');
    const lookup = dot > 0 ? this.#lookups.get(name.slice(0, dot)) : undefined;
    if (lookup) return this.#lookedUp(lookup, name, name.slice(dot + 1), pointer);
    const index = this.#table.indexOf(name);
    if (index < 0) {
      throw this.#unknownColumn(
        name,
        this.#table.columns.map((column) => column.name),
        pointer,
      );
    }
    this.wanted.add(index);
    return { column: this.#table.columns[index]!, read: (row) => row[index]! };
  }

  #lookedUp(lookup: LoadedLookup, name: string, part: string, pointer: string): CellSource {
    const index = lookup.columns.findIndex((column) => column.name === part);
    if (index < 0) {
      throw this.#unknownColumn(
        name,
        lookup.columns.map((column) => `${name.slice(0, name.indexOf('.'))}.${column.name}`),
        pointer,
      );
    }
    const on = this.cells(lookup.on, pointer);
    return {
      column: lookup.columns[index]!,
      read: (row) => {
        const key = keyOf(on.read(row));
        return key === null ? null : (lookup.rows.get(key)?.[index] ?? null);
      },
    };
  }

  #unknownColumn(name: string, known: readonly string[], pointer: string): KairosError {
    const near = didYouMean(name, known);
    const hint = near ? `did you mean "${near}"?` : `it has ${known.slice(0, 30).join(', ')}.`;
    const where = pointer.slice(1).replaceAll('/', '.');
    return new KairosError(
      'IMPORT_INVALID',
      `${where} names the column "${name}", which ${this.#path} does not have; ${hint}`,
      { pointer },
    );
  }

  #text(source: Source, pointer: string): TextField {
    if (typeof source === 'object' && 'value' in source) {
      const constant = cleanText(String(source.value));
      return () => constant;
    }
    if (typeof source === 'object' && 'template' in source) {
      return this.#template(source.template, pointer);
    }
    const { read } = this.cells(typeof source === 'string' ? source : source.column, pointer);
    const words = wordsOf(source);
    if (!words) return (row) => this.#textOf(read(row));
    return (row) => {
      const text = this.#textOf(read(row));
      return text === null ? null : String(words.get(text) ?? text);
    };
  }

  #textOf(cell: Cell): string | null {
    if (cell === null) return null;
    if (cell instanceof Date) return cell.toISOString();
    const text = typeof cell === 'string' ? cleanText(cell) : String(cell);
    return this.#empty.has(text) ? null : text;
  }

  #template(template: string, pointer: string): TextField {
    const parts = template.split(/\{([^{}]+)\}/);
    const fields = parts.map((part, index) =>
      index % 2 === 1 ? this.#text(part, pointer) : () => part,
    );
    return (row) => {
      let text = '';
      for (const field of fields) {
        const part = field(row);
        if (part === null) return null;
        text += part;
      }
      return text;
    };
  }

  #number(source: Source, pointer: string): NumberField {
    const decimal = this.#format.decimal ?? '.';
    if (isConstant(source)) {
      const constant = Number(source.value);
      return () => constant;
    }
    if (isPlainColumn(source)) {
      const { read } = this.cells(nameOf(source), pointer);
      return (row) => {
        const cell = read(row);
        if (typeof cell === 'number') return cell;
        if (typeof cell === 'bigint') return Number(cell);
        const text = this.#textOf(cell);
        return text === null ? null : readNumber(text, decimal);
      };
    }
    const text = this.#text(source, pointer);
    return (row) => {
      const found = text(row);
      return found === null ? null : readNumber(found, decimal);
    };
  }

  #instant(source: Source, pointer: string): NumberField {
    const own = typeof source === 'object' && 'column' in source ? source : undefined;
    const toInstant = this.#clock(own?.timeZone ?? this.#format.timeZone ?? 'UTC');
    const read = dateReader(own?.format ?? this.#format.dates, toInstant);
    const text = this.#text(source, pointer);
    if (!isPlainColumn(source)) {
      return (row) => {
        const found = text(row);
        return found === null ? null : read(found);
      };
    }
    const cells = this.cells(nameOf(source), pointer);
    return (row) => {
      const cell = cells.read(row);
      if (cell instanceof Date) {
        const atMs = cell.getTime();
        return cells.column.wallClock ? toInstant(atMs) : atMs;
      }
      const found = this.#textOf(cell);
      return found === null ? null : read(found);
    };
  }

  #clock(timeZone: string): (localMs: number) => number {
    const clock = this.#clocks.get(timeZone) ?? zoneClock(timeZone);
    this.#clocks.set(timeZone, clock);
    return clock;
  }

  #boolean(source: Source, pointer: string): BooleanField {
    const text = this.#text(source, pointer);
    return (row) => {
      const found = text(row);
      return found === null ? null : readBoolean(found);
    };
  }

  #value(source: Source, pointer: string): ValueField {
    if (isConstant(source)) return () => source.value;
    const as = typeof source === 'object' && 'column' in source ? source.as : undefined;
    if (as === 'number') {
      const number = this.#number(source, pointer);
      return (row) => bad(number(row));
    }
    if (as === 'boolean') return this.#boolean(source, pointer);
    if (as === 'date') {
      const instant = this.#instant(source, pointer);
      return (row) => {
        const atMs = bad(instant(row));
        return typeof atMs === 'number' ? new Date(atMs).toISOString() : atMs;
      };
    }
    const text = this.#text(source, pointer);
    if (as === 'text' || !isPlainColumn(source)) return text;
    const { read } = this.cells(nameOf(source), pointer);
    return (row) => {
      const cell = read(row);
      if (typeof cell === 'boolean') return cell;
      if (typeof cell === 'number') return Number.isFinite(cell) ? cell : undefined;
      return text(row);
    };
  }
}

function isConstant(source: Source): source is { value: Scalar } {
  return typeof source === 'object' && 'value' in source;
}

function nameOf(source: string | ColumnSource): string {
  return typeof source === 'string' ? source : source.column;
}

/** A column whose cells count as they are, without other words for them. */
function isPlainColumn(source: Source): source is string | ColumnSource {
  if (typeof source === 'string') return true;
  return 'column' in source && source.values === undefined;
}

function wordsOf(source: string | ColumnSource): Map<string, Scalar> | null {
  const values = typeof source === 'string' ? undefined : source.values;
  return values ? new Map(Object.entries(values)) : null;
}

function bad(value: number | null): number | null | undefined {
  return value !== null && !Number.isFinite(value) ? undefined : value;
}
