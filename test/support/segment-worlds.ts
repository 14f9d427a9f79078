import fc from 'fast-check';
import { MS_PER_DAY } from '../../domain/clock.ts';
import { EVENT, type TraitValue } from '../../domain/records.ts';
import type { Segment } from '../../domain/segment.ts';
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
  timeZone: fc.constantFrom('', 'Europe/Berlin'),
  locale: fc.constantFrom('', 'de', 'de-AT'),
  consent: fc.boolean(),
  hasAddress: fc.boolean(),
  traits: fc.dictionary(fc.constantFrom(...TRAITS), trait, { maxKeys: 4 }),
  older: fc.dictionary(fc.constantFrom(...TRAITS), trait, { maxKeys: 2 }),
  createdAgeMs: fc.oneof(
    { weight: 9, arbitrary: fc.constant(1_000 * MS_PER_DAY) },
    { weight: 1, arbitrary: ageMs },
  ),
  events: fc.array(fc.record({ type: fc.constantFrom(...TYPES), ageMs, properties }), {
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
});
export type World = typeof worldArbitrary extends fc.Arbitrary<infer T> ? T : never;

const order = fc.constantFrom('eq', 'ne', 'lt', 'le', 'gt', 'ge');
const names = (values: readonly string[]): fc.Arbitrary<string | string[]> =>
  fc.oneof(
    fc.constantFrom(...values, 'nothing'),
    fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 }),
  );

const where = fc.record(
  { category: names(CATEGORIES), sku: names(SKUS), campaign: names(CAMPAIGNS) },
  { requiredKeys: [] },
);
const eventBase = {
  event: fc.constantFrom(...TYPES),
  within: fc.constantFrom('1d', '7d', '30d', '90d', '52w', '24h', '3650d'),
  where,
};
const requiredKeys = ['event', 'measure', 'of', 'is', 'value'] as const;
const eventClause = fc.oneof(
  fc.record(
    {
      ...eventBase,
      measure: fc.constant('count'),
      is: order,
      value: fc.integer({ min: 0, max: 3 }),
    },
    { requiredKeys: ['event', 'is', 'value'] },
  ),
  fc.record(
    {
      ...eventBase,
      measure: fc.constant('sum'),
      of: fc.constantFrom('total', 'quantity'),
      is: order,
      value: fc.constantFrom(0, 0.1, 0.3, 33.33, 66.66, 100, 3, 199.99),
    },
    { requiredKeys: [...requiredKeys] },
  ),
  fc.record(
    {
      ...eventBase,
      measure: fc.constant('recency'),
      is: fc.constantFrom('lt', 'le', 'gt', 'ge'),
      value: fc.constantFrom(0, 1, 7, 30, 365),
    },
    { requiredKeys: ['event', 'measure', 'is', 'value'] },
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
    traits: source.traits,
    createdAtMs: nowMs - source.createdAgeMs,
  };
  const older = { ...newest, version: 1, country: 'XX', traits: source.older };
  const events = source.events.map((event, index) => ({
    id: id * 100 + index,
    type: event.type,
    personId: id,
    atMs: nowMs - event.ageMs,
    properties: event.properties,
  }));
  return { newest, older, events };
}
