/** Webhooks of shops' systems in the form that their makers document; the values are our own. */
export const SHOPIFY_ORDER = {
  id: 5_100_000_001,
  admin_graphql_api_id: 'gid://shopify/Order/5100000001',
  name: '#1001',
  email: 'Ada@Mail.Test',
  test: false,
  created_at: '2026-05-30T08:15:00-04:00',
  updated_at: '2026-05-30T08:15:10-04:00',
  cancelled_at: null,
  currency: 'EUR',
  total_price: '44.90',
  total_tax: '7.17',
  total_discounts: '5.00',
  total_shipping_price_set: { shop_money: { amount: '4.90', currency_code: 'EUR' } },
  buyer_accepts_marketing: true,
  cart_token: 'cart-1',
  checkout_id: 77,
  customer_locale: 'de-DE',
  financial_status: 'paid',
  fulfillment_status: null,
  discount_codes: [{ code: 'SPRING', amount: '5.00', type: 'fixed_amount' }],
  customer: {
    id: 7_001,
    email: 'Ada@Mail.Test',
    first_name: 'Ada',
    last_name: 'L',
    updated_at: '2026-05-30T08:15:00-04:00',
    tags: 'vip',
    email_marketing_consent: {
      state: 'subscribed',
      opt_in_level: 'single_opt_in',
      consent_updated_at: '2026-05-01T10:00:00Z',
    },
    default_address: { country_code: 'DE' },
  },
  line_items: [
    {
      id: 1,
      variant_id: 901,
      product_id: 801,
      sku: 'cup-1',
      title: 'Cup',
      quantity: 2,
      price: '22.50',
      discount_allocations: [{ amount: '5.00' }],
    },
  ],
};

export const SHOPIFY_REFUND = {
  id: 9_001,
  order_id: 5_100_000_001,
  created_at: '2026-05-31T10:00:00Z',
  processed_at: '2026-05-31T10:00:00Z',
  refund_line_items: [
    {
      quantity: 1,
      subtotal: 20,
      line_item: { sku: 'cup-1', variant_id: 901, price: '22.50', quantity: 2 },
    },
  ],
  transactions: [{ id: 1, kind: 'refund', status: 'success', amount: '20.00' }],
};

export const SHOPIFY_PRODUCT = {
  id: 801,
  title: 'Cup',
  handle: 'cup',
  product_type: 'Kitchen',
  body_html: '<p>A <b>good</b> cup.</p>',
  variants: [
    {
      id: 901,
      sku: 'cup-1',
      title: 'Blue',
      price: '22.50',
      inventory_quantity: 4,
      inventory_management: 'shopify',
    },
    { id: 902, sku: '', title: 'Default Title', price: '9.00', inventory_management: null },
  ],
};

export const WOO_ORDER = {
  id: 727,
  number: '727',
  status: 'processing',
  currency: 'EUR',
  date_created_gmt: '2026-05-30T16:28:02',
  date_modified_gmt: '2026-05-30T16:28:08',
  date_paid_gmt: '2026-05-30T16:28:08',
  discount_total: '0.00',
  shipping_total: '10.00',
  total: '29.35',
  total_tax: '1.35',
  customer_id: 0,
  billing: { first_name: 'Bob', last_name: 'M', country: 'AT', email: 'bob@mail.test' },
  line_items: [
    {
      id: 315,
      name: 'Tea',
      product_id: 93,
      variation_id: 0,
      quantity: 2,
      total: '18.00',
      sku: 'tea-1',
      price: 9,
    },
  ],
  coupon_lines: [],
  refunds: [] as { id: number; reason: string; total: string }[],
};

export const STRIPE_SESSION = {
  id: 'evt_1',
  object: 'event',
  type: 'checkout.session.completed',
  created: Date.UTC(2026, 4, 30, 12) / 1_000,
  livemode: true,
  data: {
    object: {
      id: 'cs_1',
      object: 'checkout.session',
      mode: 'payment',
      payment_status: 'paid',
      payment_intent: 'pi_1',
      client_reference_id: 'customer-9',
      customer: 'cus_1',
      amount_total: 2_198,
      currency: 'eur',
      created: Date.UTC(2026, 4, 30, 11, 50) / 1_000,
      customer_details: { email: 'cy@mail.test', name: 'Cy', address: { country: 'FR' } },
      consent: { promotions: 'opt_in' },
      total_details: { amount_discount: 0, amount_shipping: 500, amount_tax: 0 },
      metadata: {},
    },
  },
};

export const STRIPE_REFUND = {
  id: 'evt_2',
  object: 'event',
  type: 'charge.refunded',
  created: Date.UTC(2026, 4, 31, 12) / 1_000,
  livemode: true,
  data: {
    object: {
      id: 'ch_1',
      object: 'charge',
      payment_intent: 'pi_1',
      amount: 2_198,
      amount_refunded: 1_500,
      currency: 'eur',
      customer: 'cus_1',
      billing_details: { email: 'cy@mail.test' },
      created: Date.UTC(2026, 4, 30, 11, 50) / 1_000,
      metadata: {},
    },
    previous_attributes: { amount_refunded: 500 },
  },
};
