import { KairosError } from '../../domain/errors.ts';
import { didYouMean } from '../../domain/problem.ts';
import { dateReader, zoneClock } from './dates.ts';
import { keyOf, type LoadedLookup } from './lookups.ts';
import type { ConstantSource, FieldSpec, FormatRules, Reading, Scalar, Source } from './mapping.ts';
import { Rejection } from './rejection.ts';
import type { Choice } from './rules.ts';
import type { Cell, Column, Table } from './table.ts';
import { cleanText, hasControls, isPlainNumber, readBoolean, readNumber } from './values.ts';

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

/** What is done about cells that are odd in themselves, and who is told. */
export interface CellRules {
  readonly controlCharacters: Choice;
  readonly impossibleDate: Choice;
  readonly note: (what: string) => void;
}

const PLAIN_RULES: CellRules = {
  controlCharacters: 'mend',
  impossibleDate: 'reject',
  note: () => {},
};

/**
 * Turns the sources of a mapping into functions of a row, once a file: looking up names, patterns and zones in the loop
 * would cost more than the reading. Remembers which columns are wanted, so that a reader may leave out the others.
 */
export class FieldCompiler {
  readonly wanted = new Set<number>();
  readonly #rules: CellRules;
  #flaw: Rejection | null = null;
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
    rules: CellRules = PLAIN_RULES,
  ) {
    this.#rules = rules;
    this.#path = path;
    this.#table = table;
    this.#format = format;
    this.#lookups = lookups;
    this.#empty = new Set(['', ...(format.empty ?? [])]);
  }

  /** Why a rule turns the row in hand away by one of its cells; asked for once a row. */
  takeFlaw(): Rejection | null {
    const flaw = this.#flaw;
    this.#flaw = null;
    return flaw;
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
    if (isConstant(source)) {
      const constant = cleanText(String(source.value));
      return () => constant;
    }
    const reading = readingOf(source);
    const bare = this.#bareText(source, pointer);
    const pattern = reading.match === undefined ? null : new RegExp(reading.match, 'u');
    const words = reading.values ? new Map(Object.entries(reading.values)) : null;
    if (!pattern && !words) return bare;
    const others = words?.get('*');
    return (row) => {
      let text = bare(row);
      if (text !== null && pattern) {
        const found = pattern.exec(text);
        text = found ? (found[1] ?? found[0]) : null;
      }
      if (text === null || text === '' || !words) return text === '' ? null : text;
      const word = words.get(text) ?? others;
      return word === undefined ? text : String(word);
    };
  }

  #bareText(source: Exclude<Source, ConstantSource>, pointer: string): TextField {
    if (typeof source === 'object' && 'template' in source) {
      return this.#template(source.template, pointer);
    }
    const name = typeof source === 'string' ? source : source.column;
    const { read } = this.cells(name, pointer);
    const field = pointer.slice(pointer.lastIndexOf('/') + 1);
    // Rows that stand together say the same of their order and their customer.
    let last: { cell: Cell; text: string | null } = { cell: null, text: null };
    return (row) => {
      const cell = read(row);
      if (cell === last.cell) return last.text;
      const text = this.#textOf(cell, field);
      // What a rule has to say of a cell is said each time.
      if (typeof cell === 'string' && !hasControls(cell)) last = { cell, text };
      return text;
    };
  }

  #textOf(cell: Cell, field: string): string | null {
    if (cell === null) return null;
    if (cell instanceof Date) return cell.toISOString();
    if (typeof cell !== 'string') return String(cell);
    let text = cell.trim();
    if (hasControls(text)) {
      const { controlCharacters } = this.#rules;
      if (controlCharacters === 'reject') this.#flaw = new Rejection(field, 'control characters');
      else if (controlCharacters === 'mend') {
        text = cleanText(text);
        this.#rules.note('control characters, removed');
      } else text = text.replaceAll('\0', '').toWellFormed();
    }
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
    const { scale } = readingOf(source);
    const bare = this.#bareNumber(source, pointer, decimal);
    if (scale === undefined) return bare;
    return (row) => {
      const value = bare(row);
      // The product of a double and 0.01 has a tail that nobody wrote.
      return value === null ? null : Math.round(value * scale * 1e9) / 1e9 || 0;
    };
  }

  #bareNumber(
    source: Exclude<Source, ConstantSource>,
    pointer: string,
    decimal: '.' | ',',
  ): NumberField {
    if (!isPlainColumn(source)) {
      const text = this.#text(source, pointer);
      return (row) => {
        const found = text(row);
        return found === null ? null : readNumber(found, decimal);
      };
    }
    const { read } = this.cells(nameOf(source), pointer);
    const field = pointer.slice(pointer.lastIndexOf('/') + 1);
    return (row) => {
      const cell = read(row);
      if (typeof cell === 'number') return cell;
      if (typeof cell === 'bigint') return Number(cell);
      if (typeof cell === 'string' && decimal === '.' && isPlainNumber(cell))
        return Number(cell) || 0;
      const text = this.#textOf(cell, field);
      return text === null ? null : readNumber(text, decimal);
    };
  }

  #instant(source: Source, pointer: string): NumberField {
    const own = isConstant(source) ? {} : readingOf(source);
    const toInstant = this.#clock(own.timeZone ?? this.#format.timeZone ?? 'UTC');
    const onImpossible =
      this.#rules.impossibleDate === 'mend'
        ? () => this.#rules.note('day that its month does not have, taken as the last of it')
        : undefined;
    const reader = dateReader(own.format ?? this.#format.dates, toInstant, onImpossible);
    // What is mended is counted each time.
    const read = onImpossible ? reader : remembered(reader);
    const text = this.#text(source, pointer);
    if (isConstant(source) || !isPlainColumn(source)) {
      return (row) => {
        const found = text(row);
        return found === null ? null : read(found);
      };
    }
    const cells = this.cells(nameOf(source), pointer);
    const texts = this.#bareText(source, pointer);
    return (row) => {
      const cell = cells.read(row);
      if (cell instanceof Date) {
        const atMs = cell.getTime();
        return cells.column.wallClock ? toInstant(atMs) : atMs;
      }
      const found = texts(row);
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
    const { as } = readingOf(source);
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

function isConstant(source: Source): source is ConstantSource {
  return typeof source === 'object' && 'value' in source;
}

function nameOf(source: string | { readonly column: string }): string {
  return typeof source === 'string' ? source : source.column;
}

function readingOf(source: Exclude<Source, ConstantSource>): Reading {
  return typeof source === 'string' ? {} : source;
}

/** A column whose cells count as they are, without other words for them. */
function isPlainColumn(
  source: Exclude<Source, ConstantSource>,
): source is string | { readonly column: string } {
  if (typeof source === 'string') return true;
  return 'column' in source && source.values === undefined && source.match === undefined;
}

/** The lines of an order have one time; it is read once. */
function remembered(read: (text: string) => number): (text: string) => number {
  let lastText: string | null = null;
  let lastMs = Number.NaN;
  return (text) => {
    if (text === lastText) return lastMs;
    lastText = text;
    lastMs = read(text);
    return lastMs;
  };
}

function bad(value: number | null): number | null | undefined {
  return value !== null && !Number.isFinite(value) ? undefined : value;
}
