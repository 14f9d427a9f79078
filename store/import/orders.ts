import { EVENT } from '../../domain/records.ts';
import type { Line } from './baskets.ts';
import { round } from './lines.ts';
import type { LoadEvent } from './put-events.ts';
import type { Note } from './makers.ts';
import type { Choice } from './rules.ts';
import { hash } from './seen.ts';

export interface OrderOptions {
  /** Names of the sums, in the order in which lines have them. */
  readonly sumNames: readonly string[];
  /** `mend` leaves a repeated line out. */
  readonly repeatedLine: Choice;
  readonly nearDuplicate: Choice;
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
export function orderEvents(lines: readonly Line[], options: OrderOptions): LoadEvent[] {
  const kept = withoutRepeated(lines, options);
  const returned = kept.filter((line) => line.takenBack);
  const bought = returned.length === 0 ? kept : kept.filter((line) => !line.takenBack);
  const customer = kept.find((line) => line.customer !== null)?.customer ?? null;
  if (kept.some((line) => line.customer !== null && line.customer !== customer)) {
    options.note('order with lines of two customers, given to the first');
  }
  const paired = bought.length > 0 && returned.length > 0;
  const event = (part: readonly Line[], isRefund: boolean): LoadEvent[] =>
    part.length === 0 ? [] : [orderEvent(part, { customer, isRefund, paired }, options)];
  return [...event(bought, false), ...event(returned, true)];
}

function withoutRepeated(lines: readonly Line[], options: OrderOptions): readonly Line[] {
  if (lines.length === 1) return lines;
  const earlier = new Map<string, Line[]>();
  return lines.filter((line) => {
    const key = nearKey(line);
    const others = earlier.get(key);
    if (!others) {
      earlier.set(key, [line]);
      return true;
    }
    const likeness = likenessOf(line, others);
    if (likeness === null) {
      others.push(line);
      return true;
    }
    const rule = likeness === 'same' ? options.repeatedLine : options.nearDuplicate;
    if (rule === 'keep') {
      options.note(
        likeness === 'same'
          ? 'line that its order has twice, kept'
          : 'line that its order has twice but for case and blanks, kept',
      );
      return true;
    }
    options.onDropped();
    return false;
  });
}

/** Lines that may be the same have the same key. */
function nearKey({ sku }: Line): string {
  return sku === null ? '' : plainSku(sku);
}

function plainSku(sku: string): string {
  return sku.toLowerCase().replaceAll(/\s+/g, '');
}

/** Whether a line is one of these again: in every field, or but for case and blanks in its product's id. */
export function likenessOf(line: Line, others: readonly Line[]): 'same' | 'near' | null {
  let near: 'near' | null = null;
  for (const other of others) {
    if (!isRepeated(line, other)) continue;
    if (line.sku === other.sku) return 'same';
    if (line.sku !== null && other.sku !== null && plainSku(line.sku) === plainSku(other.sku)) {
      near = 'near';
    }
  }
  return near;
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

interface OrderPart {
  readonly customer: string | null;
  readonly isRefund: boolean;
  readonly paired: boolean;
}

function orderEvent(
  lines: readonly Line[],
  { customer, isRefund, paired }: OrderPart,
  options: OrderOptions,
): LoadEvent {
  const { order, currency } = lines[0]!;
  const properties = orderProperties(lines);
  for (const [index, name] of options.sumNames.entries()) {
    let sum = 0;
    for (const line of lines) sum += line.sums?.[index] ?? 0;
    properties[name] = round(sum);
  }
  const products: string[] = [];
  const said = new LineHashes();
  let [total, quantity, atMs] = [0, 0, Infinity];
  let stated: number | null = null;
  for (const line of lines) {
    // A cancelled line is written with or without a minus; taken back it is either way.
    total += isRefund ? Math.abs(line.amount) : line.amount;
    quantity += Math.abs(line.quantity);
    if (line.atMs < atMs) atMs = line.atMs;
    stated ??= line.total;
    if (line.sku === null) continue;
    const product = productJson(line, line.sku);
    said.add(product);
    // What the catalogue says today is no part of what the file says.
    const category = line.category ?? options.categories.get(line.sku);
    products.push(
      category ? `${product.slice(0, -1)},"category":${JSON.stringify(category)}}` : product,
    );
    if (line.category) said.add(line.category);
  }
  // A total of the whole order holds for what was bought, or for all of it where nothing was.
  if (stated !== null && (!isRefund || !paired)) total = Math.abs(stated);
  if (products.length === 0) properties['quantity'] = round(quantity);
  Object.assign(properties, { orderId: order, total: round(total), currency });
  const head = JSON.stringify(properties);
  const [own, other] = isRefund ? ['refund', 'order'] : ['order', 'refund'];
  return {
    messageId: `${own}:${order}`,
    type: isRefund ? EVENT.orderRefunded : EVENT.orderCompleted,
    externalId: customer,
    atMs,
    json: `${head.slice(0, -1)},"products":[${products.join(',')}]}`,
    // In whatever order the lines stand.
    content: [head, customer, atMs, said.sum()].join('\n'),
    sibling: paired ? undefined : `${other}:${order}`,
    paired,
  };
}

/** What the lines of an order say, in whatever order they stand: 96 bits of a sum of hashes. */
class LineHashes {
  #sums: [number, number, number] = [0, 0, 0];

  add(text: string): void {
    const sums = this.#sums;
    const first = hash(text, 0x811c9dc5);
    const second = hash(text, 0x9e3779b9);
    sums[0] = (sums[0] + first) >>> 0;
    sums[1] = (sums[1] + second) >>> 0;
    // Two lines that trade their parts leave the sums as they are, but not this one.
    sums[2] = (sums[2] + Math.imul(first | 1, second)) >>> 0;
  }

  sum(): string {
    return this.#sums.join(' ');
  }
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

/** The line as `OrderLine`, without its category; written by hand, since this is the hottest place of an import. */
function productJson(line: Line, sku: string): string {
  const quantity = Math.abs(line.quantity);
  const price = Math.abs(line.price);
  const amount = Math.abs(line.amount);
  // What is known of every line stands last, and thus wins over what the mapping calls by the same name.
  const more = line.lineProperties === null ? '{}' : JSON.stringify(line.lineProperties);
  const head = more === '{}' ? '{' : `${more.slice(0, -1)},`;
  // Where whole cents a piece do not give what was paid for the line.
  const isOdd = Math.round(price * 100) * quantity !== Math.round(amount * 100);
  return `${head}"sku":${JSON.stringify(sku)},"quantity":${quantity},"price":${price}${isOdd ? `,"amount":${amount}` : ''}}`;
}
