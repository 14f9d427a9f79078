import { MS_PER_DAY } from '../domain/clock.ts';
import { warpAt, zoneOffset } from './calendar.ts';
import { openChance } from './mail-habits.ts';
import { type Purchases, expectedOrderValue } from './orders.ts';
import type { Persona, World } from './world.ts';

/** What a mail offers, as its reader understands it. */
export type Offer = {
  readonly kind: 'none' | 'freeShipping' | 'percent';
  /** Share of the price that is taken off, 0–1; 0 unless the kind is `percent`. */
  readonly discount: number;
  /** What must be typed at the till; null where the mail says none. */
  readonly code: string | null;
};

export const NO_OFFER: Offer = { kind: 'none', discount: 0, code: null };

export function percentOff(percent: number, code: string | null = null): Offer {
  return { kind: 'percent', discount: percent / 100, code };
}

/** A word in capitals behind the word "code", in the same sentence or the next line. */
const CODE =
  /\b(?:[Cc]ode|[Cc]oupon|[Vv]oucher|Gutschein)\b[^A-Z0-9]{0,40}\b([A-Z][A-Z0-9_-]{3,19})\b/;

/** Reads the offer off a mail's subject and text, as a person would: the best discount, else free delivery. */
export function readOffer(text: string): Offer {
  let percent = 0;
  for (const [, digits] of text.matchAll(/(?<![\d.,])(\d{1,2})\s?(?:%|percent\b|Prozent\b)/gi)) {
    // "100 % cotton" and "95 % of our customers" are no discounts.
    const value = Number(digits);
    if (value >= 5 && value <= 60) percent = Math.max(percent, value);
  }
  const code = CODE.exec(text)?.[1] ?? null;
  if (percent > 0) return percentOff(percent, code);
  if (/free (?:shipping|delivery)|(?:ships|delivered) free|versandkostenfrei/i.test(text)) {
    return { kind: 'freeShipping', discount: 0, code };
  }
  return { ...NO_OFFER, code };
}

/** Everything that a mail sets off happens within this time. */
export const EFFECT_DAYS = 14;

/** What a mail at this moment changes in what a person buys within {@link EFFECT_DAYS}: known truth. */
export interface Effect {
  /** Chance of at least one order of their own accord, were there no mail. */
  readonly baseline: number;
  /** Chance of an order that they would not have placed without the mail. */
  readonly extraOrder: number;
  /** Chance that the mail keeps them from all orders of their own accord. */
  readonly staysAway: number;
  /** By how much the mail changes the chance of at least one order; negative for sleeping dogs. */
  readonly uplift: number;
  readonly open: number;
  readonly click: number;
  /** By how much the mail changes the expected revenue of own and extra orders, EUR; coupons are taken off. */
  readonly revenue: number;
}

/** Share of the extra orders that come by a click; the others by themselves, later. */
export const EXTRA_BY_CLICK = 0.85;
const STAYS_AWAY = 0.45;

/** Chance that someone who opened types the code of a percent offer into an order that they place anyway. */
export function couponUse(persona: Persona, offer: Offer): number {
  return offer.kind === 'percent' ? 0.3 + 0.5 * persona.bargain : 0;
}

export function isCustomer(purchases: Purchases, atMs: number): boolean {
  const first = purchases.orders[0];
  if (!first || first.atMs > atMs) return false;
  return purchases.goneAfter === null || purchases.goneAfter.atMs > atMs;
}

export function effectOf(
  world: World,
  persona: Persona,
  purchases: Purchases,
  offer: Offer,
  atMs: number,
): Effect {
  const customer = isCustomer(purchases, atMs);
  const own = customer ? ownOrders(world, persona, atMs) : 0;
  const baseline = 1 - Math.exp(-own);
  const extraOrder = extraChance(persona, purchases, offer, atMs);
  const staysAway = persona.sleepingDog && customer ? STAYS_AWAY : 0;
  const withMail = 1 - (1 - extraOrder) * (1 - baseline * (1 - staysAway));
  const ordinary = openChance(persona, atMs);
  const forced = extraOrder * EXTRA_BY_CLICK;
  const value = expectedOrderValue(world, persona);
  const coupons = (1 - staysAway) * own * ordinary * couponUse(persona, offer) * offer.discount;
  return {
    baseline,
    extraOrder,
    staysAway,
    uplift: withMail - baseline,
    open: 1 - (1 - ordinary) * (1 - forced),
    click: 1 - (1 - ordinary * persona.curiosity) * (1 - forced),
    revenue: value * (extraOrder * (1 - offer.discount) - staysAway * own - coupons),
  };
}

/** Expected number of orders of their own accord in the time that a mail has an effect. */
function ownOrders(world: World, persona: Persona, atMs: number): number {
  const localMs = atMs + zoneOffset(persona.zone, atMs);
  const warped =
    warpAt(world.calendar, localMs + EFFECT_DAYS * MS_PER_DAY) - warpAt(world.calendar, localMs);
  return persona.ratePerDay * warped;
}

/** Persuasion: by the person, by the offer, and less the longer they have been away. */
function extraChance(persona: Persona, purchases: Purchases, offer: Offer, atMs: number): number {
  if (persona.sleepingDog) return 0;
  const pull = {
    none: 0.045,
    freeShipping: 0.065 + 0.14 * persona.bargain,
    percent: 0.08 + 3.4 * persona.bargain * Math.min(offer.discount, 0.4),
  }[offer.kind];
  let last = persona.joinedMs;
  for (const order of purchases.orders) if (order.atMs <= atMs) last = order.atMs;
  const monthsAway = Math.max(0, (atMs - last) / (30.4 * MS_PER_DAY) - 3);
  const chance = persona.response * pull * Math.exp(-monthsAway / 18);
  // Nobody is moved by what they do not see: at most as often as they would open and act.
  return Math.min(chance, 0.7 * openChance(persona, atMs));
}
