import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_OFFER, percentOff, readOffer } from '../../shop/offers.ts';
import { type ReadMail, createShopPeople } from '../../shop/people.ts';
import { createSampleShop } from '../../shop/sample.ts';

const options = { seed: 9, people: 800, endMs: Date.UTC(2026, 10, 24, 6) };
const DAY = 86_400_000;
const mail = (more: Partial<ReadMail> = {}): ReadMail => ({
  campaign: 'win-back',
  offer: percentOff(15, 'BACK15'),
  links: 6,
  sentAtMs: options.endMs + 3_600_000,
  ...more,
});

describe('the people of the sample shop', () => {
  const people = createShopPeople(options);
  const shop = createSampleShop(options);
  const ids = shop.people.map((person) => person.externalId);
  const id = fc.integer({ min: 0, max: ids.length - 1 }).map((n) => ids[n]!);

  it('react to the same mail always in the same way, whoever asks and in whatever order', () => {
    const again = createShopPeople(options);
    const backwards = new Map(ids.toReversed().map((each) => [each, again.react(each, mail())]));
    for (const each of ids) expect(backwards.get(each)).toEqual(people.react(each, mail()));
  });

  it('do one thing after the other: nothing before the mail, a click after an open, all within two weeks', () => {
    fc.assert(
      fc.property(
        id,
        fc.constantFrom('a', 'b', 'c', 'd', 'e'),
        fc.integer({ min: 0, max: 300 * 24 }),
        fc.integer({ min: 0, max: 20 }),
        (externalId, campaign, hours, links) => {
          const sentAtMs = options.endMs + hours * 3_600_000;
          const reactions = people.react(externalId, mail({ campaign, sentAtMs, links }));
          const at = (kind: string): number | undefined =>
            reactions.find((reaction) => reaction.kind === kind)?.atMs;
          for (const reaction of reactions) {
            expect(reaction.atMs).toBeGreaterThanOrEqual(sentAtMs);
            expect(reaction.atMs).toBeLessThan(sentAtMs + 14 * DAY);
            if (reaction.kind === 'click') {
              expect(reaction.atMs).toBeGreaterThan(at('open')!);
              expect(reaction.link).toBeLessThan(links);
            }
            if (reaction.kind === 'unsubscribe') expect(reaction.atMs).toBeGreaterThan(at('open')!);
            if (reaction.kind === 'machineOpen')
              expect(reaction.atMs).toBeGreaterThan(sentAtMs + 2000);
            if (reaction.kind === 'order') {
              const times = reaction.events.map((event) => event.atMs);
              expect(times).toEqual(times.toSorted((a, b) => a - b));
              if (reaction.byClick) expect(times[0]).toBeGreaterThan(at('click')!);
            }
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('buy of their own accord the same whether a window is asked for at once or in parts', () => {
    const day = fc
      .integer({ min: 0, max: 120 * 24 })
      .map((hours) => options.endMs + hours * 3_600_000);
    fc.assert(
      fc.property(fc.array(day, { minLength: 2, maxLength: 5 }), (moments) => {
        const cuts = moments.toSorted((a, b) => a - b);
        const whole = people.organicOrders(cuts[0]!, cuts.at(-1)!);
        const parts = cuts.slice(1).flatMap((cut, n) => people.organicOrders(cuts[n]!, cut));
        expect(parts).toEqual(whole);
      }),
      { numRuns: 15 },
    );
  });

  it('go on where the history ends: the history’s own orders are the same ones', () => {
    const history = [...shop.events].flat().filter((event) => event.type === 'Order Completed');
    const again = people.organicOrders(0, options.endMs);
    expect(again).toHaveLength(history.length);
    expect(again).toEqual(history.toSorted((a, b) => a.atMs - b.atMs || 0));
  });

  it('who is mailed keeps their own orders, but for sleeping dogs, and may pay less for them', () => {
    const untilMs = options.endMs + 14 * DAY;
    const reactions = new Map(ids.map((each) => [each, people.react(each, mail())]));
    const without = new Map(
      people.organicOrders(options.endMs, untilMs).map((order) => [order.messageId, order]),
    );
    const withMail = people.organicOrders(options.endMs, untilMs, reactions);
    for (const order of withMail) {
      const same = without.get(order.messageId)!;
      expect(order.atMs).toBe(same.atMs);
      expect(Number(order.properties['total'])).toBeLessThanOrEqual(
        Number(same.properties['total']),
      );
    }
    expect(withMail.length).toBeLessThan(without.size);
    expect(withMail.some((order) => order.properties['coupon'] === 'BACK15')).toBe(true);
  });

  it('are in the same mood for every offer: a better one never loses an order', () => {
    const orders = (offer: ReadMail['offer']): Set<string> =>
      new Set(
        ids.filter((each) =>
          people.react(each, mail({ offer })).some(({ kind }) => kind === 'order'),
        ),
      );
    const none = orders(NO_OFFER);
    const some = orders(percentOff(10));
    const most = orders(percentOff(30));
    expect(none.size).toBeLessThan(some.size);
    expect(some.size).toBeLessThan(most.size);
    for (const each of none) expect(some.has(each)).toBe(true);
    for (const each of some) expect(most.has(each)).toBe(true);
  });

  it('are found by their mailbox however it is spelled; of two behind one, the first', () => {
    const byAddress = new Map<string, string>();
    for (const person of shop.people) {
      if (person.email !== null && !byAddress.has(person.email)) {
        byAddress.set(person.email, person.externalId);
      }
    }
    const plain = shop.people.find((person) => /^[a-z.]+@gmail/.test(person.email ?? ''))!;
    expect(people.personAt(plain.email!)).toBe(byAddress.get(plain.email!));
    expect(people.personAt(plain.email!.toUpperCase().replace('@', '+x@'))).toBe(plain.externalId);
    expect(people.personAt('nobody@elsewhere.test')).toBeNull();
    expect(people.personAt('no address')).toBeNull();
  });

  it('refuse to speak for strangers', () => {
    expect(() => people.react('C99999', mail())).toThrow(/no customer/);
    expect(() => people.react('1', mail())).toThrow(/no customer/);
  });
});

describe('reading an offer off a mail', () => {
  it.each([
    [
      '10 % off your next order\nYour code at the checkout:\nWELCOME10',
      'percent',
      0.1,
      'WELCOME10',
    ],
    ['Take 20% off with code SPRING-20, or 5 % without', 'percent', 0.2, 'SPRING-20'],
    ['15 percent for you', 'percent', 0.15, null],
    ['Free shipping this week. Code: SHIPFREE', 'freeShipping', 0, 'SHIPFREE'],
    ['A blanket of 100 % wool, loved by 95 % of its owners', 'none', 0, null],
    ['It is 3.5 % heavier', 'none', 0, null],
    ['News from the shop', 'none', 0, null],
  ])('%s', (text, kind, discount, code) => {
    expect(readOffer(text)).toEqual({ kind, discount, code });
  });
});
