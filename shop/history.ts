import { MS_PER_DAY } from '../domain/clock.ts';
import { EVENT, type EventRecord, type OrderLine } from '../domain/records.ts';
import { dayAtWarp, warpAt, zoneOffset } from './calendar.ts';
import { type MailHistory, type Newsletter, mailHistoryOf } from './newsletters.ts';
import { drawProduct, orderEvent, purchasesOf } from './orders.ts';
import { Random, STREAM } from './random.ts';
import { reviewText } from './reviews.ts';
import { type Persona, type World, instantOnDay } from './world.ts';

/** Collects one person's events: numbers their ids and keeps to the span of the history. */
class Diary {
  readonly events: EventRecord[] = [];
  readonly #persona: Persona;
  readonly #endMs: number;
  #count = 0;

  constructor(persona: Persona, endMs: number) {
    this.#persona = persona;
    this.#endMs = endMs;
  }

  add(type: string, atMs: number, properties: Record<string, unknown>): void {
    this.#count += 1;
    // Whole seconds, like a shop's log; the number is spent either way, so ids do not depend on the end.
    const messageId = `${this.#persona.externalId}-${this.#count}`;
    const at = Math.floor(atMs / 1000) * 1000;
    if (at < this.#endMs && at >= this.#persona.joinedMs) {
      this.events.push({
        messageId,
        type,
        externalId: this.#persona.externalId,
        atMs: at,
        properties,
      });
    }
  }

