import { describe, expect, test } from 'vitest';
import { all, segmentsFor, SHOP_EVENTS } from '../../domain/segment-builder.ts';
import { resolveSegment, resolvedSegment } from '../../domain/segment-references.ts';
import type { Segment } from '../../domain/segment.ts';
import { checkSegment } from '../../domain/segment.schema.ts';
import { sipHash64 } from '../../domain/segment-hash.ts';
import { anniversaryDay, localDay, parseBound, periodStart } from '../../domain/segment-time.ts';

describe('the builder', () => {
  const { event, sequence, step, noStep } = segmentsFor({
    ...SHOP_EVENTS,
    'Size Chosen': { size: 'text', wide: 'flag', inches: 'number' },
  });

  test('gives the same data as is written by hand', () => {
    const built = all(
      event('Order Completed')
        .where({ category: ['shoes'] })
        .within('30d')
        .sum('total')
        .ge(100),
      event('Size Chosen')
        .where({ wide: true, inches: { is: 'lt', value: 9 } })
        .never(),
      event('Size Chosen').since('last-month').zone('person').last('size').eq('XL'),
      event('Product Viewed').recency().lt(3),
      sequence([step('Product Viewed'), noStep('Order Completed', { within: '3d' })], {
        within: '90d',
      }),
    );
    expect(built).toEqual({
      all: [
        {
          event: 'Order Completed',
          measure: 'sum',
          of: 'total',
          where: { category: ['shoes'] },
          within: '30d',
          is: 'ge',
          value: 100,
        },
        { never: 'Size Chosen', where: { wide: true, inches: { is: 'lt', value: 9 } } },
        {
          event: 'Size Chosen',
          measure: 'last',
          of: 'size',
          since: 'last-month',
          zone: 'person',
          is: 'eq',
          value: 'XL',
        },
        { event: 'Product Viewed', measure: 'recency', is: 'lt', value: 3 },
        {
          sequence: [{ event: 'Product Viewed' }, { never: 'Order Completed', within: '3d' }],
          within: '90d',
        },
      ],
    });
    expect(checkSegment(built).problems).toEqual([]);
  });

  test('knows the events by type', () => {
    // The compiler is the test: each of these lines must be an error.
    // @ts-expect-error no such event
    event('Order Complted');
    // @ts-expect-error no such property
    event('Size Chosen').where({ colour: 'red' });
    // @ts-expect-error a text has no sum
    event('Size Chosen').sum('size');
    // @ts-expect-error a flag is no text
    event('Size Chosen').where({ wide: 'yes' });
    // @ts-expect-error the last size is a text
    event('Size Chosen').last('size').eq(3);
    // @ts-expect-error no span
    event('Size Chosen').within('30 days');
    // @ts-expect-error fractions equal no number
    event('Size Chosen').recency().eq(3);
  });
});

describe('segments that speak of segments', () => {
  const order: Segment = { event: 'Order Completed', is: 'ge', value: 1 };

  test('are resolved, however deep', () => {
    const saved = new Map<string, Segment>([
      ['buyers', order],
      ['silent', { all: [{ segment: 'buyers' }, { not: order }] }],
    ]);
    expect(resolvedSegment({ any: [{ segment: 'silent' }] }, saved)).toEqual({
      any: [
        {
          segment: 'silent',
          means: { all: [{ segment: 'buyers', means: order }, { not: order }] },
        },
      ],
    });
  });

  test('a circle is named by its names, with its place', () => {
    const saved = new Map<string, Segment>([
      ['a', { not: { segment: 'b' } }],
      ['b', { any: [order, { segment: 'a' }] }],
    ]);
    const { segment, problems } = resolveSegment({ all: [order, { segment: 'a' }] }, saved);
    expect(segment).toBeNull();
    expect(problems).toEqual([
      {
        pointer: '/all/1/segment',
        at: 'value',
        message: 'The segment "a" → "b" → "a" speaks of itself; expected no circle.',
      },
    ]);
    expect(resolveSegment({ segment: 'me' }, new Map(), 'me').problems[0]!.message).toContain(
      '"me" → "me"',
    );
  });

  test('a misspelt name has the nearest one', () => {
    expect(() => resolvedSegment({ segment: 'byers' }, new Map([['buyers', order]]))).toThrow(
      'There is no segment "byers"; did you mean "buyers"?',
    );
  });
});

