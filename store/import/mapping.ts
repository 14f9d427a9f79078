import type { Rules } from './rules.ts';

/**
 * What a mapping file says: how a shop's columns become the records of `domain/records.ts`. Written in YAML, checked by
 * `mapping.schema.ts`; without one, `well-known.ts` makes a mapping from the names of the columns.
 */
export const IMPORT_KINDS = [
  'customers',
  'products',
  'orders',
  'events',
  'reviews',
  'consents',
] as const;
export type ImportKind = (typeof IMPORT_KINDS)[number];

export type Scalar = string | number | boolean;

/** Where a value comes from. A list is tried in order; the first that is not empty counts. */
export type FieldSpec = Source | readonly Source[];

/** Text alone is the name of a column; a column of a lookup is written `lookup.column`. */
export type Source = string | ColumnSource | ConstantSource | TemplateSource;

/** How what was found is read. */
export interface Reading {
  /** Other words for those of the file: `{M: male, F: female}`; `"*"` stands for all others, which else stay. */
  readonly values?: Readonly<Record<string, Scalar>> | undefined;
  /** A regular expression; its first group counts, else the whole match. Empty where it does not match. */
  readonly match?: string | undefined;
  /** For dates: a pattern such as `dd.MM.yyyy HH:mm`, or `epoch-s`, `epoch-ms`, `excel`; of several the first that fits. */
  readonly format?: string | readonly string[] | undefined;
  /** For dates without an offset: an IANA name. */
  readonly timeZone?: string | undefined;
  /** For numbers: 0.01 for cents, -1 for another sign. */
  readonly scale?: number | undefined;
  /** For traits and properties, whose type is free. */
  readonly as?: 'text' | 'number' | 'boolean' | 'date' | undefined;
}

export interface ColumnSource extends Reading {
  readonly column: string;
}

export interface ConstantSource {
  readonly value: Scalar;
}

/** `"household-{household_id}@example.test"`; empty where one of its columns is. */
export interface TemplateSource extends Reading {
  readonly template: string;
}

export interface FormatRules {
  /** Between fields; found from the first line where absent. */
  readonly delimiter?: string | undefined;
  /** Such as `windows-1252`; found by itself where it is UTF-8 or UTF-16. */
  readonly encoding?: string | undefined;
  /** What stands before the decimals; `.` by default. */
  readonly decimal?: '.' | ',' | undefined;
  /** How dates are written; ISO 8601 by default. */
  readonly dates?: string | readonly string[] | undefined;
  /** Zone of dates without an offset; UTC by default. */
  readonly timeZone?: string | undefined;
  /** Texts that stand for "nothing", besides the empty one. */
  readonly empty?: readonly string[] | undefined;
  /** Lines above the header. */
  readonly skipLines?: number | undefined;
  /** Names of the columns, for a file without a header. */
  readonly columns?: readonly string[] | undefined;
}

/** A small table beside the imported file, such as the names of campaigns: `campaign.start_date`. */
export interface Lookup {
  /** Relative to the imported file. */
  readonly file: string;
  /** Column of the imported file. */
  readonly on: string;
  /** Column of the lookup's file; the same name by default. */
  readonly key?: string | undefined;
}

/** Some rows by what a column says. */
export interface RowTest {
  readonly column: string;
  readonly startsWith?: string | undefined;
  readonly endsWith?: string | undefined;
  readonly in?: readonly string[] | undefined;
}

export interface Limit {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

export interface Mapping {
  readonly kind: ImportKind;
  readonly description?: string | undefined;
  readonly format?: FormatRules | undefined;
  readonly lookups?: Readonly<Record<string, Lookup>> | undefined;
  readonly fields: Readonly<Record<string, FieldSpec | undefined>>;
  /** Customers: `[column, …]` or `{trait: source}`. */
  readonly traits?: readonly string[] | Readonly<Record<string, FieldSpec>> | undefined;
  /** Events and orders: kept beside what Kairos knows. */
  readonly properties?: readonly string[] | Readonly<Record<string, FieldSpec>> | undefined;
  /** Orders: kept at each line. */
  readonly lineProperties?: readonly string[] | Readonly<Record<string, FieldSpec>> | undefined;
  /** Orders: columns whose sum over the lines is kept at the order, such as discounts. */
  readonly sums?: Readonly<Record<string, FieldSpec>> | undefined;
  /** Orders: lines that were taken back, besides those with a negative quantity or amount. */
  readonly cancelled?: RowTest | undefined;
  /** Only these rows are meant, or all but these; others are counted as skipped: rows of orders among those of lines. */
  readonly only?: RowTest | undefined;
  readonly skip?: RowTest | undefined;
  /** What counts as a plausible price, amount or quantity; the rule `outOfRange` says what is done about others. */
  readonly limits?:
    | Readonly<Record<'price' | 'amount' | 'quantity', Limit | undefined>>
    | undefined;
  readonly rules?: Rules | undefined;
}

/** The fields of each kind; true where a row cannot do without. */
export const FIELDS: Readonly<Record<ImportKind, Readonly<Record<string, boolean>>>> = {
  customers: {
    id: true,
    email: false,
    name: false,
    country: false,
    timeZone: false,
    locale: false,
    createdAt: false,
    consent: false,
    consentAt: false,
    consentSource: false,
  },
  products: {
    sku: true,
    title: false,
    category: false,
    price: false,
    currency: true,
    stock: false,
    description: false,
    url: false,
  },
  orders: {
    order: true,
    customer: false,
    at: true,
    currency: true,
    sku: false,
    quantity: false,
    price: false,
    amount: false,
    total: false,
    category: false,
  },
  events: { type: true, customer: false, at: true, id: false },
  reviews: { sku: true, customer: false, rating: true, text: false, at: true, id: false },
  consents: { customer: true, granted: true, at: true, source: true },
};

/** Names and sources of `traits`, `properties` and the like, in one form. */
export function namedSources(
  given: readonly string[] | Readonly<Record<string, FieldSpec>> | undefined,
): [string, FieldSpec][] {
  if (given === undefined) return [];
  if (Array.isArray(given)) return (given as readonly string[]).map((name) => [name, name]);
  return Object.entries(given as Readonly<Record<string, FieldSpec>>);
}
