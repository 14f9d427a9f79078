import fc from 'fast-check';
import { MS_PER_DAY } from '../../domain/clock.ts';
import { EVENT, type TraitValue } from '../../domain/records.ts';
import { ORDER_FEATURES, RFM_FEATURES } from '../../domain/features.ts';
import type { Segment } from '../../domain/segment.ts';
import { PERIOD_NAMES } from '../../domain/segment-time.ts';
import type { EventOfLog, WarehousePerson } from '../../domain/warehouse-rows.ts';

/** Small random shops, and segments over them, made so that bounds are met exactly now and then. */
const CATEGORIES = ['shoes', 'hats', "o'neil \\ 100%"];
const SKUS = ['s1', 's2', 'größe-😀'];
const CAMPAIGNS = ['win-back', 'hello'];
const TYPES = [
  EVENT.orderCompleted,
  EVENT.orderRefunded,
  EVENT.productViewed,
  EVENT.emailOpened,
  'Custom {x:String}',
  EVENT.listJoined,
  EVENT.listLeft,
];
const LISTS = ['fair', "vip's"];
const ZONES = [
  '',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Pacific/Auckland',
  'No/Zone',
];
const DATES = [
  '1988-02-29',
  '1990-02-28',
  '2021-03-01',
  '1959-12-31',
  '2000-12-25T10:00:00Z',
  '2024-06-01',
  '2023-02-30',
  '1990-13-01',
  '1899-12-31',
  'x1990-01-01',
  '1990-01-011',
  '2023-02-29',
];
/** Instants and wall clocks at which Berlin, New York and Auckland change their clocks. */
const CHANGES = [
  Date.UTC(2023, 2, 26, 1),
  Date.UTC(2023, 9, 29, 0),
  Date.UTC(2023, 9, 29, 1),
  Date.UTC(2023, 10, 5, 6),
  Date.UTC(2023, 8, 23, 14),
];
const WALLS = [
  '2023-03-26T02:30',
  '2023-10-29T02:30',
  '2023-11-05T01:30',
  '2023-09-24',
  '2023-03-26',
  '2023-10-29',
  '2023-07-01T00:00:00',
  '2023-10-29T01:00:00Z',
  '2023-01-01T00:00:00+05:30',
];
const MODELS = ['order-30d', 'churn'];
const CLUSTERS = ['lapsed high spenders', 'new', "it's"];
const TEXTS = [
  'gold',
  'silver',
  "'; DROP TABLE event --",
  'naïve\ttab',
  '2026-12-01',
  '\u{1F600}',
  '\uFFFD',
];
const NUMBERS = [0, 1, -1.5, 0.1, 33.33, 1e-7, 1e15];
const TRAITS = ['plan', 'points', 'vip', "a'b"];
const PRICES = [0.1, 0.2, 33.33, 100, 19.99, 0];

/** Times before and after "now", on the very bounds of the windows below, and a millisecond beside them. */
const ageMs = fc
  .tuple(fc.constantFrom(0, 1, 7, 29, 30, 90, 365, 800, -1, -5), fc.constantFrom(-1, 0, 1))
  .map(([days, ms]) => days * MS_PER_DAY + ms);

/** Now and then an event is where clocks change instead. */
const changeMs = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...CHANGES), fc.constantFrom(-3_600_000, -1, 0, 1, 1_800_000))
      .map(([at, off]) => at + off),
  },
);

const line = fc.record({
  sku: fc.constantFrom(...SKUS),
  quantity: fc.integer({ min: 1, max: 3 }),
  price: fc.constantFrom(...PRICES),
  category: fc.constantFrom(...CATEGORIES),
});

const properties = fc.record(
  {
    total: fc.constantFrom(...PRICES),
    products: fc.array(line, { maxLength: 3 }),
    category: fc.constantFrom(...CATEGORIES),
    sku: fc.constantFrom(...SKUS),
    campaign: fc.constantFrom(...CAMPAIGNS),
    price: fc.constantFrom(...PRICES),
    quantity: fc.integer({ min: 0, max: 3 }),
    machine: fc.boolean(),
    rating: fc.integer({ min: 0, max: 5 }),
    orderId: fc.constantFrom('o1', 'o2'),
    list: fc.constantFrom(...LISTS),
    colour: fc.oneof(fc.constantFrom('red', "b'lue"), fc.integer({ min: 0, max: 2 }), fc.boolean()),
    weight: fc.constantFrom(0.25, 1.5, -2, 8),
  },
  { requiredKeys: [] },
);

