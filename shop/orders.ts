import type { EventRecord, OrderLine } from '../domain/records.ts';
import { EVENT } from '../domain/records.ts';
import { dayAtWarp, warpAt, zoneOffset } from './calendar.ts';
import { CATEGORIES, PRODUCTS_PER_CATEGORY } from './catalogue.ts';
import { Random, STREAM } from './random.ts';
import { type Persona, type World, instantOnDay } from './world.ts';

/** One order of a person's own accord: when, and the number that names its basket. */
export interface OrderMoment {
  readonly number: number;
  readonly atMs: number;
}

export interface Purchases {
  /** In order of time, up to the end of the known future. */
  readonly orders: readonly OrderMoment[];
  /** After which order the person is gone; null while they are a customer (as far as is known). */
  readonly goneAfter: OrderMoment | null;
}

/**
 * All orders of a person's own accord, history and future in one: what happens behind the history's end is the same
 * whether a window of it is asked for at once or in parts, and whether a mail was sent or not.
 */
export function purchasesOf(world: World, persona: Persona): Purchases {
  if (!persona.buyer) return { orders: [], goneAfter: null };
  const random = new Random(world.options.seed, STREAM.orders, persona.index);
  const orders: OrderMoment[] = [
    { number: 0, atMs: persona.joinedMs + 60_000 * random.between(4, 30) },
  ];
  let gone = random.chance(persona.dropOut);
  let warped = warpAt(
    world.calendar,
    persona.joinedMs + zoneOffset(persona.zone, persona.joinedMs),
  );
  while (!gone) {
    warped += random.exponential() / persona.ratePerDay;
    const day = dayAtWarp(world.calendar, warped);
    if (day === null) break;
    const atMs = instantOnDay(persona, day, random);
    // Two orders on one day keep their order; an hour before the joining moves behind it.
    const earliest = orders.at(-1)!.atMs + 20 * 60_000;
    orders.push({ number: orders.length, atMs: Math.max(atMs, earliest) });
    gone = random.chance(persona.dropOut);
  }
  const whole = orders.map(({ number, atMs }) => ({
    number,
    atMs: Math.floor(atMs / 1000) * 1000,
  }));
  return { orders: whole, goneAfter: gone ? whole.at(-1)! : null };
}

export interface Basket {
  readonly lines: OrderLine[];
  readonly total: number;
}

/** Mean number of lines, and of pieces a line: known truth. */
export const BASKET = { extraLines: 0.9, pieces: 0.85 * 1 + 0.12 * 2 + 0.03 * 3 } as const;

/** What a person puts into a basket; `discount` is a share of the price, 0 where there is none. */
export function drawBasket(world: World, persona: Persona, random: Random, discount = 0): Basket {
  const count = 1 + random.poisson(BASKET.extraLines);
  const lines: OrderLine[] = [];
  let cents = 0;
  for (let n = 0; n < count; n += 1) {
    const product = world.catalogue.products[drawProduct(world, persona, random)]!;
    const draw = random.uniform();
    const quantity = draw < 0.85 ? 1 : draw < 0.97 ? 2 : 3;
    const price = Math.round(product.price * (1 - discount) * 100) / 100;
    cents += Math.round(price * 100) * quantity;
    const known = lines.find((line) => line.sku === product.sku);
    if (known) known.quantity += quantity;
    else lines.push({ sku: product.sku, quantity, price, category: product.category });
  }
  return { lines, total: cents / 100 };
}

/** A product as this person would choose it, as an index of the catalogue. */
export function drawProduct(world: World, persona: Persona, random: Random): number {
  const category = random.index(persona.tasteSums);
  const place = random.index(world.catalogue.choice[persona.priceLevel]![category]!);
  return category * PRODUCTS_PER_CATEGORY + place;
}

/** The expected value of an order without discount, EUR: known truth. */
export function expectedOrderValue(world: World, persona: Persona): number {
  const prices = world.catalogue.meanPrice[persona.priceLevel]!;
  let price = 0;
  for (let c = 0; c < CATEGORIES.length; c += 1) price += persona.taste[c]! * prices[c]!;
  return (1 + BASKET.extraLines) * BASKET.pieces * price;
}

/** A coupon of 10 % that lies in parcels: bargain hunters use it. */
export const PARCEL_COUPON: Coupon = { code: 'THANKS10', discount: 0.1 };

/** Chance that an order of the history uses the coupon of the last parcel; never the first one. */
export function couponChance(persona: Persona): number {
  return 0.45 * persona.bargain;
}

export interface Coupon {
  readonly code: string;
  /** Share of the price, 0–1. */
  readonly discount: number;
}

/** The order's event. The same order has the same basket, whoever asks; a better coupon only makes it cheaper. */
export function orderEvent(
  world: World,
  persona: Persona,
  moment: OrderMoment,
  offered: Coupon | null = null,
): EventRecord {
  const random = new Random(world.options.seed, STREAM.basket, persona.index, moment.number);
  const usesParcel = random.chance(couponChance(persona)) && moment.number > 0;
  const own = usesParcel ? PARCEL_COUPON : null;
  const coupon = offered && offered.discount >= (own?.discount ?? 0) ? offered : own;
  const basket = drawBasket(world, persona, random, coupon?.discount ?? 0);
  return completedOrder(persona, `${persona.externalId}-o${moment.number}`, moment.atMs, basket, {
    ...(coupon && { coupon: coupon.code }),
  });
}

export function completedOrder(
  persona: Persona,
  orderId: string,
  atMs: number,
  basket: Basket,
  more: { coupon?: string; campaign?: string },
): EventRecord {
  return {
    messageId: orderId,
    type: EVENT.orderCompleted,
    externalId: persona.externalId,
    atMs,
    properties: { orderId, total: basket.total, currency: 'EUR', products: basket.lines, ...more },
  };
}
