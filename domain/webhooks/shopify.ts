import { EVENT, type ProductRecord } from '../records.ts';
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
  pageOf,
  plainText,
  textOf,
  told,
  track,
} from './inward.ts';

/** Shopify's webhooks by their topics (Admin API, REST form of the payloads). */
export function shopifyNews(webhook: InwardWebhook): News {
  const { topic, body } = webhook;
  switch (topic) {
    case 'orders/create':
    case 'orders/paid':
    case 'orders/updated':
    case 'orders/edited':
    case 'orders/cancelled':
      return orderNews(webhook);
    case 'refunds/create':
      return refundNews(webhook);
    case 'checkouts/create':
    case 'checkouts/update':
      return checkoutNews(webhook);
    case 'customers/create':
    case 'customers/update':
    case 'customers/enable':
    case 'customers/disable':
    case 'customers_email_marketing_consent/update':
      return told(...customerCalls(body));
    case 'products/create':
    case 'products/update':
      return productNews(webhook);
    case 'customers/redact': {
      const id = idOf(objectOf(body['customer'])['id']);
      return id === null ? ignored('names no customer') : { ...NOTHING, erase: [id] };
    }
    default:
      return ignored(`has the topic ${topic}`);
  }
}

function whoOf({ body, guestId }: InwardWebhook): { userId: string | null; visitor: string } {
  const email = textOf(body['email']) ?? textOf(body['contact_email']);
  const userId = idOf(objectOf(body['customer'])['id']) ?? (email === null ? null : guestId(email));
  const token = textOf(body['cart_token']) ?? textOf(body['checkout_token']);
  return { userId, visitor: `shopify:${token ?? textOf(body['token']) ?? idOf(body['id']) ?? ''}` };
}

function orderKeyOf(webhook: InwardWebhook): string | null {
  const { body, options } = webhook;
  return options.orderKey === 'number' ? textOf(body['name']) : idOf(body['id']);
}

function orderNews(webhook: InwardWebhook): News {
  const { body, topic, options } = webhook;
  const orderId = orderKeyOf(webhook);
  const total = moneyOf(body['total_price']);
  if (orderId === null || total === null) return ignored('is no order with an id and a total');
  if (body['test'] === true && options.includeTests !== true) return ignored('is a test order');
  const who = whoOf(webhook);
  const cancelledAt = textOf(body['cancelled_at']);
  const properties = {
    orderId,
    total,
    currency: textOf(body['currency']),
    products: listOf(body['line_items']).map(lineOf),
    coupon: textOf(listOf(body['discount_codes'])[0]?.['code']),
    shipping: moneyOf(objectOf(objectOf(body['total_shipping_price_set'])['shop_money'])['amount']),
    tax: moneyOf(body['total_tax']),
    discount: moneyOf(body['total_discounts']),
    cartId: textOf(body['cart_token']),
    checkoutId: idOf(body['checkout_id']),
  };
  const calls: (NewsCall | null)[] = [...peopleOfOrder(webhook, who.userId)];
  if (cancelledAt === null) {
    // However often and by whichever topic it is told: by its id it is one order.
    calls.push(
      track(EVENT.orderCompleted, who, body['created_at'], properties, `order:${orderId}`),
    );
  } else {
    const reason = textOf(body['cancel_reason']);
    calls.push(
      track('Order Cancelled', who, cancelledAt, { orderId, reason }, `cancelled:${orderId}`),
    );
  }
  if (topic === 'orders/updated' || topic === 'orders/edited') {
    const status = textOf(body['financial_status']);
    const fulfilment = textOf(body['fulfillment_status']);
    calls.push(track('Order Updated', who, body['updated_at'], { orderId, status, fulfilment }));
  }
  return told(...calls);
}

/** An order carries its customer; a guest's address is the order's own. */
function peopleOfOrder(webhook: InwardWebhook, userId: string | null): (NewsCall | null)[] {
  const { body } = webhook;
  const customer = objectOf(body['customer']);
  if (idOf(customer['id']) !== null) {
    return customerCalls({ email: body['email'], ...customer });
  }
  const address = objectOf(body['billing_address']);
  const email = textOf(body['email']) ?? textOf(body['contact_email']);
  return [
    identify(userId, body['created_at'], {
      email,
      name: textOf(address['name']),
      country: countryOf(address['country_code']),
      locale: textOf(body['customer_locale']),
    }),
  ];
}

function lineOf(line: Obj): Record<string, unknown> {
  const quantity = moneyOf(line['quantity']) ?? 1;
  const price = moneyOf(line['price']) ?? 0;
  const discount = listOf(line['discount_allocations']).reduce(
    (sum, part) => sum + (moneyOf(part['amount']) ?? 0),
    moneyOf(line['total_discount']) ?? 0,
  );
  return {
    sku: skuOf(line),
    quantity,
    price,
    name: textOf(line['title']) ?? '',
    ...(discount > 0 ? { amount: Math.round((price * quantity - discount) * 100) / 100 } : {}),
  };
}