const trait: fc.Arbitrary<TraitValue> = fc.oneof(
  fc.constantFrom(...TEXTS),
  fc.constantFrom(...NUMBERS),
  fc.boolean(),
);

/** Ages and versions are made into times and ids of a world by the test. */
const person = fc.record({
  country: fc.constantFrom('', 'DE', 'FR'),
  timeZone: fc.constantFrom(...ZONES),
  locale: fc.constantFrom('', 'de', 'de-AT'),
  consent: fc.boolean(),
  hasAddress: fc.boolean(),
  traits: fc.dictionary(fc.constantFrom(...TRAITS), trait, { maxKeys: 4 }),
  dates: fc.dictionary(fc.constantFrom('birthday', 'expires'), fc.constantFrom(...DATES)),
  place: fc.record(
    {
      city: fc.constantFrom('Berlin', "L'Aquila"),
      region: fc.constantFrom('BE', 'BY'),
      latitude: fc.constantFrom(52.52, 48.14, -33.9, 90),
      longitude: fc.constantFrom(13.405, 11.58, 151.2, -180),
    },
    { requiredKeys: [] },
  ),
  older: fc.dictionary(fc.constantFrom(...TRAITS), trait, { maxKeys: 2 }),
  createdAgeMs: fc.oneof(
    { weight: 9, arbitrary: fc.constant(1_000 * MS_PER_DAY) },
    { weight: 1, arbitrary: ageMs },
  ),
  events: fc.array(fc.record({ type: fc.constantFrom(...TYPES), ageMs, changeMs, properties }), {
    maxLength: 8,
  }),
  scores: fc.array(
    fc.record({
      model: fc.constantFrom(...MODELS),
      ageMs,
      version: fc.integer({ min: 1, max: 3 }),
      value: fc.constantFrom(0, 0.2, 0.1, 0.9),
    }),
    { maxLength: 3 },
  ),
  cluster: fc.option(fc.constantFrom(...CLUSTERS)),
});

export const worldArbitrary = fc.record({
  people: fc.array(person, { minLength: 1, maxLength: 8 }),
  clusteringAgeMs: fc.constantFrom(1, 0, -1, MS_PER_DAY),
  /** Of the day. */
  nowOffsetMs: fc.constantFrom(0, 1, 3_600_000, 7_200_000, 43_200_000, 82_800_000, 86_399_999),
  shopZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York'),
});
export type World = typeof worldArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** What the references of random segments stand for; the second speaks of the first. */
export const NAMED: Readonly<Record<string, Segment>> = {
  buyers: { event: EVENT.orderCompleted, is: 'ge', value: 1 },
  'silent buyers': {
    all: [{ segment: 'buyers' }, { never: EVENT.orderCompleted, within: '30d' }],
  },
};

const order = fc.constantFrom('eq', 'ne', 'lt', 'le', 'gt', 'ge');
const names = (values: readonly string[]): fc.Arbitrary<string | string[]> =>
  fc.oneof(
    fc.constantFrom(...values, 'nothing'),
    fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 }),
  );

