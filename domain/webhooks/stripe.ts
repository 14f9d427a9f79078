import { EVENT } from '../records.ts';
import {
  type InwardWebhook,
  type News,
  type Obj,
  countryOf,
  idOf,
  identify,
  ignored,
  objectOf,
  textOf,
  told,
  track,
} from './inward.ts';

/** Currencies whose amounts Stripe counts in whole units, and in thousandths. */
const WHOLE = new Set('bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' '));
const THOUSANDTHS = new Set('bhd jod kwd omr tnd'.split(' '));

/** Stripe's events by their types. Its `consent` is not taken: it is no consent to e-mail in particular. */
export function stripeNews(webhook: InwardWebhook): News {
  const { topic, body, options } = webhook;
  if (body['livemode'] === false && options.includeTests !== true) {
    return ignored('is of the test mode: add the source with --include-tests to take it');
  }
  const data = objectOf(body['data']);
  const object = objectOf(data['object']);
  const at = secondsOf(object['created']) ?? secondsOf(body['created']);
  switch (topic) {
    case 'checkout.session.completed':
    case 'checkout.session.async_payment_succeeded':
      return sessionNews(webhook, object, secondsOf(body['created']) ?? at);
    case 'charge.refunded':
      return refundNews(webhook, object, {
        before: objectOf(data['previous_attributes'])['amount_refunded'],
        at: secondsOf(body['created']),
      });
    case 'customer.created':
    case 'customer.updated':
      return told(
        identify(idOf(object['id']), secondsOf(body['created']), {
          email: textOf(object['email']),
          name: textOf(object['name']),
          country: countryOf(objectOf(object['address'])['country']),
        }),
      );
    default:
      return ignored(`has the type ${topic}`);
  }
}

function secondsOf(value: unknown): string | null {
  return typeof value === 'number' && value > 0 && value < 1e11
    ? new Date(value * 1_000).toISOString()
    : null;
}

/** Stripe counts in the smallest unit of the currency. */
export function stripeAmount(value: unknown, currency: string): number | null {
  if (typeof value !== 'number' || !Number.isFinite(value)) return null;
  if (WHOLE.has(currency)) return value;
  return value / (THOUSANDTHS.has(currency) ? 1_000 : 100);
}

/** The shop's own number of the order from the metadata; else the payment, which refunds name too. */
function orderIdOf(object: Obj): string | null {
  const own = idOf(objectOf(object['metadata'])['order_id']);
  return own ?? textOf(object['payment_intent']) ?? textOf(object['id']);
}

function whoOf(object: Obj, details: Obj, { guestId }: InwardWebhook) {
  const email = textOf(details['email']);
  const userId =
    idOf(object['client_reference_id']) ??
    idOf(objectOf(object['metadata'])['user_id']) ??
    textOf(object['customer']) ??
    (email === null ? null : guestId(email));
  return { userId, visitor: `stripe:${textOf(object['id']) ?? ''}` };
}

function sessionNews(webhook: InwardWebhook, session: Obj, at: string | null): News {
  if (session['mode'] === 'setup') return ignored('is a checkout without a payment');
  const status = textOf(session['payment_status']);
  if (status !== 'paid' && status !== 'no_payment_required') return ignored('is not paid yet');
  const orderId = orderIdOf(session);
  const currency = textOf(session['currency'])?.toLowerCase() ?? '';
  const total = stripeAmount(session['amount_total'], currency);
  if (orderId === null || total === null) return ignored('is no order with an id and a total');
  const details = objectOf(session['customer_details']);
  const who = whoOf(session, details, webhook);
  const amounts = objectOf(session['total_details']);
  const properties = {
    orderId,
    total,
    currency: currency.toUpperCase(),
    tax: stripeAmount(amounts['amount_tax'], currency),
    shipping: stripeAmount(amounts['amount_shipping'], currency),
    discount: stripeAmount(amounts['amount_discount'], currency),
    checkoutId: textOf(session['id']),
  };
  return told(
    identify(who.userId, at, {
      email: textOf(details['email']),
      name: textOf(details['name']),
      country: countryOf(objectOf(details['address'])['country']),
      locale: textOf(session['locale']) === 'auto' ? null : textOf(session['locale']),
    }),
    track(EVENT.orderCompleted, who, at, properties, `order:${orderId}`),
  );
}

/** The charge carries all that was refunded so far; what is new is the difference to before. */
function refundNews(
  webhook: InwardWebhook,
  charge: Obj,
  { before, at }: { before: unknown; at: string | null },
): News {
  const orderId = orderIdOf(charge);
  const currency = textOf(charge['currency'])?.toLowerCase() ?? '';
  const now = stripeAmount(charge['amount_refunded'], currency);
  const then = stripeAmount(before ?? 0, currency) ?? 0;
  if (orderId === null || now === null || now <= then) return ignored('pays nothing back');
  const details = objectOf(charge['billing_details']);
  const total = Math.round((now - then) * 1_000) / 1_000;
  const properties = { orderId, total, currency: currency.toUpperCase() };
  return told(track(EVENT.orderRefunded, whoOf(charge, details, webhook), at, properties));
}
