import { isUnreal } from './mode.ts';
import { EVENT, type TraitValue } from './records.ts';

/**
 * How an event of the log stands in the warehouse: one row, and one more for each line of an order, so that categories
 * and products can be asked for. Pure, so that the projector, the tests and the in-memory evaluator agree.
 */
export interface WarehouseRow {
  /** The log's id of the event. */
  eventId: number;
  /** 0 is the event itself; from 1 on the lines of an order. */
  line: number;
  type: string;
  category: string;
  atMs: number;
  /** 0 is an anonymous visitor. */
  personId: number;
  sku: string;
  orderId: string;
  campaign: string;
  /** In the shop's currency, whole cents. */
  amount: number;
  quantity: number;
  /** 1–5, or 0 where there is none. */
  rating: number;
  /** An open or a click by a scanner or a proxy: kept, but it counts nowhere. */
  machine: boolean;
  /** The event's properties that have no column of their own: text, numbers and flags. */
  properties: Readonly<Record<string, string | number | boolean>>;
}

/** Properties that stand in columns, or that nobody can ask for. */
const IN_COLUMNS: ReadonlySet<string> = new Set([
  'category',
  'sku',
  'orderId',
  'campaign',
  'total',
  'quantity',
  'rating',
  'machine',
  'products',
  'list',
  'email',
  'name',
  'firstName',
  'lastName',
  'phone',
  'address',
]);
const OWN_PROPERTIES_MAX = 50;
const OWN_TEXT_MAX = 200;

/** An event of the log as the projector hands it over. */
export interface EventOfLog {
  id: number;
  type: string;
  personId: number | null;
  atMs: number;
  properties: Readonly<Record<string, unknown>>;
}

/** The types of the rows that stand for the lines of an order; a returned line is negative. */
export const LINE_TYPE = { purchased: 'Product Purchased', returned: 'Product Returned' } as const;

/** Lines have 16 bits in the warehouse; an order that long is a mistake of an import. */
const LINES_MAX = 65_535;
/** What 18 digits with two decimals hold, and a double holds exactly; in cents. */
const CENTS_MAX = 9_000_000_000_000_000;
const QUANTITY_MAX = 2_147_483_647;

/** One row per event, and one per line for orders and refunds. A number out of range or missing counts as 0. */
export function eventToRows(event: EventOfLog): WarehouseRow[] {
  const { properties } = event;
  const lines = linesOf(event);
  const sum = (of: 'amount' | 'quantity'): number =>
    lines.reduce((total, line) => total + line[of], 0);
  const quantity = lines.length > 0 ? Math.abs(sum('quantity')) : wholeOf(properties.quantity);
  const lineCents = Math.abs(sum('amount'));
  const whole: WarehouseRow = {
    eventId: event.id,
    line: 0,
    type: warehouseType(event.type, textOf(properties.campaign)),
    // A list's name stands where the table's order finds it fast.
    category: textOf(isListEvent(event.type) ? properties.list : properties.category),
    atMs: Math.floor(event.atMs),
    personId: event.personId ?? 0,
    sku: textOf(properties.sku),
    orderId: textOf(properties.orderId),
    campaign: textOf(properties.campaign),
    amount: amountOf(properties) ?? (lineCents <= CENTS_MAX ? lineCents : 0),
    quantity: quantity <= QUANTITY_MAX ? quantity : 0,
    rating: ratingOf(properties.rating),
    machine: properties.machine === true,
    properties: ownPropertiesOf(properties),
  };
  return [
    whole,
    ...lines.map((line, index) => ({ ...whole, ...line, line: index + 1, rating: 0 })),
  ];
}

/** What mails of ours lead to. */
const ABOUT_MAIL: ReadonlySet<string> = new Set([
  EVENT.emailDelivered,
  EVENT.emailBounced,
  EVENT.emailOpened,
  EVENT.emailClicked,
  EVENT.emailComplained,
  EVENT.unsubscribed,
]);
const REHEARSED = ' (rehearsed)';

/** What a rehearsal led to stands under names of its own, so that no segment, feature or other report counts it. */
export function warehouseType(type: string, campaign: string): string {
  return ABOUT_MAIL.has(type) && isUnreal(campaign) ? type + REHEARSED : type;
}

export function isListEvent(type: string): boolean {
  return type === EVENT.listJoined || type === EVENT.listLeft;
}

/** What a shop's own properties may be asked for; a text with an @ may be an address, which must not stand here. */
function ownPropertiesOf(
  properties: EventOfLog['properties'],
): Record<string, string | number | boolean> {
  const own: [string, string | number | boolean][] = [];
  for (const [name, value] of Object.entries(properties)) {
    if (IN_COLUMNS.has(name) || name.length > OWN_TEXT_MAX) continue;
    const isText =
      typeof value === 'string' && value.length <= OWN_TEXT_MAX && !value.includes('@');
    if (
      isText ||
      typeof value === 'boolean' ||
      (typeof value === 'number' && Number.isFinite(value))
    )
      own.push([name, value as string | number | boolean]);
    if (own.length === OWN_PROPERTIES_MAX) break;
  }
  return Object.fromEntries(own);
}

type LinePart = Pick<WarehouseRow, 'type' | 'category' | 'sku' | 'amount' | 'quantity'>;