const text = fc.constantFrom('red', "b'lue", 'o1');
const filter = fc.oneof(
  text,
  fc.boolean(),
  fc.integer({ min: 0, max: 2 }),
  fc.array(fc.oneof(text, fc.integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 2 }),
  fc.record({ is: order, value: fc.oneof(text, fc.integer({ min: 0, max: 2 })) }),
  fc.record({ is: fc.constant('exists'), value: fc.boolean() }),
  fc.record({ is: fc.constant('contains'), value: fc.constantFrom("'", 'e') }),
);
const where = fc.record(
  {
    category: names(CATEGORIES),
    sku: names(SKUS),
    campaign: names(CAMPAIGNS),
    orderId: fc.constantFrom('o1', 'o2'),
    total: fc.record({ is: order, value: fc.constantFrom(0, 33.33, 100, -33.33) }),
    quantity: fc.oneof(
      fc.constantFrom(1, 2),
      fc.record({ is: order, value: fc.integer({ min: 0, max: 3 }) }),
    ),
    rating: fc.record({ is: order, value: fc.integer({ min: 0, max: 5 }) }),
    colour: filter,
  },
  { requiredKeys: [] },
);
/** Few filters at once, else nothing is left. */
const someWhere = where.map((all) => Object.fromEntries(Object.entries(all).slice(0, 2)));
const span = fc.constantFrom('1d', '7d', '30d', '90d', '52w', '24h', '3650d');
const moment = fc.oneof(span, fc.constantFrom(...PERIOD_NAMES), fc.constantFrom(...WALLS));
const zone = fc.constantFrom('shop', 'person');
const windows = fc.oneof(
  fc.constant({}),
  fc.record({ within: span }),
  fc.record({ since: moment, before: moment, zone }, { requiredKeys: [] }),
);
const windowed = <T extends object>(clause: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.tuple(clause, windows).map(([one, window]) => ({ ...one, ...window }));

const event = fc.constantFrom(...TYPES);
const bare = { event, where: someWhere };
const numberOf = fc.constantFrom('total', 'quantity', 'rating', 'weight');
const textOf = fc.constantFrom('category', 'sku', 'campaign', 'orderId', 'colour');
const bound = fc.constantFrom(0, 0.1, 0.3, 33.33, 66.66, 100, 3, 199.99, -2, 1.5);
const measured = (
  measures: string[],
  of: fc.Arbitrary<string>,
  is: fc.Arbitrary<string>,
  value: fc.Arbitrary<unknown>,
) =>
  fc.record(
    { ...bare, measure: fc.constantFrom(...measures), of, is, value },
    { requiredKeys: ['event', 'measure', 'of', 'is', 'value'] },
  );
const eventClause = windowed(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record(
        {
          ...bare,
          measure: fc.constant('count'),
          is: order,
          value: fc.integer({ min: 0, max: 3 }),
        },
        { requiredKeys: ['event', 'is', 'value'] },
      ),
    },
    measured(['sum', 'min', 'max', 'first', 'last'], numberOf, order, bound),
    measured(['first', 'last'], textOf, order, fc.constantFrom('shoes', 's1', 'red', 'hello')),
    measured(['first', 'last'], textOf, fc.constant('in'), fc.constant(['shoes', 's2', 'red'])),
    measured(
      ['distinct'],
      fc.oneof(textOf, fc.constant('day')),
      order,
      fc.integer({ min: 0, max: 3 }),
    ),
    fc.record(
      {
        ...bare,
        measure: fc.constantFrom('recency', 'sinceFirst'),
        is: fc.constantFrom('lt', 'le', 'gt', 'ge'),
        value: fc.constantFrom(0, 1, 7, 30, 365),
      },
      { requiredKeys: ['event', 'measure', 'is', 'value'] },
    ),
    fc.record({ never: event, where: someWhere }, { requiredKeys: ['never'] }),
  ),
);

const step = (kind: 'event' | 'never', within: boolean): fc.Arbitrary<object> =>
  fc
    .tuple(event, fc.option(someWhere), fc.constantFrom('1d', '7d', '30d', '335d', null))
    .map(([name, filters, span]) => ({
      [kind]: name,
      ...(filters ? { where: filters } : {}),
      ...(within && span ? { within: span } : {}),
    }));
const sequenceClause = windowed(
  fc
    .tuple(
      step('event', false),
      fc.oneof(
        fc.tuple(step('event', true)),
        fc.tuple(step('never', true)),
        fc.tuple(step('event', true), step('event', true)),
        fc.tuple(step('never', false), step('event', true)),
        fc.tuple(step('event', true), step('never', true)),
      ),
    )
    .map(([first, rest]) => ({ sequence: [first, ...rest] })),
);

const otherClause = fc.oneof(
  fc.record(
    {
      timeSince: fc.constantFrom('birthday', 'expires', 'plan'),
      is: order,
      value: fc.constantFrom(0, 1, 200, 10_000, -100),
      zone,
    },
    { requiredKeys: ['timeSince', 'is', 'value'] },
  ),
  fc.record({
    timeSince: fc.constant('createdAt'),
    is: fc.constantFrom('lt', 'le', 'gt', 'ge'),
    value: fc.constantFrom(30, 1_000, 999.5),
  }),
  fc.record(
    {
      anniversary: fc.constantFrom('birthday', 'expires', 'createdAt'),
      daysBefore: fc.constantFrom(0, 1, 60, 182),
      daysAfter: fc.constantFrom(0, 1, 60, 182),
      zone,
    },
    { requiredKeys: ['anniversary'] },
  ),
  fc.record({
    place: fc.oneof(
      fc.record(
        {
          city: fc.constantFrom('Berlin', "L'Aquila"),
          region: fc.constantFrom('BE', ['BE', 'BY']),
        },
        { requiredKeys: ['city'] },
      ),
      fc.record({ country: fc.constantFrom('DE', ['DE', 'FR']) }),
      fc.record({
        near: fc.record({
          latitude: fc.constant(52.4),
          longitude: fc.constant(13),
          km: fc.constantFrom(10, 100, 1_000),
        }),
      }),
    ),
  }),
  fc.record({
    feature: fc.constantFrom(...[...ORDER_FEATURES, ...RFM_FEATURES].map(({ name }) => name)),
    is: order,
    value: fc.constantFrom(0, 1, 2, 30, 33.33, 100),
  }),
  fc.record({ segment: fc.constantFrom(...Object.keys(NAMED)) }),
  fc.record({ list: fc.constantFrom(...LISTS, 'nobody') }),
  fc.record(
    {
      random: fc.constantFrom('spring', "größe's"),
      percent: fc.constantFrom(0, 12.34, 50),
      from: fc.constantFrom(0, 33.3, 50),
    },
    { requiredKeys: ['random', 'percent'] },
  ),
);

