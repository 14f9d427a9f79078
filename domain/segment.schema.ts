import * as z from 'zod';
import { KairosError } from './errors.ts';
import { FEATURES } from './features.ts';
import type { Problem } from './problem.ts';
import { pointerOf, said } from './schema-problems.ts';
import { findFaults } from './segment-check.ts';
import type { Segment } from './segment.ts';
import { PERIOD_NAMES } from './segment-time.ts';

/** The shape, for editors: `findFaults` is stricter, and the only one that speaks. Not for workflows. */
const text = z.string().min(1).max(200);
const texts = z.union([text, z.array(text).min(1).max(1_000)]);
const order = z.enum(['eq', 'ne', 'lt', 'le', 'gt', 'ge']);
const comparison = z.enum([...order.options, 'in', 'contains', 'exists']);
const values = z.union([
  z.string(),
  z.number(),
  z.boolean(),
  z.array(z.union([z.string(), z.number()])),
]);

const span = z
  .string()
  .regex(/^[0-9]{1,5}[mhdw]$/)
  .describe('A span such as 30d, 12h or 8w.');
const moment = z
  .string()
  .describe(
    `A date (2026-11-27) or time (2026-11-27T18:00), an instant (…T17:00:00Z), a span ago (30d), or ${PERIOD_NAMES.join(', ')}.`,
  );
const zone = z.enum(['shop', 'person']).describe('Whose wall clock; the shop’s by default.');
const where = z
  .record(
    text,
    z.union([values, z.strictObject({ is: comparison, value: values.exactOptional() })]),
  )
  .describe(
    'Only events (or order lines) with these properties: category, sku, campaign, orderId, total, quantity, rating, or the shop’s own.',
  );
const window = {
  within: span.describe('The events of this last span; all time by default.').exactOptional(),
  since: moment.exactOptional(),
  before: moment.exactOptional(),
  zone: zone.exactOptional(),
};

const trait = z.strictObject({
  trait: text.describe('country, timeZone, locale, consent, hasAddress, or one of the shop’s own.'),
  is: comparison,
  value: values.exactOptional(),
});

const event = z.strictObject({
  event: text.describe('Such as "Order Completed".'),
  measure: z
    .enum(['count', 'sum', 'min', 'max', 'first', 'last', 'distinct', 'recency', 'sinceFirst'])
    .describe('count by default; recency and sinceFirst are days since the last and the first one.')
    .exactOptional(),
  of: text.describe('The property that is measured; total by default.').exactOptional(),
  where: where.exactOptional(),
  ...window,
  is: z.enum([...order.options, 'in']),
  value: z.union([z.number(), z.string(), z.array(z.string())]),
});

const never = z.strictObject({
  never: text.describe('The event that did not happen.'),
  where: where.exactOptional(),
  ...window,
});

const steps = { where: where.exactOptional(), within: span.exactOptional() };
const sequence = z.strictObject({
  sequence: z
    .array(
      z.union([
        z.strictObject({ event: text, ...steps }),
        z.strictObject({ never: text, ...steps }),
      ]),
    )
    .min(2)
    .max(10)
    .describe('Each step later than the one before it, and not later than its "within".'),
  ...window,
});

const timeSince = z.strictObject({
  timeSince: text.describe('createdAt, or a trait that holds a date such as 1990-02-28.'),
  is: order,
  value: z.number().describe('Days.'),
  zone: zone.exactOptional(),
});

const around = z.int().min(0).max(182);
const anniversary = z.strictObject({
  anniversary: text.describe('createdAt, or a trait that holds a date such as 1990-02-28.'),
  daysBefore: around.exactOptional(),
  daysAfter: around.exactOptional(),
  zone: zone.exactOptional(),
});

const place = z.strictObject({
  place: z.strictObject({
    country: texts.exactOptional(),
    region: texts.exactOptional(),
    city: texts.exactOptional(),
    near: z
      .strictObject({
        latitude: z.number().min(-90).max(90),
        longitude: z.number().min(-180).max(180),
        km: z.number().min(0).max(20_100),
      })
      .exactOptional(),
  }),
});

const feature = z.strictObject({
  feature: z.enum([...FEATURES.keys()] as [string, ...string[]]),
  is: order,
  value: z.number(),
});

const score = z.strictObject({
  score: text.describe('The name of a model.'),
  is: z.enum(['lt', 'le', 'gt', 'ge']),
  value: z.number(),
});

const shape: z.ZodType<Segment> = z.lazy(() =>
  z.union([
    z.strictObject({ all: z.array(shape) }),
    z.strictObject({ any: z.array(shape) }),
    z.strictObject({ not: shape }),
    trait,
    event,
    never,
    sequence,
    timeSince,
    anniversary,
    place,
    feature,
    score,
    z.strictObject({ cluster: texts.describe('One name, or several.') }),
    z.strictObject({ segment: text.describe('The name of another segment.') }),
    z.strictObject({ list: text.describe('The name of a static list.') }),
    z.strictObject({
      random: text.describe('A name; another one draws other people.'),
      percent: z.number().min(0).max(100),
      from: z.number().min(0).max(100).exactOptional(),
    }),
  ]),
);

/** A segment in a campaign file, with one sentence per fault. */
export const segmentSchema: z.ZodType<Segment> = said(
  z
    .unknown()
    .superRefine((input, context) => {
      findFaults(input, (path, message) => {
        context.addIssue({ code: 'custom', path: [...path], message });
      });
    })
    .pipe(shape),
  'a segment such as {event: "Order Completed", is: "ge", value: 1}',
);

/** JSON Schema (draft 7) of a segment file, for editors. */
export function segmentJsonSchema(): object {
  return z.toJSONSchema(shape, { target: 'draft-7' });
}

/** The frozen segment where all is well, else null; and one sentence for each problem. */
export function checkSegment(input: unknown): { segment: Segment | null; problems: Problem[] } {
  const problems: Problem[] = [];
  findFaults(input, (path, message) => {
    const place = path.length === 0 ? 'The segment' : `The segment at ${pointerOf(path)}`;
    const at = / is no (?:field|property)/.test(` ${message}`) ? 'key' : 'value';
    problems.push({ pointer: pointerOf(path), at, message: `${place} ${message}` });
  });
  if (problems.length > 0) return { segment: null, problems };
  return { segment: deepFreeze(structuredClone(input) as Segment), problems };
}

/** @throws KairosError SEGMENT_INVALID with all problems in `details.problems` */
export function parseSegment(input: unknown): Segment {
  const { segment, problems } = checkSegment(input);
  if (segment) return segment;
  throw new KairosError('SEGMENT_INVALID', problems.map(({ message }) => message).join('\n'), {
    problems,
  });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) deepFreeze(part);
    Object.freeze(value);
  }
  return value;
}
