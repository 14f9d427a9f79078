import { CATEGORIES } from './catalogue.ts';
import { type Effect, NO_OFFER, type Offer, effectOf, isCustomer, percentOff } from './offers.ts';
import { expectedOrderValue, purchasesOf } from './orders.ts';
import { type Reaction, type ReadMail, peopleOf, personaOf } from './people.ts';
import { POPULATION, type HourPeak, type SampleOptions, createWorld } from './world.ts';

/**
 * What is true of the sample shop, for tests to compare with what Kairos finds. The engine never reads this file, nor
 * what it gives; `bin` may write it to a place of its own for tests.
 */
export interface PersonTruth {
  readonly externalId: string;
  readonly buyer: boolean;
  /** Orders a season-weighted day while they are a customer. */
  readonly ratePerDay: number;
  /** Chance to be gone after each order. */
  readonly dropOut: number;
  /** Whether they are still a customer at the history's end, and if not, since when (their last order). */
  readonly customer: boolean;
  readonly goneSinceMs: number | null;
  /** Expected value of an order without discount, EUR. */
  readonly orderValue: number;
  /** Share of each category in what they choose; sums to 1. */
  readonly taste: Readonly<Record<string, number>>;
  readonly hours: readonly HourPeak[];
  readonly openness: number;
  readonly curiosity: number;
  readonly machineOpens: boolean;
  readonly bargain: number;
  readonly sleepingDog: boolean;
  /** What a mail at the history's end would change, by offer; each within 14 days. */
  readonly effects: Readonly<Record<string, Effect>>;
}

/** The offers that {@link PersonTruth.effects} lists; `effect` answers for any other. */
export const CANONICAL_OFFERS: Readonly<Record<string, Offer>> = {
  none: NO_OFFER,
  'free-shipping': { kind: 'freeShipping', discount: 0, code: null },
  '10-percent': percentOff(10),
  '15-percent': percentOff(15),
  '20-percent': percentOff(20),
};

export interface Caused {
  /** People who got a mail. */
  readonly people: number;
  /** Of those, how many placed at least one order with the mails, and how many would have without. */
  readonly converted: number;
  readonly convertedAnyway: number;
  readonly orders: number;
  readonly ordersAnyway: number;
  /** EUR, with and without the mails. */
  readonly revenue: number;
  readonly revenueAnyway: number;
}

export interface ShopTruth {
  readonly population: typeof POPULATION;
  person(externalId: string): PersonTruth;
  all(): Iterable<PersonTruth>;
  /** What a mail with this offer at this moment changes for a person. */
  effect(externalId: string, offer: Offer, atMs: number): Effect;
  /** What these mails really caused in [fromMs, toMs): the same people with and without them. */
  caused(mails: ReadonlyMap<string, ReadMail>, fromMs: number, toMs: number): Caused;
}

export function createTruth(options: SampleOptions): ShopTruth {
  const world = createWorld(options);
  const people = peopleOf(world);
  const effect = (externalId: string, offer: Offer, atMs: number): Effect => {
    const persona = personaOf(world, externalId);
    return effectOf(world, persona, purchasesOf(world, persona), offer, atMs);
  };
  const person = (externalId: string): PersonTruth => {
    const persona = personaOf(world, externalId);
    const purchases = purchasesOf(world, persona);
    const { endMs } = world.options;
    const customer = isCustomer(purchases, endMs);
    const { buyer, ratePerDay, dropOut, peaks, openness, curiosity } = persona;
    const { machineOpens, bargain, sleepingDog } = persona;
    const gone = purchases.goneAfter !== null && purchases.goneAfter.atMs <= endMs;
    return {
      externalId,
      buyer,
      ratePerDay: buyer ? ratePerDay : 0,
      dropOut,
      customer,
      goneSinceMs: gone ? purchases.goneAfter.atMs : null,
      orderValue: expectedOrderValue(world, persona),
      taste: Object.fromEntries(CATEGORIES.map(({ name }, c) => [name, persona.taste[c]!])),
      hours: peaks,
      openness,
      curiosity,
      machineOpens,
      bargain,
      sleepingDog,
      effects: Object.fromEntries(
        Object.entries(CANONICAL_OFFERS).map(([name, offer]) => [
          name,
          effectOf(world, persona, purchases, offer, endMs),
        ]),
      ),
    };
  };
  return {
    population: POPULATION,
    person,
    effect,
    *all() {
      for (const { externalId } of world.personas) yield person(externalId);
    },
    caused(mails, fromMs, toMs) {
      const reactions = new Map(
        Array.from(mails, ([externalId, mail]) => [externalId, people.react(externalId, mail)]),
      );
      const anyway = people.organicOrders(fromMs, toMs);
      const own = people.organicOrders(fromMs, toMs, reactions);
      const extra = extraOrders(reactions, fromMs, toMs);
      const without = tally(anyway, mails);
      const withMails = tally([...own, ...extra], mails);
      return {
        people: mails.size,
        converted: withMails.people,
        convertedAnyway: without.people,
        orders: withMails.orders,
        ordersAnyway: without.orders,
        revenue: withMails.revenue,
        revenueAnyway: without.revenue,
      };
    },
  };
}

type Order = { externalId: string | null; atMs: number; properties: Record<string, unknown> };

function extraOrders(
  reactions: ReadonlyMap<string, readonly Reaction[]>,
  fromMs: number,
  toMs: number,
): Order[] {
  return [...reactions.values()].flat().flatMap((reaction) => {
    if (reaction.kind !== 'order' || reaction.atMs < fromMs || reaction.atMs >= toMs) return [];
    return [reaction.events.at(-1)!];
  });
}

function tally(
  orders: readonly Order[],
  mails: ReadonlyMap<string, ReadMail>,
): { people: number; orders: number; revenue: number } {
  const counted = orders.filter((order) => mails.has(order.externalId ?? ''));
  return {
    people: new Set(counted.map((order) => order.externalId)).size,
    orders: counted.length,
    revenue: counted.reduce((sum, order) => sum + Number(order.properties['total']), 0),
  };
}
