import { addressUnit, parseAddress } from '../domain/address.ts';
import { MS_PER_DAY } from '../domain/clock.ts';
import { EVENT, type EventRecord, type OrderLine } from '../domain/records.ts';
import { zoneOffset } from './calendar.ts';
import { type MailResponse, respond } from './mail-habits.ts';
import { newslettersOf } from './newsletters.ts';
import { EFFECT_DAYS, EXTRA_BY_CLICK, type Offer, couponUse, effectOf } from './offers.ts';
import {
  type Coupon,
  type OrderMoment,
  type Purchases,
  completedOrder,
  drawBasket,
  orderEvent,
  purchasesOf,
} from './orders.ts';
import { personRecords } from './person-records.ts';
import { Random, STREAM, textKey } from './random.ts';
import {
  type Persona,
  type SampleOptions,
  type World,
  createWorld,
  instantOnDay,
} from './world.ts';

/** A mail as its reader sees it. */
export interface ReadMail {
  /** Names the occasion: two mails of one campaign to one person meet the same mood. */
  readonly campaign: string;
  readonly offer: Offer;
  /** How many links lead to the shop. */
  readonly links: number;
  /** Shop time. */
  readonly sentAtMs: number;
}

/** What a person does about a mail. Times are shop time, whole seconds. */
export type Reaction =
  | { readonly kind: 'machineOpen' | 'open' | 'unsubscribe'; readonly atMs: number }
  | { readonly kind: 'click'; readonly atMs: number; readonly link: number }
  /** An order that they would not have placed otherwise, with the views and the basket before it. */
  | {
      readonly kind: 'order';
      readonly atMs: number;
      readonly events: readonly EventRecord[];
      readonly byClick: boolean;
    }
  /** They place no order of their own accord in this time (sleeping dogs). */
  | { readonly kind: 'stayAway'; readonly atMs: number; readonly untilMs: number }
  /** They type the mail's code into the orders that they place anyway. */
  | {
      readonly kind: 'useCoupon';
      readonly atMs: number;
      readonly untilMs: number;
      readonly coupon: Coupon;
    };

export interface ShopPeople {
  /** The customer whose mailbox this is: the first one where several share it; null for strangers. */
  personAt(address: string): string | null;
  /** Pure and seeded: the same mail to the same person always has the same consequences. */
  react(externalId: string, mail: ReadMail): Reaction[];
  /**
   * The orders that people place of their own accord in [fromMs, toMs), in order of time, mailed or not; `reactions`
   * of those who were mailed may take orders away or make them cheaper.
   */
  organicOrders(
    fromMs: number,
    toMs: number,
    reactions?: ReadonlyMap<string, readonly Reaction[]>,
  ): EventRecord[];
}

/** The sample shop's customers after the end of its history. Takes the same options as `createSampleShop`. */
export function createShopPeople(options: SampleOptions): ShopPeople {
  const world = createWorld(options);
  return peopleOf(world);
}

export function peopleOf(world: World): ShopPeople {
  const byUnit = new Map<string, string>();
  for (const person of personRecords(world, newslettersOf(world))) {
    const address = person.email === null ? null : parseAddress(person.email);
    if (!address) continue;
    const unit = addressUnit(address);
    if (!byUnit.has(unit)) byUnit.set(unit, person.externalId);
  }
  return {
    personAt(text) {
      const address = parseAddress(text);
      return address ? (byUnit.get(addressUnit(address)) ?? null) : null;
    },
    react: (externalId, mail) => reactionsOf(world, personaOf(world, externalId), mail),
    organicOrders: (fromMs, toMs, reactions) => organicOrders(world, fromMs, toMs, reactions),
  };
}

export function personaOf(world: World, externalId: string): Persona {
  const persona = world.personas[Number(externalId.slice(1)) - 1];
  if (persona?.externalId !== externalId) {
    throw new RangeError(`the sample shop has no customer ${externalId}`);
  }
  return persona;
}

