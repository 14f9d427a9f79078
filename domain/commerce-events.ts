import { type IntakeNote, Refusal, record } from './intake-text.ts';
import { EVENT } from './records.ts';

/** What an event of the e-commerce spec carries, beside whatever a shop adds. */
type Shape = 'product' | 'list' | 'order' | 'coupon' | 'promotion' | 'mail' | 'plain';

/** Segment's e-commerce events (v2 spec), with what each carries; `Cart Updated` is what other tools call a changed cart. */
export const COMMERCE_EVENTS: Readonly<Record<string, Shape>> = {
  'Products Searched': 'plain',
  'Product List Viewed': 'list',
  'Product List Filtered': 'list',
  'Promotion Viewed': 'promotion',
  'Promotion Clicked': 'promotion',
  'Product Clicked': 'product',
  [EVENT.productViewed]: 'product',
  [EVENT.productAdded]: 'product',
  'Product Removed': 'product',
  'Cart Viewed': 'list',
  'Cart Updated': 'list',
  'Cart Shared': 'list',
  'Checkout Started': 'list',
  'Checkout Step Viewed': 'plain',
  'Checkout Step Completed': 'plain',
  'Payment Info Entered': 'plain',
  [EVENT.orderCompleted]: 'order',
  'Order Updated': 'list',
  [EVENT.orderRefunded]: 'order',
  'Order Cancelled': 'list',
  'Coupon Entered': 'coupon',
  'Coupon Applied': 'coupon',
  'Coupon Denied': 'coupon',
  'Coupon Removed': 'coupon',
  'Product Added to Wishlist': 'product',
  'Product Removed from Wishlist': 'product',
  'Wishlist Product Added to Cart': 'product',
  'Product Shared': 'product',
  [EVENT.productReviewed]: 'product',
  [EVENT.emailDelivered]: 'mail',
  [EVENT.emailBounced]: 'mail',
  [EVENT.emailOpened]: 'mail',
  [EVENT.emailClicked]: 'mail',
  [EVENT.emailComplained]: 'mail',
};

/** Names of the spec's first version, and of clients that turn the words around. */
const FORMER: Readonly<Record<string, string>> = {
  'Viewed Product': EVENT.productViewed,
  'Viewed Product Category': 'Product List Viewed',
  'Added Product': EVENT.productAdded,
  'Removed Product': 'Product Removed',
  'Viewed Cart': 'Cart Viewed',
  'Started Checkout': 'Checkout Started',
  'Completed Order': EVENT.orderCompleted,
  'Updated Order': 'Order Updated',
  'Refunded Order': EVENT.orderRefunded,
  'Cancelled Order': 'Order Cancelled',
  'Order Canceled': 'Order Cancelled',
  'Reviewed Product': EVENT.productReviewed,
};

/** The one spelling of each name, whatever case a shop writes it in. */
const CANONICAL: ReadonlyMap<string, string> = new Map([
  ...Object.keys(COMMERCE_EVENTS).map((name) => [name.toLowerCase(), name] as const),
  ...Object.entries(FORMER).map(([former, name]) => [former.toLowerCase(), name] as const),
]);

/** Segment's names of fields, and ours; the shop's own spelling stays beside ours. */
const FIELDS: readonly (readonly [theirs: string, ours: string])[] = [
  ['order_id', 'orderId'],
  ['product_id', 'sku'],
  ['cart_id', 'cartId'],
  ['coupon_id', 'coupon'],
  ['promotion_id', 'promotionId'],
  ['campaign_id', 'campaign'],
  ['review_body', 'text'],
];
const NUMBERS = ['price', 'quantity', 'total', 'revenue', 'value', 'rating', 'shipping', 'tax'];

/** Mail of another system: kept, but its campaigns are never taken for ours. */
export function isForeignMail(type: string): boolean {
  return COMMERCE_EVENTS[type] === 'mail';
}

/**
 * The event under its one name with its fields in our spelling. What is wrong in a field that something is computed from
 * is refused where the event means nothing without it, and noted otherwise.
 */
export function commerceEvent(
  name: string,
  given: Record<string, unknown>,
  notes: IntakeNote[],
): { type: string; properties: Record<string, unknown> } {
  const type =
    COMMERCE_EVENTS[name] === undefined ? (CANONICAL.get(name.toLowerCase()) ?? name) : name;
  const shape = Object.hasOwn(COMMERCE_EVENTS, type) ? COMMERCE_EVENTS[type] : undefined;
  const properties = { ...given };
  if (shape === undefined) {
    if (properties['sku'] === undefined && typeof given['product_id'] === 'string') {
      properties['sku'] = given['product_id'];
    }
    return { type, properties };
  }
  rename(properties);
  for (const field of NUMBERS) {
    const value = properties[field];
    if (value === undefined || value === null || typeof value === 'number') continue;
    if (shape === 'order' && field === 'total') continue;
    notes.push({ pointer: `/properties/${field}`, message: 'is no number, so nothing counts it' });
  }
  if (Array.isArray(given['products'])) properties['products'] = lines(given['products']);
  if (shape === 'product' && typeof properties['sku'] !== 'string') {
    notes.push({ pointer: '/properties/sku', message: 'is missing: of no known product' });
  }
  if (shape === 'order') order(type, properties, given);
  if (shape === 'mail' && typeof properties['campaign'] === 'string') {
    properties['campaign'] = `external:${properties['campaign']}`;
  }
  return { type, properties };
}

function rename(properties: Record<string, unknown>): void {
  for (const [theirs, ours] of FIELDS) {
    if (properties[ours] === undefined && properties[theirs] !== undefined) {
      properties[ours] = idText(properties[theirs]);
    }
  }
  if (typeof properties['sku'] === 'number') properties['sku'] = String(properties['sku']);
}

/** Numbers of shops that count their products and orders are texts with us. */
function idText(value: unknown): unknown {
  return typeof value === 'number' ? String(value) : value;
}

function lines(products: readonly unknown[]): unknown[] {
  return products.map((line, index) => {
    const product = record(line, `/properties/products/${index}`);
    return { ...product, sku: idText(product['sku'] ?? product['product_id']) };
  });
}

/** What was paid is the one thing that an order must say; a refund of a whole order may say it by its lines. */
function order(
  type: string,
  properties: Record<string, unknown>,
  given: Record<string, unknown>,
): void {
  properties['total'] ??= given['revenue'] ?? given['value'];
  if (typeof properties['total'] === 'number') return;
  const isWholeRefund = type === EVENT.orderRefunded && properties['total'] === undefined;
  if (isWholeRefund && Array.isArray(properties['products']) && properties['products'].length > 0) {
    return;
  }
  throw new Refusal('/properties/total', 'is missing or no number; expected what was paid');
}
