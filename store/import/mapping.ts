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

export interface ColumnSource {
  readonly column: string;
  /** Other words for the column's: `{M: male, F: female}`; what is not named stays. */
  readonly values?: Readonly<Record<string, Scalar>> | undefined;
  /** For dates: a pattern such as `dd.MM.yyyy HH:mm`, or `epoch-s`, `epoch-ms`, `excel`. */
  readonly format?: string | undefined;
  /** For dates without an offset: an IANA name. */
  readonly timeZone?: string | undefined;
  /** For traits and properties, whose type is free. */
  readonly as?: 'text' | 'number' | 'boolean' | 'date' | undefined;
}

export interface ConstantSource {
  readonly value: Scalar;
}

/** `"household-{household_id}@example.test"`; empty where one of its columns is. */
export interface TemplateSource {
  readonly template: string;
}

export interface FormatRules {
  /** Between fields; found from the first line where absent. */
  readonly delimiter?: string | undefined;
  /** Such as `windows-1252`; UTF-8 by default. */
  readonly encoding?: string | undefined;
  /** What stands before the decimals; `.` by default. */
  readonly decimal?: '.' | ',' | undefined;
  /** How dates are written; ISO 8601 by default. */
  readonly dates?: string | undefined;
  /** Zone of dates without an offset; UTC by default. */
  readonly timeZone?: string | undefined;
  /** Texts that stand for "nothing", besides the empty one. */
  readonly empty?: readonly string[] | undefined;
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

export interface Rules {
  /** A row without a customer: kept as that of an anonymous visitor (default), or rejected. */
  readonly missingCustomer?: 'keep' | 'reject' | undefined;
  /** A customer whom nobody has imported: added with the id alone (default), or the row is kept as anonymous. */
  readonly unknownCustomer?: 'add' | 'keep' | undefined;
  /** A line that an order has twice, equal in every field: kept (default), since two pieces may be two lines. */
  readonly repeatedLine?: 'keep' | 'drop' | undefined;
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
  readonly cancelled?:
    | {
        readonly column: string;
        readonly startsWith?: string | undefined;
        readonly in?: readonly string[] | undefined;
      }
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
