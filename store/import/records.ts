import { createHash } from 'node:crypto';
import {
  EVENT,
  type EventRecord,
  type PersonRecord,
  type ProductRecord,
} from '../../domain/records.ts';
import { isTimeZone } from '../../domain/local-time.ts';
import { isPlausible } from './dates.ts';
import type { FieldCompiler, NumberField, Row, TextField, ValueField } from './fields.ts';
import { namedSources, type FieldSpec, type Mapping, type Scalar } from './mapping.ts';
import { type Reason, Rejection } from './rejection.ts';
import { readCountry } from './values.ts';

/** Makers: one row to one record, or the reason why not. Compiled once a file. */
export type Maker<Record> = (row: Row) => Record | Rejection;

/** Counts what was mended or left out without rejecting a row, by what it was. */
export type Note = (what: string) => void;

const ID_CHARS_MAX = 200;

/** Events that only Kairos itself may write: from a file they would forge its own history. */
const RESERVED: ReadonlySet<string> = new Set([
  'Messages Settled',
  'Person Identified',
  EVENT.traitsChanged,
  EVENT.consentChanged,
]);

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

export interface CustomerDefaults {
  readonly nowMs: number;
  /** By the flag of the command line: what is said to have been agreed to, and when; null is the day they joined. */
  readonly consent: { readonly source: string; readonly atMs: number | null } | null;
}

export function customerMaker(
  compiler: FieldCompiler,
  mapping: Mapping,
  defaults: CustomerDefaults,
  note: Note,
): Maker<PersonRecord> {
  const { fields } = mapping;
  const text = (name: string): TextField => compiler.text(fields[name], `/fields/${name}`);
  const [id, email, name, country, zone, locale] = [
    text('id'),
    text('email'),
    text('name'),
    text('country'),
    text('timeZone'),
    text('locale'),
  ];
  const createdAt = compiler.instant(fields['createdAt'], '/fields/createdAt');
  const traits = namedValues(compiler, mapping.traits, '/traits');
  const consent = consentReader(compiler, fields, defaults);
  return (row) => {
    const externalId = requiredId(id(row), 'id');
    if (externalId instanceof Rejection) return externalId;
    const created = createdAt(row);
    const createdAtMs = created === null ? defaults.nowMs : requiredInstant(created, 'createdAt');
    if (createdAtMs instanceof Rejection) return createdAtMs;
    const given = consent(row, created);
    if (given instanceof Rejection) return given;
    const known = traits(row);
    if (known instanceof Rejection) return known;
    return {
      externalId,
      email: email(row),
      name: name(row),
      country: countryOf(country(row), note),
      timeZone: zoneOf(zone(row), note),
      locale: localeOf(locale(row), note),
      consent: given,
      traits: known,
      createdAtMs,
    };
  };
}

function consentReader(
  compiler: FieldCompiler,
  fields: Mapping['fields'],
  { consent }: CustomerDefaults,
): (row: Row, createdAtMs: number | null) => PersonRecord['consent'] | Rejection {
  if (consent) {
    return (_row, createdAtMs) => {
      // Never the time of the import: a consent that seems newer would overrule a later withdrawal.
      const atMs = consent.atMs ?? createdAtMs;
      if (atMs === null) return reject('createdAt', 'missing');
      return { granted: true, atMs, source: consent.source };
    };
  }
  if (fields['consent'] === undefined) return () => null;
  const granted = compiler.boolean(fields['consent'], '/fields/consent');
  const at = compiler.instant(fields['consentAt'], '/fields/consentAt');
  const source = compiler.text(fields['consentSource'], '/fields/consentSource');
  return (row, createdAtMs) => {
    const answer = granted(row);
    if (answer === undefined) return reject('consent', 'not yes or no');
    if (answer === null) return null;
    const atMs = requiredInstant(at(row) ?? createdAtMs, 'consentAt');
    if (atMs instanceof Rejection) return atMs;
    return { granted: answer, atMs, source: source(row) ?? 'import' };
  };
}

function countryOf(text: string | null, note: Note): string | null {
  if (text === null) return null;
  const code = readCountry(text);
  if (code === null) note('country not known, left out');
  return code;
}

/** What the runtime says of a name is asked for once: it takes microseconds, and a file repeats itself. */
function cached<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    if (known.has(text)) return known.get(text)!;
    const value = read(text);
    if (known.size < 10_000) known.set(text, value);
    return value;
  };
}

const isKnownZone = cached(isTimeZone);
function zoneOf(text: string | null, note: Note): string | null {
  if (text === null || isKnownZone(text)) return text;
  note('time zone not known, left out');
  return null;
}

const canonicalLocale = cached((text) => {
  try {
    return Intl.getCanonicalLocales(text.replaceAll('_', '-'))[0] ?? null;
  } catch {
    return null;
  }
});
function localeOf(text: string | null, note: Note): string | null {
  const locale = text === null ? null : canonicalLocale(text);
  if (text !== null && locale === null) note('locale not known, left out');
  return locale;
}

