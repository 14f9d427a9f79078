import type { ProductRecord } from '../records.ts';

export const SOURCE_KINDS = ['shopify', 'woocommerce', 'stripe'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

/** How a source is read; set when it is added. */
export interface SourceOptions {
  /** What an order is known by: the system's own number, or the one that customers see (`#1001`). */
  readonly orderKey?: 'id' | 'number';
  /** Whether orders that the system marks as tests count. */
  readonly includeTests?: boolean;
  /** Of the catalogue: systems send prices without it. */
  readonly currency?: string;
  /** Where products are shown; no slash at the end. Never taken from a request. */
  readonly shopUrl?: string;
}

/** A webhook whose signature was right. */
export interface InwardWebhook {
  readonly topic: string;
  readonly body: Obj;
  readonly options: SourceOptions;
  /** An id for the customer behind an address that the system gives no id to; says nothing of the address. */
  readonly guestId: (email: string) => string;
}

/** A call of the Segment spec; `key` makes its message id unique within the webhook, `once` within the source. */
export interface NewsCall {
  readonly once?: string;
  readonly call: Record<string, unknown>;
}

/** What a webhook tells us. */
export interface News {
  readonly calls: readonly NewsCall[];
  readonly products: readonly ProductRecord[];
  /** Ids of customers who asked the shop to be forgotten. */
  readonly erase: readonly string[];
  /** Why nothing was taken, where nothing was. */
  readonly ignored: string | null;
}

export const NOTHING: News = { calls: [], products: [], erase: [], ignored: null };
export const ignored = (why: string): News => ({ ...NOTHING, ignored: why });
export const told = (...calls: (NewsCall | null)[]): News => ({
  ...NOTHING,
  calls: calls.filter((call) => call !== null),
});

export type Obj = Readonly<Record<string, unknown>>;

export const objectOf = (value: unknown): Obj =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Obj) : {};

export const listOf = (value: unknown): Obj[] =>
  Array.isArray(value) ? value.map((item) => objectOf(item)) : [];

export const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value.trim() !== '' ? value.trim() : null;

/** Numbers of orders and customers as text; 0 is "none" with systems that count from 1. */
export function idOf(value: unknown): string | null {
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && value > 0 ? `${value}` : null;
  const text = textOf(value);
  return text === '0' ? null : text;
}

/** Amounts come as text of decimals; null where there is none. */
export function moneyOf(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}

/** Without the fields that are null or undefined. */
export function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
}

/** A track call of a customer, or of a visitor where nobody is known. */
export function track(
  event: string,
  who: { userId: string | null; visitor: string },
  timestamp: unknown,
  properties: Record<string, unknown>,
  once?: string,
): NewsCall {
  return {
    ...(once === undefined ? {} : { once }),
    call: present({
      type: 'track',
      event,
      userId: who.userId,
      anonymousId: who.userId === null ? who.visitor : null,
      timestamp: textOf(timestamp),
      properties: present(properties),
    }),
  };
}

/** An identify call; null where it would say nothing. */
export function identify(
  userId: string | null,
  timestamp: unknown,
  traits: Record<string, unknown>,
): NewsCall | null {
  const known = present(traits);
  if (userId === null || Object.keys(known).length === 0) return null;
  return {
    call: present({ type: 'identify', userId, timestamp: textOf(timestamp), traits: known }),
  };
}

/** A country code of two letters, or null; anything else would only be refused. */
export function countryOf(value: unknown): string | null {
  const text = textOf(value);
  return text !== null && /^[A-Za-z]{2}$/.test(text) ? text : null;
}

/** Text of a description without its markup, for mails and recommendations. */
export function plainText(html: unknown): string {
  return (textOf(html) ?? '')
    .replaceAll(/<[^<>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, 2_000);
}

/** The address of a product's page at the shop, where the shop's address is known. */
export function pageOf(options: SourceOptions, path: string): string | null {
  return options.shopUrl === undefined ? null : `${options.shopUrl}${path}`;
}
