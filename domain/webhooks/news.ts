import type { InwardWebhook, News, SourceKind } from './inward.ts';
import { shopifyNews } from './shopify.ts';
import { stripeNews } from './stripe.ts';
import { wooNews } from './woocommerce.ts';

/** What a webhook of a shop's system tells us. */
export function newsOf(kind: SourceKind, webhook: InwardWebhook): News {
  switch (kind) {
    case 'shopify':
      return shopifyNews(webhook);
    case 'woocommerce':
      return wooNews(webhook);
    case 'stripe':
      return stripeNews(webhook);
    default:
      return kind satisfies never;
  }
}
