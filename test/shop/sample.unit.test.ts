import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { addressUnit, parseAddress } from '../../domain/address.ts';
import { isTimeZone } from '../../domain/local-time.ts';
import { EVENT, type EventRecord, type OrderLine } from '../../domain/records.ts';
import { BATCH_MAX, createSampleShop } from '../../shop/sample.ts';
import type { SampleOptions } from '../../shop/world.ts';

const END_MS = Date.UTC(2026, 10, 24, 6);
const START_MS = END_MS - 731 * 86_400_000;

function hashOf(options: SampleOptions): string {
  const shop = createSampleShop(options);
  const hash = createHash('sha256').update(JSON.stringify([shop.people, shop.products]));
  for (const batch of shop.events) hash.update(JSON.stringify(batch));
  return hash.digest('hex');
}

describe('the sample shop', () => {
  const shop = createSampleShop({ seed: 7, endMs: END_MS });
  const before = process.cpuUsage();
  const batches = [...shop.events];
  const tookMs = process.cpuUsage(before).user / 1000;
  const events = batches.flat();
  const skus = new Set(shop.products.map((product) => product.sku));

  it('is the same byte for byte for the same seed, and another one for another seed', () => {
    const small = { seed: 11, people: 300, endMs: END_MS };
    expect(hashOf(small)).toBe(hashOf(small));
    expect(hashOf({ ...small, seed: 12 })).not.toBe(hashOf(small));
    // A seed beyond 32 bits is not cut.
    expect(hashOf({ ...small, seed: 11 + 2 ** 32 })).not.toBe(hashOf(small));
  });

  it('does not change the lives of the first customers when more are asked for', () => {
    const few = createSampleShop({ seed: 3, people: 20, endMs: END_MS });
    const more = createSampleShop({ seed: 3, people: 40, endMs: END_MS });
    const of = (all: Iterable<EventRecord[]>): EventRecord[] =>
      [...all].flat().filter((event) => event.externalId! <= 'C00020');
    expect(of(few.events)).toEqual(of(more.events));
    expect(more.people.slice(0, 20)).toEqual(few.people);
  });

  it('has the promised size and is made in time', () => {
    expect(shop.people).toHaveLength(5_000);
    expect(shop.products).toHaveLength(300);
    expect(events.length).toBeGreaterThan(250_000);
    expect(events.length).toBeLessThan(350_000);
    // 0.6 s of processor time on a free machine; the first mail must leave within 20 s of an empty start.
    expect(tookMs).toBeLessThan(2_500);
  });

  it('gives batches of bounded size, each in order of time, and every id once', () => {
    for (const batch of batches) {
      expect(batch.length).toBeLessThanOrEqual(BATCH_MAX);
      expect(batch.every((event, n) => n === 0 || batch[n - 1]!.atMs <= event.atMs)).toBe(true);
    }
    expect(new Set(events.map((event) => event.messageId)).size).toBe(events.length);
  });

  it('keeps every event within the history and behind the joining of its person', () => {
    const joined = new Map(shop.people.map((person) => [person.externalId, person.createdAtMs]));
    const stray = events.filter(
      ({ atMs, externalId }) =>
        atMs >= END_MS || atMs < START_MS || atMs < joined.get(externalId!)!,
    );
    expect(stray).toEqual([]);
  });

  it('knows every event that feeds features, with the properties they need', () => {
    const types = new Set(events.map((event) => event.type));
    expect([...types].sort()).toEqual(
      [
        EVENT.adImpression,
        EVENT.emailDelivered,
        EVENT.emailClicked,
        EVENT.emailOpened,
        EVENT.orderCompleted,
        EVENT.orderRefunded,
        EVENT.productAdded,
        EVENT.productReviewed,
        EVENT.productViewed,
        EVENT.unsubscribed,
      ].sort(),
    );
    const bad = events.filter(({ type, properties }) => {
      if (type === EVENT.orderCompleted || type === EVENT.orderRefunded) {
        const lines = properties['products'] as OrderLine[];
        const cents = lines.reduce(
          (sum, line) => sum + Math.round(line.price * 100) * line.quantity,
          0,
        );
        return (
          lines.some((line) => !skus.has(line.sku)) ||
          Math.abs(cents - Number(properties['total']) * 100) > 0.01
        );
      }
      if (type === EVENT.productReviewed) {
        return ![1, 2, 3, 4, 5].includes(properties['rating'] as number) || !properties['text'];
      }
      if (type === EVENT.adImpression) return !(Number(properties['cost']) > 0);
      if (type.startsWith('Product')) return !skus.has(String(properties['sku']));
      return typeof properties['campaign'] !== 'string';
    });
    expect(bad).toEqual([]);
    expect(events.some((event) => event.properties['machine'] === true)).toBe(true);
  });

  it('refunds only what was ordered before', () => {
    const orders = new Map(
      events
        .filter((event) => event.type === EVENT.orderCompleted)
        .map((event) => [event.properties['orderId'], event]),
    );
    const refunds = events.filter((event) => event.type === EVENT.orderRefunded);
    expect(refunds.length).toBeGreaterThan(100);
    for (const refund of refunds) {
      const order = orders.get(refund.properties['orderId']);
      expect(order?.atMs).toBeLessThan(refund.atMs);
      expect(Number(refund.properties['total'])).toBeLessThanOrEqual(
        Number(order?.properties['total']),
      );
    }
  });

  it('writes only to domains that are reserved, so that no mail can reach anyone', () => {
    const domains = shop.people.flatMap(({ email }) => {
      const address = email === null ? null : parseAddress(email);
      return address ? [address.domain] : [];
    });
    const open = domains.filter((domain) => !/(?:\.test|\.example\.(?:com|org|net))$/.test(domain));
    expect(open).toEqual([]);
    expect(new Set(domains).size).toBe(8);
  });

  it('has the flaws of real data, each in its share', () => {
    const { people } = shop;
    const share = (count: number): number => count / people.length;
    const units = people.flatMap(({ email }) => {
      const address = email === null ? null : parseAddress(email);
      return address ? [addressUnit(address)] : [];
    });
    const missing = people.filter((person) => person.email === null).length;
    const malformed = people.length - missing - units.length;
    expect(share(missing)).toBeGreaterThan(0.008);
    expect(share(malformed)).toBeGreaterThan(0.005);
    expect(share(units.length - new Set(units).size)).toBeGreaterThan(0.004);
    expect(share(people.filter((person) => person.consent === null).length)).toBeGreaterThan(0.07);
    expect(people.some((person) => person.name === null)).toBe(true);
    expect(people.some((person) => person.timeZone === null)).toBe(true);
    expect(share(missing + malformed)).toBeLessThan(0.05);
  });

  it('takes back the consent of everyone who unsubscribed, at that moment', () => {
    const left = events.filter((event) => event.type === EVENT.unsubscribed);
    expect(left.length).toBeGreaterThan(50);
    const byId = new Map(shop.people.map((person) => [person.externalId, person]));
    for (const { externalId, atMs } of left) {
      expect(byId.get(externalId!)?.consent).toEqual({
        granted: false,
        atMs,
        source: 'unsubscribe',
      });
    }
    // No newsletter after that.
    const when = new Map(left.map((event) => [event.externalId, event.atMs]));
    const late = events.filter(
      (event) =>
        event.type === EVENT.emailDelivered && event.atMs > (when.get(event.externalId) ?? END_MS),
    );
    expect(late).toEqual([]);
  });

  it('lives in several countries and real time zones', () => {
    expect(new Set(shop.people.map((person) => person.country)).size).toBeGreaterThanOrEqual(10);
    const zones = new Set(
      shop.people.map((person) => person.timeZone).filter((zone) => zone !== null),
    );
    expect(zones.size).toBeGreaterThanOrEqual(12);
    expect([...zones].every(isTimeZone)).toBe(true);
  });

  it('has a catalogue with a dozen categories, positive prices and unique numbers', () => {
    expect(new Set(shop.products.map((product) => product.category)).size).toBe(12);
    expect(skus.size).toBe(300);
    expect(Math.min(...shop.products.map((product) => product.price))).toBeGreaterThan(0);
    expect(shop.products.filter((product) => product.stock === 0).length).toBeGreaterThan(3);
  });
});
