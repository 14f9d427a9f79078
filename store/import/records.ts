import { hash } from 'node:crypto';
import { EVENT, OUR_EVENTS, type PersonRecord, type ProductRecord } from '../../domain/records.ts';
import { isTimeZone } from '../../domain/local-time.ts';
import { limiter } from './lines.ts';
import { type Choice, rulesOf } from './rules.ts';
import { readAddress } from '../people.ts';
import type { LoadEvent } from './put-events.ts';
import type { FieldCompiler, NumberField, Row, TextField } from './fields.ts';
import type { Mapping, Scalar } from './mapping.ts';
import {
  ID_CHARS_MAX,
  type Maker,
  namedValues,
  type Note,
  reject,
  requiredId,
  requiredInstant,
  requiredNumber,
} from './makers.ts';
import { Rejection } from './rejection.ts';
import { readCountry } from './values.ts';

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
  const { badAddress } = rulesOf(mapping.rules);
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
    const address = addressOf(email(row), badAddress, note);
    if (address instanceof Rejection) return address;
    return {
      externalId,
      email: address,
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

/** The address; where it is none, what it plainly should be, or as it is, which the load leaves out. */
function addressOf(given: string | null, rule: Choice, note: Note): string | null | Rejection {
  if (given === null || !('problem' in readAddress(given))) return given;
  const mended = given
    .replace(/^.*<([^<>]+)>\s*$/, '$1')
    .replace(/^mailto:/i, '')
    .replaceAll(/\s+/g, '')
    .replace(/@([^@]*)$/, (domain) => domain.replaceAll(',', '.').replaceAll(/\.{2,}/g, '.'))
    .replace(/[.,;:>]+$/, '');
  if ('problem' in readAddress(mended)) {
    return rule === 'reject' ? reject('email', 'address that cannot be mailed to') : given;
  }
  if (rule === 'reject') return reject('email', 'address that cannot be mailed to');
  note('address that was written wrongly, mended');
  return mended;
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
  mapping: Mapping,
  note: Note,
): Maker<ProductRecord> {
  const { fields } = mapping;
  const within = limiter(mapping, note);
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
    const given = price(row);
    const cost = given === null ? null : within('price', given);
    if (cost instanceof Rejection) return cost;
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

export function eventMaker(compiler: FieldCompiler, mapping: Mapping): Maker<LoadEvent> {
  const { fields } = mapping;
  const { missingCustomer } = rulesOf(mapping.rules);
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
    if (OUR_EVENTS.has(name)) return reject('type', 'an event that only Kairos writes');
    const externalId = customer(row);
    if (externalId === null && missingCustomer === 'reject') return reject('customer', 'missing');
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
    const json = JSON.stringify(all);
    const given = id(row);
    const event = { type: name, externalId, atMs, json };
    const kind = isReview ? 'review' : 'event';
    if (given !== null) {
      return { ...event, messageId: `${kind}:${given}`, content: contentOf(event) };
    }
    // One customer writes one review of a product at a time; of an event nothing but all of it says which it is.
    if (isReview && externalId !== null) {
      const key = contentId(externalId, atMs, own['sku']);
      return { ...event, messageId: `review:${key}`, content: contentOf(event) };
    }
    const key = contentId(name, externalId, atMs, json);
    return { ...event, messageId: `${kind}:${key}`, content: null };
  };
}

function contentOf({ type, externalId, atMs, json }: Omit<LoadEvent, 'messageId' | 'content'>) {
  return `${type}\n${externalId ?? ''}\n${atMs}\n${json}`;
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
  return hash('sha256', JSON.stringify(parts), 'hex').slice(0, 32);
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
