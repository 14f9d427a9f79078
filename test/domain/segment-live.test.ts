import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MS_PER_DAY } from '../../domain/clock.ts';
import { matchesSegment, type PersonFacts } from '../../domain/segment-eval.ts';
import { nextChange, segmentDependencies } from '../../domain/segment-live.ts';
import { resolvedSegment } from '../../domain/segment-references.ts';
import type { Segment } from '../../domain/segment.ts';
import { eventToRows } from '../../domain/warehouse-rows.ts';
import { NAMED, personOf, segmentArbitrary, worldArbitrary } from '../support/segment-worlds.ts';

const named = new Map(Object.entries(NAMED));
const NOW = Date.UTC(2023, 9, 28, 12);

const some = fc.array(segmentArbitrary, { minLength: 10, maxLength: 10 });
const placed = fc.tuple(worldArbitrary, some).map(([world, written]) => {
  const source = world.people[0]!;
  const nowMs = NOW + world.nowOffsetMs;
  const { newest, events } = personOf(source, 1, nowMs);
  const facts: PersonFacts = {
    person: newest,
    rows: events.flatMap(eventToRows),
    scores: source.scores.map((score) => ({ ...score, atMs: nowMs - score.ageMs })),
    cluster: source.cluster,
  };
  const segments = written.map((each) => resolvedSegment(each, named));
  return { facts, segments, nowMs, shop: { timeZone: world.shopZone } };
});

describe('the next change', () => {
  test('is a change, and nothing changes before it', () => {
    let changes = 0;
    fc.assert(
      fc.property(
        placed,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 }),
        ({ facts, segments, nowMs, shop }, shares) => {
          for (const segment of segments) {
            const is = (atMs: number): boolean => matchesSegment(segment, facts, atMs, shop);
            const next = nextChange(segment, facts, nowMs, shop);
            if (next !== null) {
              changes += 1;
              expect(next).toBeGreaterThan(nowMs);
              expect(is(next)).not.toBe(is(nowMs));
              expect(is(next - 1)).toBe(is(nowMs));
            }
            const endMs = next ?? nowMs + 1_500 * MS_PER_DAY;
            // Far and near moments, and hours and midnights, where changes are.
            for (const share of shares) {
              const far = nowMs + Math.floor((endMs - nowMs) * share);
              const near = nowMs + Math.floor((endMs - nowMs) * share ** 8);
              const hour = Math.floor(far / 3_600_000) * 3_600_000;
              for (const atMs of [far, near, hour]) {
                if (atMs >= nowMs && atMs < endMs) expect(is(atMs)).toBe(is(nowMs));
              }
            }
          }
        },
      ),
      { numRuns: 200, seed: Number(process.env['KAIROS_SEED'] ?? 7) },
    );
    // Else it would hold of a function that always says "never".
    expect(changes).toBeGreaterThan(60);
  });

  test('does not come where only new facts can change a segment', () => {
    let calm = 0;
    fc.assert(
      fc.property(placed, ({ facts, segments, nowMs, shop }) => {
        const past = {
          ...facts,
          rows: facts.rows.filter((row) => row.atMs < nowMs),
          scores: facts.scores.filter((score) => score.atMs < nowMs),
        };
        for (const segment of segments) {
          if (segmentDependencies(segment).timeBased) continue;
          calm += 1;
          expect(nextChange(segment, past, nowMs, shop)).toBeNull();
        }
      }),
      { numRuns: 100, seed: 7 },
    );
    expect(calm).toBeGreaterThan(100);
  });

  const facts = (
    rows: { type: string; atMs: number }[],
    traits: Record<string, string> = {},
  ): PersonFacts => ({
    person: {
      personId: 1,
      version: 1,
      externalId: 'x',
      country: '',
      timeZone: 'America/New_York',
      locale: '',
      consent: true,
      hasAddress: true,
      traits,
      createdAtMs: NOW - MS_PER_DAY,
    },
    rows: rows.flatMap((row, index) =>
      eventToRows({ id: index + 1, personId: 1, properties: {}, ...row }),
    ),
    scores: [],
    cluster: null,
  });
  const order = (daysAgo: number) => ({
    type: 'Order Completed',
    atMs: NOW - daysAgo * MS_PER_DAY,
  });

  test.each<[string, Segment, PersonFacts, number | null]>([
    [
      'an order leaves the window a millisecond after its last moment',
      { event: 'Order Completed', within: '30d', is: 'ge', value: 1 },
      facts([order(10)]),
      NOW + 20 * MS_PER_DAY + 1,
    ],
    [
      'a recency is reached to the millisecond',
      { event: 'Order Completed', measure: 'recency', is: 'ge', value: 60 },
      facts([order(10)]),
      NOW + 50 * MS_PER_DAY,
    ],
    [
      'who viewed and did not buy for three days is in then',
      { sequence: [{ event: 'Order Completed' }, { never: 'Order Completed', within: '3d' }] },
      facts([order(1)]),
      NOW + 2 * MS_PER_DAY + 1,
    ],
    [
      'a birthday begins at midnight where the person lives',
      { anniversary: 'birthday', zone: 'person' },
      facts([], { birthday: '1990-11-06' }),
      Date.UTC(2023, 10, 6, 5),
    ],
    [
      'an order once and for all changes nothing',
      { event: 'Order Completed', is: 'ge', value: 1 },
      facts([order(1)]),
      null,
    ],
    ['a trait does not change by time', { trait: 'plan', is: 'exists' }, facts([]), null],
  ])('%s', (_, segment, person, expected) => {
    expect(nextChange(segment, person, NOW)).toBe(expected);
  });
});

test('dependencies name everything that can change a segment', () => {
  const segment = resolvedSegment(
    {
      all: [
        { segment: 'silent buyers' },
        {
          event: 'Product Viewed',
          measure: 'max',
          of: 'price',
          where: { colour: 'red' },
          is: 'ge',
          value: 3,
        },
        { not: { list: 'fair' } },
        { any: [{ score: 'churn', is: 'ge', value: 0.5 }, { cluster: 'new' }] },
        { place: { near: { latitude: 1, longitude: 2, km: 3 } } },
        { anniversary: 'birthday', zone: 'person' },
      ],
    },
    named,
  );
  expect(segmentDependencies(segment)).toEqual({
    events: new Set(['Order Completed', 'Product Viewed', 'List Joined', 'List Left']),
    properties: new Set(['price', 'colour']),
    traits: new Set(['latitude', 'longitude', 'birthday', 'timeZone']),
    scores: new Set(['churn']),
    clusters: true,
    segments: new Set(['silent buyers', 'buyers']),
    lists: new Set(['fair']),
    timeBased: true,
  });
  expect(segmentDependencies({ feature: 'tenureDays', is: 'ge', value: 3 }).events).toBeNull();
  expect(segmentDependencies({ trait: 'plan', is: 'exists' }).timeBased).toBe(false);
  expect(segmentDependencies({ event: 'x', is: 'ge', value: 1 }).timeBased).toBe(false);
});