function reactionsOf(world: World, persona: Persona, mail: ReadMail): Reaction[] {
  const { campaign, offer, sentAtMs } = mail;
  const purchases = purchasesOf(world, persona);
  const effect = effectOf(world, persona, purchases, offer, sentAtMs);
  const random = new Random(world.options.seed, STREAM.reaction, persona.index, textKey(campaign));
  // All draws are taken, whatever comes of them: mails that differ in their offer differ in nothing else.
  const extra = random.chance(effect.extraOrder);
  const byClick = random.chance(EXTRA_BY_CLICK);
  const away = random.chance(effect.staysAway);
  const types = random.chance(couponUse(persona, offer));
  const link = random.below(Math.max(1, mail.links));
  const forced = extra && byClick && mail.links > 0;
  const response = respond(persona, sentAtMs, random, forced);
  const untilMs = sentAtMs + EFFECT_DAYS * MS_PER_DAY;
  const reactions = mailReactions(response, mail, link);
  if (extra) reactions.push(extraOrder(world, persona, mail, response, forced));
  if (away) reactions.push({ kind: 'stayAway', atMs: sentAtMs, untilMs });
  if (types && response.openMs !== null) {
    const coupon = { code: offer.code ?? 'MAIL', discount: offer.discount };
    reactions.push({ kind: 'useCoupon', atMs: response.openMs, untilMs, coupon });
  }
  return reactions.sort((a, b) => a.atMs - b.atMs);
}

function mailReactions(response: MailResponse, mail: ReadMail, link: number): Reaction[] {
  const reactions: Reaction[] = [];
  const { machineOpenMs, openMs, clickMs, leaveMs } = response;
  if (machineOpenMs !== null) reactions.push({ kind: 'machineOpen', atMs: machineOpenMs });
  if (openMs !== null) reactions.push({ kind: 'open', atMs: openMs });
  if (clickMs !== null && mail.links > 0) reactions.push({ kind: 'click', atMs: clickMs, link });
  if (leaveMs !== null) reactions.push({ kind: 'unsubscribe', atMs: leaveMs });
  return reactions;
}

/** Most who click order at once; others sleep on it. */
function extraOrder(
  world: World,
  persona: Persona,
  mail: ReadMail,
  response: MailResponse,
  byClick: boolean,
): Reaction {
  const key = textKey(mail.campaign);
  const random = new Random(world.options.seed, STREAM.extraOrder, persona.index, key);
  const fromMs = (byClick ? response.clickMs : response.openMs) ?? mail.sentAtMs;
  const soonMs = fromMs + 60_000 * random.between(4, 40);
  const today = Math.floor((fromMs + zoneOffset(persona.zone, fromMs)) / MS_PER_DAY);
  const laterMs = instantOnDay(persona, today + 1 + random.below(5), random);
  const atOnce = random.chance(0.7) || laterMs >= mail.sentAtMs + EFFECT_DAYS * MS_PER_DAY;
  const atMs = Math.floor((atOnce ? soonMs : laterMs) / 1000) * 1000;
  const { offer } = mail;
  const basket = drawBasket(world, persona, random, offer.discount);
  const orderId = `${persona.externalId}-x${key.toString(36)}`;
  const order = completedOrder(persona, orderId, atMs, basket, {
    ...(offer.code !== null && { coupon: offer.code }),
  });
  return { kind: 'order', atMs, events: [...shoppingBefore(order), order], byClick };
}

function shoppingBefore(order: EventRecord): EventRecord[] {
  const { externalId, messageId } = order;
  const lines = order.properties['products'] as OrderLine[];
  return lines.flatMap(({ sku, category, price, quantity }, n) => {
    const atMs = order.atMs - 1000 * (20 * (lines.length - n) + 15);
    const base = { externalId, properties: { sku, category, price } };
    return [
      { ...base, messageId: `${messageId}-v${n}`, type: EVENT.productViewed, atMs },
      {
        externalId,
        messageId: `${messageId}-a${n}`,
        type: EVENT.productAdded,
        atMs: atMs + 8000,
        properties: { sku, category, price, quantity },
      },
    ];
  });
}

function organicOrders(
  world: World,
  fromMs: number,
  toMs: number,
  reactions: ReadonlyMap<string, readonly Reaction[]> = new Map(),
): EventRecord[] {
  const events: EventRecord[] = [];
  for (const persona of world.personas) {
    const own = ordersWithin(purchasesOf(world, persona), fromMs, toMs);
    const caused = reactions.get(persona.externalId) ?? [];
    for (const moment of own) {
      if (caused.some((reaction) => reaction.kind === 'stayAway' && holds(reaction, moment)))
        continue;
      const typed = caused.find(
        (reaction) => reaction.kind === 'useCoupon' && holds(reaction, moment),
      );
      const coupon = typed?.kind === 'useCoupon' ? typed.coupon : null;
      events.push(orderEvent(world, persona, moment, coupon));
    }
  }
  return events.sort((a, b) => a.atMs - b.atMs);
}

function holds(span: { atMs: number; untilMs: number }, moment: OrderMoment): boolean {
  return moment.atMs >= span.atMs && moment.atMs < span.untilMs;
}

function ordersWithin(purchases: Purchases, fromMs: number, toMs: number): OrderMoment[] {
  return purchases.orders.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
}
