import { EVENT, type EventRecord } from '../../domain/records.ts';
import type { Line } from './baskets.ts';
import type { FieldCompiler, NumberField, Row } from './fields.ts';
import type { Mapping, Scalar } from './mapping.ts';
import {
  type Maker,
  namedValues,
  type Note,
  reject,
  requiredId,
  requiredInstant,
  requiredNumber,
} from './records.ts';
import { Rejection } from './rejection.ts';

const AMOUNT_MAX = 1e12;

/** Cents would not do: prices of a tenth of a cent exist, and so do pieces sold by the gram. */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6 || 0;
}

/** One row to one line of an order. */
export function lineMaker(compiler: FieldCompiler, mapping: Mapping): Maker<Line> {
  const { fields, rules } = mapping;
  const text = (name: string) => compiler.text(fields[name], `/fields/${name}`);
  const order = text('order');
  const [customer, currency, sku, category] = [
    text('customer'),
    text('currency'),
    text('sku'),
    text('category'),
  ];
  const at = compiler.instant(fields['at'], '/fields/at');
  const money = moneyReader(compiler, mapping);
  const takenBack = takenBackReader(compiler, mapping);
  const lineProperties = valuesReader(compiler, mapping.lineProperties, '/lineProperties');
  const properties = valuesReader(compiler, mapping.properties, '/properties');
  const sums = sumsReader(compiler, mapping.sums);
  return (row) => {
    const id = requiredId(order(row), 'order');
    if (id instanceof Rejection) return id;
    const who = customer(row);
    if (who === null && rules?.missingCustomer === 'reject') return reject('customer', 'missing');
    if (who !== null && who.length > 200) return reject('customer', 'longer than 200 characters');
    const atMs = requiredInstant(at(row), 'at');
    if (atMs instanceof Rejection) return atMs;
    const code = currency(row);
    if (code === null) return reject('currency', 'missing');
    const paid = money(row);
    if (paid instanceof Rejection) return paid;
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
      takenBack: amount < 0 || (amount === 0 && quantity < 0) || takenBack(row),
      lineProperties: more,
      properties: whole,
      sums: added,
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
  { fields }: Mapping,
): (row: Row) => Money | Rejection {
  const number = (name: string): NumberField => compiler.number(fields[name], `/fields/${name}`);
  const quantities = fields['quantity'] === undefined ? null : number('quantity');
  const [prices, amounts] = [number('price'), number('amount')];
  return (row) => {
    const quantity = quantities ? requiredNumber(quantities(row), 'quantity') : 1;
    if (quantity instanceof Rejection) return quantity;
    const paid = amounts(row);
    if (paid === null) {
      const price = requiredNumber(prices(row), 'price');
      if (price instanceof Rejection) return price;
      const amount = round(quantity * price);
      return Math.abs(amount) < AMOUNT_MAX
        ? { quantity, price, amount }
        : reject('price', 'out of range');
    }
    if (!Number.isFinite(paid)) return reject('amount', 'not a number');
    if (Math.abs(paid) >= AMOUNT_MAX) return reject('amount', 'out of range');
    const given = prices(row);
    if (given !== null && !Number.isFinite(given)) return reject('price', 'not a number');
    const price = given ?? round(quantity === 0 ? paid : paid / quantity);
    return { quantity, price, amount: round(paid) };
  };
}

function takenBackReader(compiler: FieldCompiler, { cancelled }: Mapping): (row: Row) => boolean {
  if (!cancelled) return () => false;
  const text = compiler.text(cancelled.column, '/cancelled/column');
  const words = new Set(cancelled.in ?? []);
  const { startsWith } = cancelled;
  return (row) => {
    const found = text(row);
    if (found === null) return false;
    return words.has(found) || (startsWith !== undefined && found.startsWith(startsWith));
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

export interface OrderOptions {
  /** Names of the sums, in the order in which lines have them. */
  readonly sumNames: readonly string[];
  readonly dropRepeated: boolean;
  /** Category by product, for lines that have none; so that a segment can ask for it. */
  readonly categories: ReadonlyMap<string, string>;
  readonly note: Note;
  /** Told of each line that an order has twice and that is dropped. */
  readonly onDropped: () => void;
}

/**
 * The events of one order: what was bought, and what was taken back (cancelled, returned, credited), whose lines and
 * total are positive in `Order Refunded`.
 */
export function orderEvents(lines: readonly Line[], options: OrderOptions): EventRecord[] {
  const kept = withoutRepeated(lines, options);
  const returned = kept.filter((line) => line.takenBack);
  const bought = returned.length === 0 ? kept : kept.filter((line) => !line.takenBack);
  const customer = kept.find((line) => line.customer !== null)?.customer ?? null;
  if (kept.some((line) => line.customer !== null && line.customer !== customer)) {
    options.note('order with lines of two customers, given to the first');
  }
  return [
    ...(bought.length > 0 ? [orderEvent(bought, customer, false, options)] : []),
    ...(returned.length > 0 ? [orderEvent(returned, customer, true, options)] : []),
  ];
}

function withoutRepeated(lines: readonly Line[], options: OrderOptions): readonly Line[] {
  if (lines.length === 1) return lines;
  const bySku = new Map<string | null, Line[]>();
  return lines.filter((line) => {
    const earlier = bySku.get(line.sku);
    if (!earlier) {
      bySku.set(line.sku, [line]);
      return true;
    }
    if (!earlier.some((other) => isRepeated(line, other))) {
      earlier.push(line);
      return true;
    }
    if (!options.dropRepeated) {
      options.note('line that its order has twice, kept');
      return true;
    }
    options.onDropped();
    return false;
  });
}

function isRepeated(line: Line, other: Line): boolean {
  return (
    line.quantity === other.quantity &&
    line.amount === other.amount &&
    line.price === other.price &&
    line.atMs === other.atMs &&
    JSON.stringify([line.sums, line.lineProperties]) ===
      JSON.stringify([other.sums, other.lineProperties])
  );
}

function orderEvent(
  lines: readonly Line[],
  customer: string | null,
  isRefund: boolean,
  options: OrderOptions,
): EventRecord {
  const { order, currency } = lines[0]!;
  const properties = orderProperties(lines);
  for (const [index, name] of options.sumNames.entries()) {
    let sum = 0;
    for (const line of lines) sum += line.sums?.[index] ?? 0;
    properties[name] = round(sum);
  }
  const products: Record<string, unknown>[] = [];
  let [total, quantity, atMs] = [0, 0, Infinity];
  for (const line of lines) {
    // A cancelled line is written with or without a minus; taken back it is either way.
    total += isRefund ? Math.abs(line.amount) : line.amount;
    quantity += Math.abs(line.quantity);
    if (line.atMs < atMs) atMs = line.atMs;
    if (line.sku !== null) products.push(productOf(line, line.sku, options));
  }
  if (products.length === 0) properties['quantity'] = round(quantity);
  Object.assign(properties, { orderId: order, total: round(total), currency, products });
  return {
    messageId: `${isRefund ? 'refund' : 'order'}:${order}`,
    type: isRefund ? EVENT.orderRefunded : EVENT.orderCompleted,
    externalId: customer,
    atMs,
    properties,
  };
}

/** Of several values the first line's counts. */
function orderProperties(lines: readonly Line[]): Record<string, unknown> {
  const properties: Record<string, unknown> = {};
  let before: Line['properties'] = null;
  for (const line of lines) {
    if (line.properties === null || line.properties === before) continue;
    before = line.properties;
    for (const [name, value] of Object.entries(before)) properties[name] ??= value;
  }
  return properties;
}

/** The line as `OrderLine`. */
function productOf(line: Line, sku: string, options: OrderOptions): Record<string, unknown> {
  const quantity = Math.abs(line.quantity);
  const price = Math.abs(line.price);
  const amount = Math.abs(line.amount);
  const product: Record<string, unknown> = { sku, quantity, price };
  // Where whole cents a piece do not give what was paid for the line.
  if (Math.round(price * 100) * quantity !== Math.round(amount * 100)) product['amount'] = amount;
  const category = line.category ?? options.categories.get(sku);
  if (category) product['category'] = category;
  return line.lineProperties ? { ...line.lineProperties, ...product } : product;
}