  put(event: EventRecord): void {
    if (event.atMs < this.#endMs) this.events.push(event);
  }
}

/** All that the shop knows of a person's doings, in order of time. */
export function historyOf(
  world: World,
  newsletters: readonly Newsletter[],
  persona: Persona,
): EventRecord[] {
  const diary = new Diary(persona, world.options.endMs);
  const purchases = purchasesOf(world, persona);
  for (const moment of purchases.orders) {
    if (moment.atMs >= world.options.endMs) break;
    const order = orderEvent(world, persona, moment);
    addOrder(world, persona, diary, order, moment.number);
  }
  addSessions(world, persona, diary, purchases.goneAfter?.atMs ?? null);
  addMails(world, persona, diary, mailHistoryOf(world, newsletters, persona));
  return diary.events.sort((a, b) => a.atMs - b.atMs);
}

/** The visit that led to an order, the order, and what came of it. */
function addOrder(
  world: World,
  persona: Persona,
  diary: Diary,
  order: EventRecord,
  number: number,
): void {
  const random = new Random(world.options.seed, STREAM.afterwards, persona.index, number);
  const lines = order.properties['products'] as OrderLine[];
  let atMs = order.atMs - 60_000 * random.between(2, 4) * lines.length;
  for (const line of lines) {
    const { sku, category, price, quantity } = line;
    diary.add(EVENT.productViewed, atMs, { sku, category, price });
    diary.add(EVENT.productAdded, atMs + 40_000, { sku, category, price, quantity });
    atMs += 90_000;
  }
  diary.put(order);
  if (random.chance(persona.returns)) addRefund(diary, order, random);
  for (const line of lines) {
    if (!random.chance(persona.reviews)) continue;
    addReview(
      world,
      persona,
      diary,
      line.sku,
      order.atMs + MS_PER_DAY * random.between(4, 24),
      random,
    );
  }
}

function addRefund(diary: Diary, order: EventRecord, random: Random): void {
  const lines = order.properties['products'] as OrderLine[];
  const line = random.pick(lines);
  diary.add(EVENT.orderRefunded, order.atMs + MS_PER_DAY * random.between(4, 21), {
    orderId: order.properties['orderId'],
    total: Math.round(line.price * 100 * line.quantity) / 100,
    currency: 'EUR',
    products: [line],
  });
}

function addReview(
  world: World,
  persona: Persona,
  diary: Diary,
  sku: string,
  atMs: number,
  random: Random,
): void {
  const index = world.catalogue.products.findIndex((product) => product.sku === sku);
  const wanted = world.catalogue.quality[index]! + persona.ratingBias + 0.8 * random.normal();
  const rating = Math.min(5, Math.max(1, Math.round(wanted)));
  diary.add(EVENT.productReviewed, atMs, { sku, rating, text: reviewText(rating, random) });
}

/** Known truth: visits without an order, a (season-weighted) day. */
export function visitRate(persona: Persona): number {
  return 0.7 * persona.ratePerDay + (persona.buyer ? 0.004 : 0.012);
}

/** Those who are gone still look in now and then. */
const VISITS_WHEN_GONE = 0.12;

function addSessions(world: World, persona: Persona, diary: Diary, goneMs: number | null): void {
  const random = new Random(world.options.seed, STREAM.sessions, persona.index);
  const rate = visitRate(persona);
  let warped = warpAt(
    world.calendar,
    persona.joinedMs + zoneOffset(persona.zone, persona.joinedMs),
  );
  for (;;) {
    warped += random.exponential() / rate;
    const day = dayAtWarp(world.calendar, warped);
    if (day === null || day * MS_PER_DAY > world.options.endMs + MS_PER_DAY) return;
    const atMs = instantOnDay(persona, day, random);
    const stays = random.chance(VISITS_WHEN_GONE);
    if (goneMs !== null && atMs > goneMs && !stays) continue;
    addSession(world, persona, diary, atMs, random);
  }
}

function addSession(
  world: World,
  persona: Persona,
  diary: Diary,
  startMs: number,
  random: Random,
): void {
  let atMs = startMs;
  const views = 1 + random.poisson(1.8);
  for (let n = 0; n < views; n += 1) {
    const { sku, category, price } = world.catalogue.products[drawProduct(world, persona, random)]!;
    diary.add(EVENT.productViewed, atMs, { sku, category, price });
    // A cart that is left behind.
    if (random.chance(0.1)) {
      diary.add(EVENT.productAdded, atMs + 30_000, { sku, category, price, quantity: 1 });
    }
    atMs += 1000 * (20 + 60 * random.exponential());
  }
  addAds(diary, startMs, atMs, random);
}

/** Advertisements follow a visit for some days. They cost, and (known truth) change nothing. */
function addAds(diary: Diary, startMs: number, endMs: number, random: Random): void {
  const count = random.poisson(1.1);
  for (let n = 0; n < count; n += 1) {
    const prospecting = random.chance(0.15);
    const atMs = prospecting
      ? startMs - 60_000 * random.between(1, 30)
      : endMs + MS_PER_DAY * random.between(0.02, 5);
    diary.add(EVENT.adImpression, atMs, {
      placement: random.pick(PLACEMENTS),
      cost: Math.round(1e5 * 0.006 * Math.exp(0.5 * random.normal())) / 1e5,
      campaign: prospecting ? 'ads-prospecting' : 'ads-retargeting',
    });
  }
}

const PLACEMENTS = ['search', 'feed', 'display', 'video'] as const;

function addMails(world: World, persona: Persona, diary: Diary, history: MailHistory): void {
  for (const { campaign, deliveredMs, response } of history.received) {
    const mail = { campaign, step: 0 };
    diary.add(EVENT.emailDelivered, deliveredMs, mail);
    if (response.machineOpenMs !== null) {
      diary.add(EVENT.emailOpened, response.machineOpenMs, { ...mail, machine: true });
    }
    if (response.openMs !== null) diary.add(EVENT.emailOpened, response.openMs, mail);
    if (response.clickMs !== null) addClick(world, persona, diary, mail, response.clickMs);
    if (response.leaveMs !== null) diary.add(EVENT.unsubscribed, response.leaveMs, mail);
  }
}

function addClick(
  world: World,
  persona: Persona,
  diary: Diary,
  mail: { campaign: string; step: number },
  atMs: number,
): void {
  const random = new Random(
    world.options.seed,
    STREAM.afterwards,
    persona.index,
    Math.floor(atMs / 1000),
    1,
  );
  const { sku, category, price, url } =
    world.catalogue.products[drawProduct(world, persona, random)]!;
  diary.add(EVENT.emailClicked, atMs, { ...mail, link: url });
  diary.add(EVENT.productViewed, atMs + 2000, { sku, category, price });
}
