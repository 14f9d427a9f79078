/**
 * What a shop hands to Kairos: people, products and events. The same shapes come from the sample shop, from
 * `kairos import` and from the HTTP intake. Times are shop time in milliseconds since the Unix epoch.
 */
export interface PersonRecord {
  /** The shop's own id of the customer; unique. */
  externalId: string;
  /** Address as given; normalised and checked by {@link ./address.ts}. Null where the shop has none. */
  email: string | null;
  name: string | null;
  /** ISO 3166-1 alpha-2. */
  country: string | null;
  /** IANA name, such as `Europe/Berlin`. */
  timeZone: string | null;
  /** BCP 47. */
  locale: string | null;
  /** Marketing consent for e-mail; `null` is "never asked" and counts as no. */
  consent: { granted: boolean; atMs: number; source: string } | null;
  traits: Record<string, TraitValue>;
  createdAtMs: number;
}

export type TraitValue = string | number | boolean | null;

export interface ProductRecord {
  sku: string;
  title: string;
  category: string;
  /** In the shop's currency, two decimals. */
  price: number;
  currency: string;
  stock: number | null;
  description: string;
  url: string | null;
}

/**
 * Event names follow the e-commerce spec of Segment, so that a shop that already sends them needs no mapping.
 * Unknown names are kept and can be used in segments; only the known ones feed features.
 */
export const EVENT = {
  productViewed: 'Product Viewed',
  productAdded: 'Product Added',
  orderCompleted: 'Order Completed',
  orderRefunded: 'Order Refunded',
  productReviewed: 'Product Reviewed',
  emailDelivered: 'Email Delivered',
  emailBounced: 'Email Bounced',
  emailOpened: 'Email Opened',
  emailClicked: 'Email Link Clicked',
  emailComplained: 'Email Marked as Spam',
  unsubscribed: 'Unsubscribed',
  consentChanged: 'Consent Changed',
  traitsChanged: 'Traits Changed',
  eventsMoved: 'Events Moved',
  personMerged: 'Person Merged',
  eventsSuperseded: 'Events Superseded',
  /** `{people}`: our ids of whom the log and the warehouse have forgotten. */
  personErased: 'Person Erased',
  /** `{campaign, mode}` and how the audience ended: sent, skipped, bounced, expired, unknown. */
  campaignClosed: 'Campaign Closed',
  adImpression: 'Ad Impression',
  offerRedeemed: 'Offer Redeemed',
  /** `{list}`: a person was put on a static list, or taken off it. */
  listJoined: 'List Joined',
  listLeft: 'List Left',
  /** `{segment}`: a person came into a saved segment, or is no longer in it. */
  segmentEntered: 'Segment Entered',
  segmentLeft: 'Segment Left',
  /** `{model, version}`: all people have a new score or cluster of that model. */
  peopleScored: 'People Scored',
} as const;

/**
 * Events that only Kairos writes: from outside, by a file or over HTTP, they would forge a delivery, a consent, an erasure
 * or the projector's own rows.
 */
export const OUR_EVENTS: ReadonlySet<string> = new Set([
  'Messages Settled',
  'Person Identified',
  'Person Aliased',
  EVENT.traitsChanged,
  EVENT.consentChanged,
  EVENT.eventsMoved,
  EVENT.personMerged,
  EVENT.personErased,
  EVENT.eventsSuperseded,
  EVENT.campaignClosed,
  EVENT.listJoined,
  EVENT.listLeft,
  EVENT.segmentEntered,
  EVENT.segmentLeft,
  EVENT.peopleScored,
]);

export interface OrderLine {
  sku: string;
  quantity: number;
  /** Price of one piece as paid. */
  price: number;
  /** What was paid for the line, where whole cents a piece do not give it: 3 for 5.00, goods by weight. */
  amount?: number;
  category?: string;
}

/**
 * Properties by event (others may stand beside them):
 * - Product Viewed / Product Added: `{sku, category?, price?, quantity?}`
 * - Order Completed / Order Refunded: `{orderId, total, currency, products: OrderLine[], campaign?, coupon?}`
 * - Product Reviewed: `{sku, rating (1–5), text?}`
 * - Email …: `{campaign, step, variant?, link?, machine?}`
 * - Ad Impression: `{placement, cost, campaign?}`
 */
export interface EventRecord {
  /** Deduplicates: the same id twice is one event. */
  messageId: string;
  type: string;
  /** The shop's id of the customer; null for anonymous visits. */
  externalId: string | null;
  atMs: number;
  properties: Record<string, unknown>;
}

/** A shop as a whole: what a generator or an import yields, in this order. */
export interface ShopSource {
  people: Iterable<PersonRecord> | AsyncIterable<PersonRecord>;
  products: Iterable<ProductRecord> | AsyncIterable<ProductRecord>;
  /** In any order; each batch at most a few thousand, so that memory stays flat. */
  events: Iterable<EventRecord[]> | AsyncIterable<EventRecord[]>;
}