const traitName = fc.constantFrom(...TRAITS, 'unknown');
const traitClause = fc.oneof(
  fc.record({
    trait: fc.constantFrom('country', 'timeZone', 'locale'),
    is: fc.constantFrom('eq', 'ne', 'lt', 'ge', 'contains'),
    value: fc.constantFrom('DE', 'FR', 'de', 'Europe/Berlin'),
  }),
  fc.record({
    trait: fc.constantFrom('consent', 'hasAddress'),
    is: fc.constantFrom('eq', 'ne'),
    value: fc.boolean(),
  }),
  fc.record({
    trait: traitName,
    is: fc.constantFrom('eq', 'ne'),
    value: fc.oneof(fc.constantFrom(...TEXTS), fc.constantFrom(...NUMBERS), fc.boolean()),
  }),
  fc.record({
    trait: traitName,
    is: fc.constantFrom('lt', 'le', 'gt', 'ge'),
    value: fc.oneof(fc.constantFrom(...TEXTS), fc.constantFrom(...NUMBERS)),
  }),
  fc.record({
    trait: traitName,
    is: fc.constant('contains'),
    value: fc.constantFrom('o', "'", '\t', '-'),
  }),
  fc.record({
    trait: traitName,
    is: fc.constant('in'),
    value: fc.array(fc.oneof(fc.constantFrom(...TEXTS), fc.constantFrom(...NUMBERS)), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
  fc.record({ trait: fc.oneof(traitName, fc.constant('country')), is: fc.constant('exists') }),
  fc.record({ trait: traitName, is: fc.constant('exists'), value: fc.boolean() }),
);

const scoreClause = fc.record({
  score: fc.constantFrom(...MODELS, 'unknown'),
  is: fc.constantFrom('lt', 'le', 'gt', 'ge'),
  value: fc.constantFrom(0, 0.1, 0.2, 0.5),
});
const clusterClause = fc.record({ cluster: names(CLUSTERS) });

export const segmentArbitrary = fc.letrec<{ node: Segment; clause: Segment }>((tie) => ({
  clause: fc.oneof(
    { weight: 5, arbitrary: eventClause },
    { weight: 3, arbitrary: traitClause },
    { weight: 2, arbitrary: sequenceClause },
    { weight: 4, arbitrary: otherClause },
    scoreClause,
    clusterClause,
  ) as fc.Arbitrary<Segment>,
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 2, arbitrary: tie('clause') },
    { weight: 1, arbitrary: fc.record({ all: fc.array(tie('node'), { maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ any: fc.array(tie('node'), { maxLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ not: tie('node') }) },
  ) as fc.Arbitrary<Segment>,
})).node;

/** A person of a world as the log and the warehouse know it. */
export function personOf(
  source: World['people'][number],
  id: number,
  nowMs: number,
): { newest: WarehousePerson; older: WarehousePerson; events: EventOfLog[] } {
  const newest: WarehousePerson = {
    personId: id,
    version: 2,
    externalId: `x${id}`,
    country: source.country,
    timeZone: source.timeZone,
    locale: source.locale,
    consent: source.consent,
    hasAddress: source.hasAddress,
    traits: { ...source.traits, ...source.dates, ...source.place },
    createdAtMs: nowMs - source.createdAgeMs,
  };
  const older = { ...newest, version: 1, country: 'XX', traits: source.older };
  const events = source.events.map((event, index) => ({
    id: id * 100 + index,
    type: event.type,
    personId: id,
    atMs: event.changeMs ?? nowMs - event.ageMs,
    properties: event.properties,
  }));
  return { newest, older, events };
}
