import fc from 'fast-check';
import * as z from 'zod';
import { describe, expect, test } from 'vitest';
import { checkCampaign } from '../../domain/campaign.schema.ts';
import { checkSegment, parseSegment, segmentSchema } from '../../domain/segment.schema.ts';
import type { Segment } from '../../domain/segment.ts';
import { describeMeasured, describeSegment } from '../../domain/segment-words.ts';
import { segmentArbitrary } from '../support/segment-worlds.ts';

const order = { event: 'Order Completed', is: 'ge', value: 1 } as const;
const problemsOf = (input: unknown): string[] =>
  checkSegment(input).problems.map(({ pointer, message }) => `${pointer} | ${message}`);

describe('what is no segment', () => {
  test.each([
    [5, '| The segment is 5; expected a segment such as'],
    [{}, '| The segment says nothing; expected exactly one of all, any, not'],
    [{ evnt: 'x' }, 'has "evnt", perhaps for "event"'],
    [{ all: [], any: [] }, 'has all and any at once'],
    [{ all: 3 }, '/all | The segment at /all is 3; expected a list of segments.'],
    [{ all: [{ not: { any: [{ ...order, value: '1' }] } }] }, '/all/0/not/any/0/value | '],
    [{ ...order, is: 'gte' }, '/is | The segment at /is is "gte"; did you mean "ge"?'],
    [
      { ...order, within: '30 days' },
      '/within | The segment at /within is "30 days"; expected a span',
    ],
    [
      { ...order, whithin: '30d' },
      '/whithin | The segment at /whithin is no field of this; did you mean "within"?',
    ],
    [{ ...order, value: 1.5 }, 'expected a whole number, since events are counted'],
    [{ ...order, value: NaN }, '/value | The segment at /value is NaN; expected a number'],
    [{ ...order, of: 'total' }, '/of | The segment at /of needs a measure such as "sum"'],
    [
      { ...order, measure: 'recency', is: 'eq' },
      '/is | The segment at /is is "eq"; expected lt, le, gt or ge',
    ],
    [
      { ...order, where: { category: [] } },
      '/where/category | The segment at /where/category is an empty list',
    ],
    [
      { ...order, where: { categry: 'red' } },
      '/where/categry | The segment at /where/categry is no property; did you mean "category"?',
    ],
    [{ trait: 'timezone', is: 'eq', value: 'x' }, 'is "timezone"; did you mean "timeZone"?'],
    [
      { trait: 'country', is: 'eq', value: 49 },
      '/value | The segment at /value is 49; expected a text, since "country" is one',
    ],
    [
      { trait: 'consent', is: 'eq', value: 'yes' },
      'expected true or false, since "consent" is a flag',
    ],
    [{ trait: 'consent', is: 'exists' }, 'expected eq or ne'],
    [
      { trait: 'plan', is: 'in', value: 'gold' },
      '/value | The segment at /value is "gold"; expected a list',
    ],
    [{ trait: 'plan', is: 'ge', value: true }, 'expected a number, or a text such as'],
    [{ score: 'order-30d', is: 'eq', value: 1 }, '/is'],
    [{ cluster: [''] }, '/cluster/0'],
  ])('%j', (input, expected) => {
    expect(problemsOf(input).join('\n')).toContain(expected);
  });

  test('one that is nested too deep, or has too many clauses', () => {
    let deep: unknown = order;
    for (let level = 0; level < 12; level += 1) deep = { not: deep };
    expect(problemsOf(deep).join()).toContain('nested deeper than 12 levels');
    expect(problemsOf({ any: Array.from({ length: 201 }, () => order) }).join()).toContain(
      'has 201 clauses',
    );
    const circle: { all: unknown[] } = { all: [] };
    circle.all.push(circle);
    expect(problemsOf(circle)).toHaveLength(1);
  });

  test('parseSegment says all of it in one error, and freezes what is well', () => {
    expect(() => parseSegment({ all: [{ ...order, is: 'x' }, 7] })).toThrow(
      /\/all\/0\/is .*\n.*\/all\/1 /,
    );
    const segment = parseSegment({ all: [{ trait: 'plan', is: 'in', value: ['gold'] }] });
    expect(
      Object.isFrozen((segment as unknown as { all: { value: unknown }[] }).all[0]!.value),
    ).toBe(true);
  });

  test('in a campaign the problem has its place there', () => {
    const { problems } = checkCampaign({
      audience: { segment: { all: [{ ...order, is: 'gte' }] } },
    });
    expect(problems).toContainEqual({
      pointer: '/audience/segment/all/0/is',
      at: 'value',
      message: 'audience.segment.all[0].is is "gte"; did you mean "ge"?',
    });
  });
});

test('the shape for editors accepts whatever the check accepts, and is JSON Schema', () => {
  fc.assert(
    fc.property(segmentArbitrary, (segment) => {
      expect(segmentSchema.parse(segment)).toEqual(segment);
    }),
  );
  expect(JSON.stringify(z.toJSONSchema(segmentSchema, { target: 'draft-7' }))).toContain(
    '"within"',
  );
});

test.each<[Segment, string]>([
  [order, 'ordered'],
  [{ ...order, within: '30d' }, 'ordered in the last 30 days'],
  [{ ...order, value: 3, within: '1w' }, 'ordered at least 3 times in the last week'],
  [{ ...order, is: 'eq', value: 0, within: '90d' }, 'did not order in the last 90 days'],
  [
    { ...order, measure: 'sum', of: 'total', value: 100, within: '365d' },
    'ordered for at least 100.00 in the last 365 days',
  ],
  [
    { ...order, measure: 'sum', of: 'quantity', value: 5, where: { category: ['shoes', 'hats'] } },
    'ordered at least 5 pieces in categories "shoes" or "hats"',
  ],
  [{ ...order, measure: 'recency', value: 60 }, 'ordered last at least 60 days ago'],
  [{ event: 'Wishlist Shared', is: 'gt', value: 2 }, 'did "Wishlist Shared" more than 2 times'],
  [{ trait: 'country', is: 'in', value: ['DE', 'AT'] }, 'country is one of "DE" or "AT"'],
  [{ trait: 'consent', is: 'eq', value: true }, 'consent to mail is given'],
  [{ score: 'order-30d', is: 'ge', value: 0.2 }, 'score "order-30d" is at least 0.2'],
  [{ cluster: 'lapsed high spenders' }, 'is in the cluster "lapsed high spenders"'],
  [
    { all: [order, { any: [{ trait: 'vip', is: 'exists' }, { not: order }] }] },
    'ordered and (vip is known or not (ordered))',
  ],
  [{ all: [] }, 'everybody'],
  [{ any: [] }, 'nobody'],
])('%j reads as %s', (segment, words) => {
  expect(describeSegment(segment)).toBe(words);
});

test('what was found, in words', () => {
  expect(describeMeasured({ ...order, within: '30d' }, 0)).toBe(
    'did not order in the last 30 days',
  );
  expect(describeMeasured({ ...order, within: '30d' }, 1)).toBe('ordered once in the last 30 days');
  expect(describeMeasured({ ...order, measure: 'recency' }, 12.34)).toBe(
    'ordered last 12.3 days ago',
  );
  expect(describeMeasured({ ...order, measure: 'recency' }, null)).toBe('did not order');
  expect(describeMeasured({ trait: 'plan', is: 'exists' }, null)).toBe('plan is not known');
  expect(describeMeasured({ score: 'm', is: 'ge', value: 0 }, 0.123456)).toBe(
    'score "m" is 0.1235',
  );
});
