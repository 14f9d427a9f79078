import { describe, expect, it } from 'vitest';
import { EVENT, type EventRecord, type OrderLine } from '../../domain/records.ts';
import { localHour, offsetMs } from '../../domain/local-time.ts';
import { createCalendar, warpAt } from '../../shop/calendar.ts';
import { newslettersOf } from '../../shop/newsletters.ts';
import { openChance } from '../../shop/mail-habits.ts';
import { NO_OFFER, percentOff } from '../../shop/offers.ts';
import { PARCEL_COUPON, couponChance } from '../../shop/orders.ts';
import { personaOf } from '../../shop/people.ts';
import { createSampleShop } from '../../shop/sample.ts';
import { createTruth } from '../../shop/truth.ts';
import { attention, createWorld } from '../../shop/world.ts';

/** Distance of a sum of independent draws from its expectation, in standard deviations. */
const z = (observed: number, expected: number, variance: number): number =>
  (observed - expected) / Math.sqrt(variance);

const options = { seed: 5, endMs: Date.UTC(2026, 10, 24, 6) };
const DAY = 86_400_000;

describe('what the shop does is what its truth says', () => {
  const truth = createTruth(options);
  const world = createWorld(options);
  const shop = createSampleShop(options);
  const events = [...shop.events].flat();
  const orders = new Map<string, EventRecord[]>();
  for (const event of events) {
    if (event.type !== EVENT.orderCompleted) continue;
    const list = orders.get(event.externalId!) ?? [];
    orders.set(event.externalId!, [...list, event]);
  }
  const people = [...truth.all()];

  it('orders come at each person’s rate while they are a customer', () => {
    const calendar = createCalendar(world.startMs, options.endMs);
    let observed = 0;
    let expected = 0;
    for (const person of people) {
      if (!person.buyer) continue;
      const { zone, joinedMs } = personaOf(world, person.externalId);
      const untilMs = person.goneSinceMs ?? options.endMs;
      const local = (atMs: number): number => atMs + offsetMs(atMs, zone.name);
      const span = warpAt(calendar, local(untilMs)) - warpAt(calendar, local(joinedMs));
      // The last order of those who are gone ends the span, so it says nothing about the rate.
      const known = (orders.get(person.externalId)?.length ?? 0) - 1;
      observed += known;
      expected += person.ratePerDay * span;
    }
    // Both are sums over the same spans: a martingale with variance `expected`.
    expect(Math.abs(z(observed, expected, expected))).toBeLessThan(4);
    expect(observed).toBeGreaterThan(10_000);
  });

  it('people are gone after an order as often as they should be', () => {
    let gone = 0;
    let expected = 0;
    let variance = 0;
    for (const person of people) {
      const count = orders.get(person.externalId)?.length ?? 0;
      gone += person.goneSinceMs === null ? 0 : 1;
      expected += count * person.dropOut;
      variance += count * person.dropOut * (1 - person.dropOut);
    }
    expect(Math.abs(z(gone, expected, variance))).toBeLessThan(4);
  });

  it('nobody orders by themselves once they are gone, and those who only signed up never do', () => {
    for (const person of people) {
      const own = orders.get(person.externalId) ?? [];
      if (!person.buyer) expect(own).toEqual([]);
      if (person.goneSinceMs !== null) expect(own.at(-1)?.atMs).toBe(person.goneSinceMs);
    }
  });

  it('orders are worth what each person’s level and taste say', () => {
    let observed = 0;
    let expected = 0;
    let squares = 0;
    let count = 0;
    for (const person of people) {
      const persona = personaOf(world, person.externalId);
      (orders.get(person.externalId) ?? []).forEach((order, n) => {
        const off = n === 0 ? 0 : couponChance(persona) * PARCEL_COUPON.discount;
        const worth = person.orderValue * (1 - off);
        const total = Number(order.properties['total']);
        observed += total;
        expected += worth;
        squares += (total - worth) ** 2;
        count += 1;
      });
    }
    expect(Math.abs(z(observed, expected, squares))).toBeLessThan(4);
    expect(count).toBeGreaterThan(15_000);
    // And who is said to spend more does spend more.
    const rich = people.toSorted((a, b) => b.orderValue - a.orderValue).slice(0, 500);
    const poor = people.toSorted((a, b) => a.orderValue - b.orderValue).slice(0, 500);
    const mean = (group: typeof people): number => {
      const totals = group.flatMap(({ externalId }) =>
        (orders.get(externalId) ?? []).map((order) => Number(order.properties['total'])),
      );
      return totals.reduce((sum, total) => sum + total, 0) / totals.length;
    };
    expect(mean(rich)).toBeGreaterThan(2 * mean(poor));
  });

  it('lines fall into categories by taste', () => {
    const observed: Record<string, number> = {};
    const expected: Record<string, number> = {};
    for (const person of people) {
      const lines = (orders.get(person.externalId) ?? []).flatMap(
        (order) => order.properties['products'] as OrderLine[],
      );
      for (const line of lines) observed[line.category!] = (observed[line.category!] ?? 0) + 1;
      for (const [name, share] of Object.entries(person.taste)) {
        expected[name] = (expected[name] ?? 0) + share * lines.length;
      }
    }
    for (const [name, count] of Object.entries(expected)) {
      // Lines of the same product are one, which takes a little from the favourites: 3 % of slack.
      expect(Math.abs(observed[name]! - count) / count).toBeLessThan(0.06);
    }
  });

  it('orders come at each person’s hours', () => {
    const observed = new Float64Array(24);
    const expected = new Float64Array(24);
    let count = 0;
    for (const person of people.slice(0, 1500)) {
      const persona = personaOf(world, person.externalId);
      const density = Array.from({ length: 24 }, (_, hour) =>
        [0.125, 0.375, 0.625, 0.875].reduce(
          (sum, part) => sum + attention(persona, hour + part) / 4,
          0,
        ),
      );
      expect(density.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 1);
      // The first order comes when they join, at any hour.
      for (const order of (orders.get(person.externalId) ?? []).slice(1)) {
        observed[Math.floor(localHour(order.atMs, persona.zone.name))]! += 1;
        density.forEach((share, hour) => (expected[hour]! += share));
        count += 1;
      }
    }
    let largest = 0;
    let [seen, due] = [0, 0];
    for (let hour = 0; hour < 24; hour += 1) {
      seen += observed[hour]! / count;
      due += expected[hour]! / count;
      largest = Math.max(largest, Math.abs(seen - due));
    }
    // Kolmogorov and Smirnov: 1.63 / √n is the 1 % bound.
    expect(count).toBeGreaterThan(3_000);
    expect(largest).toBeLessThan(1.95 / Math.sqrt(count));
  });

  it('newsletters are opened as often as the truth says', () => {
    const opens = new Set<string>();
    for (const event of events) {
      if (event.type !== EVENT.emailOpened || event.properties['machine'] === true) continue;
      opens.add(`${event.externalId} ${String(event.properties['campaign'])}`);
    }
    const lastMs = newslettersOf(world).at(-1)!.sentMs;
    let observed = 0;
    let expected = 0;
    let variance = 0;
    for (const event of events) {
      // Opens of the last newsletter may lie behind the end.
      if (event.type !== EVENT.emailDelivered || event.atMs >= lastMs) continue;
      const chance = openChance(personaOf(world, event.externalId!), event.atMs);
      expected += chance;
      variance += chance * (1 - chance);
      if (opens.has(`${event.externalId} ${String(event.properties['campaign'])}`)) observed += 1;
    }
    expect(Math.abs(z(observed, expected, variance))).toBeLessThan(4);
  });

  it('has a season: more is sold before Christmas, and on Sundays', () => {
    const byMonth: Record<string, number> = {};
    const byDay = new Float64Array(7);
    for (const order of [...orders.values()].flatMap((list) => list.slice(1))) {
      const month = new Date(order.atMs).toISOString().slice(0, 7);
      byMonth[month] = (byMonth[month] ?? 0) + 1;
      byDay[new Date(order.atMs).getUTCDay()]! += 1;
    }
    // Neighbours, since the shop grows.
    expect(byMonth['2025-12']!).toBeGreaterThan(1.15 * byMonth['2025-10']!);
    expect(byMonth['2025-12']!).toBeGreaterThan(1.15 * byMonth['2026-01']!);
    expect(byDay[0]!).toBeGreaterThan(1.1 * byDay[3]!);
  });

  it.each([
    ['nothing', NO_OFFER],
    ['fifteen percent', percentOff(15, 'BACK15')],
  ])('a mail that offers %s causes what the truth says', (_, offer) => {
    const sentAtMs = options.endMs + 3_600_000;
    const window = [options.endMs, options.endMs + 15 * DAY] as const;
    // The same mail under many names is many independent tries.
    const names = Array.from({ length: 5 }, (_unused, n) => `try-${n}`);
    const effects = people.map(({ externalId }) => truth.effect(externalId, offer, sentAtMs));
    let extra = 0;
    let revenue = 0;
    for (const campaign of names) {
      const mails = new Map(
        people.map(({ externalId }) => [externalId, { campaign, offer, links: 5, sentAtMs }]),
      );
      const caused = truth.caused(mails, ...window);
      extra += caused.orders - caused.ordersAnyway;
      revenue += caused.revenue - caused.revenueAnyway;
    }
    const expected = effects.reduce((sum, effect) => sum + effect.revenue, 0) * names.length;
    const orderGain = effects.reduce(
      (sum, effect) => sum + effect.extraOrder + effect.staysAway * Math.log(1 - effect.baseline),
      0,
    );
    const variance = effects.reduce((sum, effect) => sum + effect.extraOrder + effect.staysAway, 0);
    // The own orders that dogs skip are the same in every try, so their part does not average out.
    expect(Math.abs(extra / names.length - orderGain)).toBeLessThan(4 * Math.sqrt(variance / 4));
    expect(revenue / expected).toBeGreaterThan(0.8);
    expect(revenue / expected).toBeLessThan(1.2);
  });

  it('has sleeping dogs: a mail makes some customers buy less', () => {
    const dogs = people.filter((person) => person.sleepingDog && person.customer);
    expect(dogs.length).toBeGreaterThan(60);
    for (const dog of dogs) {
      const effect = dog.effects['20-percent']!;
      expect(effect.uplift).toBeLessThan(0);
      expect(effect.revenue).toBeLessThan(0);
    }
    const others = people.filter((person) => !person.sleepingDog);
    expect(others.every((person) => person.effects['20-percent']!.uplift > 0)).toBe(true);
  });
});