function linesOf({ type, properties }: EventOfLog): LinePart[] {
  if (type !== EVENT.orderCompleted && type !== EVENT.orderRefunded) return [];
  if (!Array.isArray(properties.products)) return [];
  const returned = type === EVENT.orderRefunded;
  const sign = returned ? -1 : 1;
  return properties.products.slice(0, LINES_MAX).flatMap((product: unknown) => {
    if (typeof product !== 'object' || product === null) return [];
    const line = product as Record<string, unknown>;
    const quantity = Math.abs(line.quantity === undefined ? 1 : wholeOf(line.quantity));
    // What was paid for the line where the shop says it: "3 for 5.00" has no price of one piece.
    const cents = Math.abs(centsOf(line.amount) ?? (centsOf(line.price) ?? 0) * quantity);
    return [
      {
        type: returned ? LINE_TYPE.returned : LINE_TYPE.purchased,
        category: textOf(line.category),
        sku: textOf(line.sku),
        // `|| 0`: a returned line without a price is 0, not -0.
        amount: (cents <= CENTS_MAX ? sign * cents : 0) || 0,
        quantity: sign * quantity || 0,
      },
    ];
  });
}

/** The event's own amount: an order's total, a product's price times its quantity, an impression's cost. */
function amountOf(properties: EventOfLog['properties']): number | undefined {
  const total = centsOf(properties.total) ?? centsOf(properties.cost);
  if (total !== undefined) return total;
  const price = centsOf(properties.price);
  if (price === undefined) return undefined;
  const cents = price * (properties.quantity === undefined ? 1 : wholeOf(properties.quantity));
  return Math.abs(cents) <= CENTS_MAX ? cents : 0;
}

function centsOf(value: unknown): number | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  const cents = Math.round(value * 100) || 0;
  return Math.abs(cents) <= CENTS_MAX ? cents : undefined;
}

function wholeOf(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) return 0;
  const whole = Math.round(value) || 0;
  return Math.abs(whole) <= QUANTITY_MAX ? whole : 0;
}

function ratingOf(value: unknown): number {
  return typeof value === 'number' && value >= 1 && value <= 5 ? Math.round(value) : 0;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A person's newest traits; never an address or a name. Empty text stands for "not known". */
export interface WarehousePerson {
  personId: number;
  /** The log's id of the event that told of it; a higher one replaces a lower one. */
  version: number;
  externalId: string;
  country: string;
  timeZone: string;
  locale: string;
  consent: boolean;
  hasAddress: boolean;
  traits: Readonly<Record<string, TraitValue>>;
  createdAtMs: number;
}

/** The person that a `Traits Changed` event of the log describes as a whole; null for every other event. */
export function eventToPerson(event: EventOfLog): WarehousePerson | null {
  const { properties } = event;
  if (event.type !== EVENT.traitsChanged || event.personId === null) return null;
  if (typeof properties.externalId !== 'string') return null;
  const createdAtMs =
    typeof properties.createdAtMs === 'number' ? properties.createdAtMs : event.atMs;
  return {
    personId: event.personId,
    version: event.id,
    externalId: properties.externalId,
    country: textOf(properties.country),
    timeZone: textOf(properties.timeZone),
    locale: textOf(properties.locale),
    consent: properties.consent === true,
    hasAddress: properties.hasAddress === true,
    traits: traitsOf(properties.traits),
    createdAtMs: Math.floor(createdAtMs),
  };
}

/** Text, finite numbers and flags; other kinds cannot be asked for and are left out. */
function traitsOf(value: unknown): Record<string, TraitValue> {
  if (typeof value !== 'object' || value === null) return {};
  const known = Object.entries(value).filter(
    ([, trait]) =>
      typeof trait === 'string' ||
      typeof trait === 'boolean' ||
      (typeof trait === 'number' && Number.isFinite(trait)),
  );
  return Object.fromEntries(known) as Record<string, TraitValue>;
}

/** Events that are another person's now; 0 is nobody known. Types and times say where the warehouse has them. */
export interface EventMove {
  from: number;
  to: number;
  ids: readonly number[];
  types: readonly string[];
  fromMs: number;
  toMs: number;
}

/** What an `Events Moved` row of the log tells, with the lines of orders among the types; null for other events. */
export function eventToMove({ type, properties }: EventOfLog): EventMove | null {
  if (type !== EVENT.eventsMoved) return null;
  const move = properties as unknown as EventMove;
  const lines = [LINE_TYPE.purchased, LINE_TYPE.returned];
  const hasLines =
    move.types.includes(EVENT.orderCompleted) || move.types.includes(EVENT.orderRefunded);
  return hasLines ? { ...move, types: [...move.types, ...lines] } : move;
}

/** What events of a person who was erased keep: what they are counted by. Everything else of them is gone. */
export const ERASED_KEEPS: readonly string[] =
  'category sku orderId total currency products price cost quantity rating campaign step variant link machine list segment'.split(
    ' ',
  );
export const ERASED_LINE_KEEPS: readonly string[] = [
  'sku',
  'category',
  'quantity',
  'price',
  'amount',
];

/** The people whom a row of the log says to be forgotten; null for other events. */
export function eventToErasure({ type, properties }: EventOfLog): number[] | null {
  return type === EVENT.personErased ? (properties['people'] as number[]) : null;
}
