import type { Line } from './baskets.ts';
import type { FieldCompiler, NumberField, Row } from './fields.ts';
import type { Limit, Mapping, RowTest, Scalar } from './mapping.ts';
import {
  type Maker,
  namedValues,
  type Note,
  reject,
  requiredId,
  requiredInstant,
  requiredNumber,
} from './makers.ts';
import { Rejection } from './rejection.ts';
import { rulesOf } from './rules.ts';

const AMOUNT_MAX = 1e12;

/** Cents would not do: prices of a tenth of a cent exist, and so do pieces sold by the gram. */
export function round(value: number): number {
  return Math.round(value * 1e6) / 1e6 || 0;
}

/** What lines of one order share; an export may say it in the first of them only. */
interface Head {
  order: string;
  customer: string | null;
  atMs: number | null;
  currency: string | null;
}

/** One row to one line of an order; null is a line that is left out. */
export function lineMaker(
  compiler: FieldCompiler,
  mapping: Mapping,
  note: Note,
): Maker<Line | null> {
  const { fields } = mapping;
  const rules = rulesOf(mapping.rules);
  const text = (name: string) => compiler.text(fields[name], `/fields/${name}`);
  const order = text('order');
  const [customer, currency, sku, category] = [
    text('customer'),
    text('currency'),
    text('sku'),
    text('category'),
  ];
  const at = compiler.instant(fields['at'], '/fields/at');
  const totals = compiler.number(fields['total'], '/fields/total');
  const money = moneyReader(compiler, mapping, note);
  const cancelled = rowTest(compiler, mapping.cancelled, '/cancelled/column');
  const lineProperties = valuesReader(compiler, mapping.lineProperties, '/lineProperties');
  const properties = valuesReader(compiler, mapping.properties, '/properties');
  const sums = sumsReader(compiler, mapping.sums);
  let head: Head = { order: '', customer: null, atMs: null, currency: null };
  return (row) => {
    const id = requiredId(order(row), 'order');
    if (id instanceof Rejection) return id;
    if (id !== head.order) head = { order: id, customer: null, atMs: null, currency: null };
    head.customer = customer(row) ?? head.customer;
    const who = head.customer;
    if (who === null && rules.missingCustomer === 'reject') return reject('customer', 'missing');
    if (who !== null && who.length > 200) return reject('customer', 'longer than 200 characters');
    const atMs = requiredInstant(at(row) ?? head.atMs, 'at');
    if (atMs instanceof Rejection) return atMs;
    head.atMs = atMs;
    const code = currency(row) ?? head.currency;
    if (code === null) return reject('currency', 'missing');
    head.currency = code;
    const isCancelled = cancelled(row);
    if (isCancelled && rules.cancellation === 'reject') return reject('cancelled', 'cancelled');
    if (isCancelled && rules.cancellation === 'mend') return null;
    const paid = money(row);
    if (paid instanceof Rejection) return paid;
    const total = totals(row);
    if (total !== null && !Number.isFinite(total)) return reject('total', 'not a number');
    const more = lineProperties(row);
    if (more instanceof Rejection) return more;
    const whole = properties(row);
    if (whole instanceof Rejection) return whole;
    const added = sums(row);
    if (added instanceof Rejection) return added;
    const { quantity, price, amount } = paid;
    return {
      order: id,
      atMs,
      customer: who,
      currency: code.toUpperCase(),
      sku: sku(row),
      category: category(row),
      quantity,
      price,
      amount,
      takenBack: amount < 0 || (amount === 0 && quantity < 0) || isCancelled,
      lineProperties: more,
      properties: whole,
      sums: added,
      total,
    };
  };
}

interface Money {
  readonly quantity: number;
  readonly price: number;
  readonly amount: number;
}