/** The shop's article number where it has one, else the variant's id, as `products/update` has it too. */
function skuOf(line: Obj): string {
  return textOf(line['sku']) ?? idOf(line['variant_id']) ?? idOf(line['product_id']) ?? '';
}

function refundNews(webhook: InwardWebhook): News {
  const { body, options } = webhook;
  const id = idOf(body['id']);
  const orderId = idOf(body['order_id']);
  if (id === null || orderId === null) return ignored('is no refund with an id and an order');
  if (options.orderKey === 'number') {
    return ignored('names its order by id only, while this source knows orders by their number');
  }
  const lines = listOf(body['refund_line_items']);
  const paid = listOf(body['transactions'])
    .filter((one) => one['kind'] === 'refund' && (one['status'] ?? 'success') === 'success')
    .reduce((sum, one) => sum + Math.abs(moneyOf(one['amount']) ?? 0), 0);
  // Nothing was paid back: goods were put back into stock only.
  if (paid === 0) return ignored('pays nothing back');
  const products = lines.map((line) => ({
    ...lineOf({ ...objectOf(line['line_item']), quantity: line['quantity'] }),
    amount: moneyOf(line['subtotal']) ?? 0,
  }));
  // A refund names no customer; the order does, under the same order id.
  const who = { userId: null, visitor: `shopify:order:${orderId}` };
  const properties = { orderId, refundId: id, total: Math.round(paid * 100) / 100, products };
  return told(
    track(
      EVENT.orderRefunded,
      who,
      body['processed_at'] ?? body['created_at'],
      properties,
      `refund:${id}`,
    ),
  );
}

function checkoutNews(webhook: InwardWebhook): News {
  const { body } = webhook;
  const token = textOf(body['token']) ?? idOf(body['id']);
  if (token === null) return ignored('is no checkout with a token');
  const who = whoOf(webhook);
  return told(
    track(
      'Checkout Started',
      who,
      body['created_at'],
      {
        checkoutId: idOf(body['id']),
        cartId: textOf(body['cart_token']),
        value: moneyOf(body['total_price']),
        currency: textOf(body['currency']),
        products: listOf(body['line_items']).map(lineOf),
      },
      `checkout:${token}`,
    ),
  );
}

/** Two calls, since a consent has a time of its own: an old one must not overrule what was said since. */
function customerCalls(body: Obj): (NewsCall | null)[] {
  // `customers_email_marketing_consent/update` names its customer apart.
  const userId = idOf(body['customer_id']) ?? idOf(body['id']);
  const address = objectOf(body['default_address']);
  const name = [textOf(body['first_name']), textOf(body['last_name'])].filter(Boolean).join(' ');
  const tags = textOf(body['tags']);
  const consent = consentOf(body);
  return [
    identify(userId, body['updated_at'], {
      email: textOf(body['email']),
      name: name === '' ? null : name,
      country: countryOf(address['country_code']),
      locale: textOf(body['locale']),
      tags: tags === null ? null : tags.slice(0, 1_000),
    }),
    consent && identify(userId, consent.at, { marketingConsent: consent.granted }),
  ];
}

/** Consent for marketing by e-mail, only where it is said together with its time; `pending` is no consent. */
function consentOf(body: Obj): { granted: boolean; at: string } | null {
  const said = objectOf(body['email_marketing_consent']);
  const state = textOf(said['state']);
  if (state !== null) {
    const at = textOf(said['consent_updated_at']);
    return at === null ? null : { granted: state.toLowerCase() === 'subscribed', at };
  }
  const accepts = body['accepts_marketing'];
  const at = textOf(body['accepts_marketing_updated_at']);
  return typeof accepts === 'boolean' && at !== null ? { granted: accepts, at } : null;
}

function productNews({ body, options }: InwardWebhook): News {
  const { currency } = options;
  if (currency === undefined)
    return ignored('comes without a currency: add the source with --currency');
  const handle = textOf(body['handle']);
  const products = listOf(body['variants']).flatMap((variant): ProductRecord[] => {
    const sku = textOf(variant['sku']) ?? idOf(variant['id']);
    const price = moneyOf(variant['price']);
    if (sku === null || price === null) return [];
    const title = textOf(body['title']) ?? sku;
    const part = textOf(variant['title']);
    const managed = textOf(variant['inventory_management']) !== null;
    return [
      {
        sku,
        title: part === null || part === 'Default Title' ? title : `${title}, ${part}`,
        category: textOf(body['product_type']) ?? '',
        price,
        currency,
        stock: managed ? moneyOf(variant['inventory_quantity']) : null,
        description: plainText(body['body_html']),
        url: handle === null ? null : pageOf(options, `/products/${encodeURIComponent(handle)}`),
      },
    ];
  });
  return products.length === 0
    ? ignored('is a product without variants')
    : { ...NOTHING, products };
}
