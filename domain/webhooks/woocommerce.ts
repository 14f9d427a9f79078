import { EVENT } from '../records.ts';
import {
  type InwardWebhook,
  type News,
  type NewsCall,
  NOTHING,
  type Obj,
  countryOf,
  idOf,
  identify,
  ignored,
  listOf,
  moneyOf,
  objectOf,
  plainText,
  textOf,
  told,
  track,
} from './inward.ts';

/** Statuses under which an order has been paid, or is paid on delivery. */
const PAID: ReadonlySet<string> = new Set(['processing', 'completed']);

/** WooCommerce's webhooks by their topics (REST API v3). It knows of no consent to marketing, so none is taken. */
export function wooNews(webhook: InwardWebhook): News {
  const { topic, body } = webhook;
  switch (topic) {
    case 'order.created':
    case 'order.updated':
    case 'order.restored':
      return orderNews(webhook);
    case 'customer.created':
    case 'customer.updated':
      return told(customerCall(idOf(body['id']), body, body['date_modified_gmt']));
    case 'product.created':
    case 'product.updated':
    case 'product.restored':
      return productNews(webhook);
    default:
      return ignored(`has the topic ${topic}`);
  }
}

/** Times "in GMT" come without the letter that says so; those of the site's own zone are of no use without the zone. */
function instant(value: unknown): string | null {
  const text = textOf(value);
  return text === null || /(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`;
}

function orderNews({ body, options, guestId }: InwardWebhook): News {
  const orderId = options.orderKey === 'number' ? textOf(body['number']) : idOf(body['id']);
  const total = moneyOf(body['total']);
  if (orderId === null || total === null) return ignored('is no order with an id and a total');
  const billing = objectOf(body['billing']);
  const email = textOf(billing['email']);
  const userId = idOf(body['customer_id']) ?? (email === null ? null : guestId(email));
  const who = { userId, visitor: `woocommerce:order:${orderId}` };
  const status = textOf(body['status']) ?? '';
  const modified = instant(body['date_modified_gmt']);
  const calls: (NewsCall | null)[] = [
    customerCall(userId, { email: billing['email'], billing }, modified),
  ];
  const refunds = listOf(body['refunds']);
  if (PAID.has(status) || status === 'refunded') {
    const at = instant(body['date_paid_gmt']) ?? instant(body['date_created_gmt']);
    const properties = {
      orderId,
      total,
      currency: textOf(body['currency']),
      products: listOf(body['line_items']).map(lineOf),
      coupon: textOf(listOf(body['coupon_lines'])[0]?.['code']),
      shipping: moneyOf(body['shipping_total']),
      tax: moneyOf(body['total_tax']),
      discount: moneyOf(body['discount_total']),
    };
    calls.push(track(EVENT.orderCompleted, who, at, properties, `order:${orderId}`));
  } else if (status === 'cancelled') {
    calls.push(track('Order Cancelled', who, modified, { orderId }, `cancelled:${orderId}`));
  }
  for (const refund of refunds) {
    const id = idOf(refund['id']);
    const amount = Math.abs(moneyOf(refund['total']) ?? 0);
    if (id === null || amount === 0) continue;
    const properties = { orderId, refundId: id, total: amount };
    calls.push(track(EVENT.orderRefunded, who, modified, properties, `refund:${id}`));
  }
  if (status !== '') calls.push(track('Order Updated', who, modified, { orderId, status }));
  return told(...calls);
}

function lineOf(line: Obj): Record<string, unknown> {
  const quantity = moneyOf(line['quantity']) ?? 1;
  const amount = moneyOf(line['total']) ?? 0;
  return {
    sku: textOf(line['sku']) ?? idOf(line['variation_id']) ?? idOf(line['product_id']) ?? '',
    quantity,
    price: moneyOf(line['price']) ?? (quantity > 0 ? amount / quantity : amount),
    amount,
    name: textOf(line['name']) ?? '',
  };
}

function customerCall(userId: string | null, body: Obj, modified: unknown): NewsCall | null {
  const billing = objectOf(body['billing']);
  const name = [
    textOf(body['first_name']) ?? textOf(billing['first_name']),
    textOf(body['last_name']) ?? textOf(billing['last_name']),
  ]
    .filter(Boolean)
    .join(' ');
  return identify(userId, instant(modified), {
    email: textOf(body['email']),
    name: name === '' ? null : name,
    country: countryOf(billing['country']),
  });
}

function productNews({ body, options }: InwardWebhook): News {
  const sku = textOf(body['sku']) ?? idOf(body['id']);
  const price = moneyOf(body['price']);
  const { currency } = options;
  if (currency === undefined)
    return ignored('comes without a currency: add the source with --currency');
  // A product with variations may have no price of its own.
  if (sku === null || price === null) return ignored('is no product with an id and a price');
  const link = textOf(body['permalink']);
  const { shopUrl } = options;
  // Only pages of the shop itself: mails link there.
  const isOwn = link !== null && shopUrl !== undefined && link.startsWith(`${shopUrl}/`);
  return {
    ...NOTHING,
    products: [
      {
        sku,
        title: textOf(body['name']) ?? sku,
        category: textOf(listOf(body['categories'])[0]?.['name']) ?? '',
        price,
        currency,
        stock: body['manage_stock'] === true ? moneyOf(body['stock_quantity']) : null,
        description: plainText(body['short_description'] ?? body['description']),
        url: isOwn ? link : null,
      },
    ],
  };
}