/** Quantity, price of a piece and amount of a line, from what of them the file has. */
function moneyReader(
  compiler: FieldCompiler,
  mapping: Mapping,
  note: Note,
): (row: Row) => Money | Rejection {
  const { fields } = mapping;
  const number = (name: string): NumberField => compiler.number(fields[name], `/fields/${name}`);
  const quantities = fields['quantity'] === undefined ? null : number('quantity');
  const [prices, amounts] = [number('price'), number('amount')];
  const { negativeQuantity } = rulesOf(mapping.rules);
  const within = limiter(mapping, note);
  return (row) => {
    let quantity = quantities ? requiredNumber(quantities(row), 'quantity') : 1;
    if (quantity instanceof Rejection) return quantity;
    const isNegative = quantity < 0;
    if (isNegative && negativeQuantity === 'reject') return reject('quantity', 'negative');
    const isTurned = isNegative && negativeQuantity === 'mend';
    if (isTurned) {
      note('negative quantity, taken as positive');
      quantity = -quantity;
    }
    quantity = within('quantity', quantity);
    if (quantity instanceof Rejection) return quantity;
    const paid = amounts(row);
    if (paid === null) {
      const price = within('price', requiredNumber(prices(row), 'price'));
      if (price instanceof Rejection) return price;
      const amount = round(quantity * price);
      return Math.abs(amount) < AMOUNT_MAX
        ? { quantity, price, amount }
        : reject('price', 'out of range');
    }
    const amount = within('amount', isTurned ? Math.abs(paid) : paid);
    if (amount instanceof Rejection) return amount;
    if (!Number.isFinite(amount)) return reject('amount', 'not a number');
    if (Math.abs(amount) >= AMOUNT_MAX) return reject('amount', 'out of range');
    const given = prices(row);
    if (given !== null && !Number.isFinite(given)) return reject('price', 'not a number');
    const price = within('price', given ?? round(quantity === 0 ? amount : amount / quantity));
    return price instanceof Rejection ? price : { quantity, price, amount: round(amount) };
  };
}

/** Holds a number to the mapping's limits, by the rule `outOfRange`. */
export function limiter(
  { limits, rules }: Mapping,
  note: Note,
): (name: 'price' | 'amount' | 'quantity', value: number | Rejection) => number | Rejection {
  if (limits === undefined) return (_name, value) => value;
  const { outOfRange } = rulesOf(rules);
  return (name, value) => {
    const limit: Limit | undefined = limits[name];
    if (!limit || value instanceof Rejection || Number.isNaN(value)) return value;
    const nearest = Math.min(Math.max(value, limit.min ?? -Infinity), limit.max ?? Infinity);
    if (nearest === value) return value;
    if (outOfRange === 'reject') return reject(name, 'out of range');
    note(`${name} out of range, ${outOfRange === 'keep' ? 'kept' : 'taken as the nearest limit'}`);
    return outOfRange === 'keep' ? value : nearest;
  };
}

/** Whether a row is one of those that a mapping names by a column. */
export function rowTest(
  compiler: FieldCompiler,
  test: RowTest | undefined,
  pointer: string,
): (row: Row) => boolean {
  if (!test) return () => false;
  const text = compiler.text(test.column, pointer);
  const words = new Set(test.in ?? []);
  const { startsWith, endsWith } = test;
  return (row) => {
    const found = text(row);
    if (found === null) return words.has('');
    if (words.has(found)) return true;
    if (startsWith !== undefined && found.startsWith(startsWith)) return true;
    return endsWith !== undefined && found.endsWith(endsWith);
  };
}

/** Null where the mapping names none: a million empty objects cost more than the lines. */
function valuesReader(
  compiler: FieldCompiler,
  given: Mapping['properties'],
  pointer: string,
): (row: Row) => Record<string, Scalar> | null | Rejection {
  return given === undefined ? () => null : namedValues(compiler, given, pointer);
}

function sumsReader(
  compiler: FieldCompiler,
  sums: Mapping['sums'],
): (row: Row) => number[] | null | Rejection {
  if (sums === undefined) return () => null;
  const fields = Object.entries(sums).map(([name, spec]): [string, NumberField] => {
    return [name, compiler.number(spec, `/sums/${name}`)];
  });
  return (row) => {
    const values: number[] = [];
    for (const [name, field] of fields) {
      const value = field(row) ?? 0;
      if (!Number.isFinite(value)) return reject(name, 'not a number');
      values.push(value);
    }
    return values;
  };
}