const PRICE_MAX = 9_999_999_999;
const STOCK_MAX = 2_147_483_647;

export function productMaker(
  compiler: FieldCompiler,
  { fields }: Mapping,
  note: Note,
): Maker<ProductRecord> {
  const text = (name: string): TextField => compiler.text(fields[name], `/fields/${name}`);
  const number = (name: string): NumberField => compiler.number(fields[name], `/fields/${name}`);
  const [sku, title, category, currency, description, url] = [
    text('sku'),
    text('title'),
    text('category'),
    text('currency'),
    text('description'),
    text('url'),
  ];
  const [price, stock] = [number('price'), number('stock')];
  return (row) => {
    const id = requiredId(sku(row), 'sku');
    if (id instanceof Rejection) return id;
    const money = currency(row);
    if (money === null) return reject('currency', 'missing');
    const cost = price(row);
    if (cost !== null && !Number.isFinite(cost)) return reject('price', 'not a number');
    if (cost !== null && (cost < 0 || cost > PRICE_MAX)) return reject('price', 'out of range');
    if (cost === null) note('product without a price, taken as 0');
    const pieces = stock(row);
    if (pieces !== null && !Number.isInteger(pieces)) return reject('stock', 'not a whole number');
    if (pieces !== null && Math.abs(pieces) > STOCK_MAX) return reject('stock', 'out of range');
    return {
      sku: id,
      title: title(row) ?? id,
      category: category(row) ?? '',
      price: cost ?? 0,
      currency: money.toUpperCase(),
      stock: pieces,
      description: description(row) ?? '',
      url: url(row),
    };
  };
}

export function eventMaker(compiler: FieldCompiler, mapping: Mapping): Maker<EventRecord> {
  const { fields, rules } = mapping;
  const isReview = mapping.kind === 'reviews';
  const text = (name: string): TextField => compiler.text(fields[name], `/fields/${name}`);
  const [type, customer, id] = [text('type'), text('customer'), text('id')];
  const at = compiler.instant(fields['at'], '/fields/at');
  const review = isReview ? reviewReader(compiler, fields) : null;
  const properties = namedValues(compiler, mapping.properties, '/properties');
  return (row) => {
    const name = isReview ? EVENT.productReviewed : type(row);
    if (name === null) return reject('type', 'missing');
    if (name.length > 100) return reject('type', 'out of range');
    if (RESERVED.has(name)) return reject('type', 'an event that only Kairos writes');
    const externalId = customer(row);
    if (externalId === null && rules?.missingCustomer === 'reject') {
      return reject('customer', 'missing');
    }
    if (externalId !== null && externalId.length > ID_CHARS_MAX) {
      return reject('customer', 'longer than 200 characters');
    }
    const atMs = requiredInstant(at(row), 'at');
    if (atMs instanceof Rejection) return atMs;
    const own = review ? review(row) : {};
    if (own instanceof Rejection) return own;
    const more = properties(row);
    if (more instanceof Rejection) return more;
    const all = { ...more, ...own };
    const given = id(row);
    const key = given ?? contentId(name, externalId, atMs, all);
    const messageId = `${isReview ? 'review' : 'event'}:${key}`;
    return { messageId, type: name, externalId, atMs, properties: all };
  };
}

function reviewReader(
  compiler: FieldCompiler,
  fields: Mapping['fields'],
): (row: Row) => Record<string, Scalar> | Rejection {
  const sku = compiler.text(fields['sku'], '/fields/sku');
  const rating = compiler.number(fields['rating'], '/fields/rating');
  const words = compiler.text(fields['text'], '/fields/text');
  return (row) => {
    const product = requiredId(sku(row), 'sku');
    if (product instanceof Rejection) return product;
    const stars = requiredNumber(rating(row), 'rating');
    if (stars instanceof Rejection) return stars;
    if (stars < 1 || stars > 5) return reject('rating', 'out of range');
    const said = words(row);
    return { sku: product, rating: stars, ...(said !== null && { text: said }) };
  };
}

/** The same event from another file, or imported again, has the same id. */
function contentId(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

export interface ConsentRecord {
  readonly externalId: string;
  readonly granted: boolean;
  readonly atMs: number;
  readonly source: string;
}

export function consentMaker(compiler: FieldCompiler, { fields }: Mapping): Maker<ConsentRecord> {
  const customer = compiler.text(fields['customer'], '/fields/customer');
  const source = compiler.text(fields['source'], '/fields/source');
  const granted = compiler.boolean(fields['granted'], '/fields/granted');
  const at = compiler.instant(fields['at'], '/fields/at');
  return (row) => {
    const externalId = requiredId(customer(row), 'customer');
    if (externalId instanceof Rejection) return externalId;
    const answer = granted(row);
    if (answer === null) return reject('granted', 'missing');
    if (answer === undefined) return reject('granted', 'not yes or no');
    const atMs = requiredInstant(at(row), 'at');
    if (atMs instanceof Rejection) return atMs;
    const words = source(row);
    if (words === null) return reject('source', 'missing');
    return { externalId, granted: answer, atMs, source: words };
  };
}