test.each([
  [{ event: 'x', measure: 'summ', is: 'ge', value: 1 }, 'did you mean "sum"?'],
  [{ event: 'x', measure: 'sum', of: 'totl', is: 'ge', value: 1 }, 'did you mean "total"?'],
  [
    { event: 'x', measure: 'sum', of: 'sku', is: 'ge', value: 1 },
    'expected a number, such as total',
  ],
  [{ event: 'x', measure: 'distinct', is: 'ge', value: 1 }, '/of is missing'],
  [
    { event: 'x', measure: 'last', of: 'sku', is: 'ge', value: 1 },
    'expected a text, since "sku" is one',
  ],
  [{ event: 'x', within: '3d', since: 'today', is: 'ge', value: 1 }, 'expected one of them'],
  [{ event: 'x', since: 'lst-month', is: 'ge', value: 1 }, 'did you mean "last-month"?'],
  [
    { event: 'x', since: '2023-02-30', is: 'ge', value: 1 },
    '/since is "2023-02-30"; expected a date',
  ],
  [{ event: 'x', zone: 'mine', is: 'ge', value: 1 }, 'expected one of shop, person'],
  [{ event: 'x', where: { total: 'much' }, is: 'ge', value: 1 }, 'expected a number here'],
  [{ never: 'x', is: 'ge' }, '/is is no field of this'],
  [{ sequence: [{ event: 'x' }] }, 'expected a list of 2 to 10 steps'],
  [{ sequence: [{ never: 'x' }, { event: 'y' }] }, 'expected an event first'],
  [{ sequence: [{ event: 'x' }, { never: 'y' }, { never: 'z' }] }, 'follows another "never"'],
  [{ sequence: [{ event: 'x', within: '3d' }, { event: 'z' }] }, 'has no step before it'],
  [{ anniversary: 'birthday', daysBefore: 300 }, 'from 0 to 182'],
  [{ place: { near: { latitude: 91, longitude: 0, km: 1 } } }, 'expected a number from -90 to 90'],
  [{ place: { citty: 'Berlin' } }, 'did you mean "city"?'],
  [{ feature: 'orders360d', is: 'ge', value: 1 }, 'did you mean "orders30d"?'],
  [{ random: 'x', percent: 60, from: 50 }, 'expected at most 100 together'],
  [{ timeSince: 'createdAt', is: 'eq', value: 3 }, 'expected lt, le, gt or ge'],
  [{ segment: 'x', means: { all: [] } }, '/means is no field of this'],
])('%j says %s', (input, expected) => {
  expect(
    checkSegment(input)
      .problems.map(({ message }) => message)
      .join('\n'),
  ).toContain(expected);
});

test('SipHash-2-4 as published, with a key of zeros', () => {
  // ClickHouse: SELECT sipHash64(''), sipHash64('abc').
  expect(sipHash64('')).toBe(2202906307356721367n);
  expect(sipHash64('abc')).toBe(sipHash64('abc'));
  expect(sipHash64('größe\u001f1')).not.toBe(sipHash64('größe\u001f2'));
});

test('days and periods on the wall clock', () => {
  expect(parseBound('2024-02-29')).toEqual({ kind: 'wall', localMs: Date.UTC(2024, 1, 29) });
  expect(parseBound('2023-02-29')).toBeNull();
  expect(parseBound('2023-01-01T25:00')).toBeNull();
  const day = (ms: number): string => new Date(ms * 86_400_000).toISOString().slice(0, 10);
  const sunday = Date.UTC(2023, 9, 29) / 86_400_000;
  expect(day(periodStart('this-week', sunday, 0))).toBe('2023-10-23');
  expect(day(periodStart('last-month', sunday, 0))).toBe('2023-09-01');
  expect(day(periodStart('this-month', sunday, 3))).toBe('2024-01-01');
  expect(day(periodStart('last-year', sunday, 0))).toBe('2022-01-01');
  // Half past midnight in Berlin is the day before in UTC.
  expect(day(localDay(Date.UTC(2023, 9, 28, 22, 30), 'Europe/Berlin'))).toBe('2023-10-29');
  const leap = { year: 2000, month: 2, day: 29 };
  expect(day(anniversaryDay(leap, 2023))).toBe('2023-02-28');
  expect(day(anniversaryDay(leap, 2024))).toBe('2024-02-29');
});
