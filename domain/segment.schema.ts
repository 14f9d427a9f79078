import * as z from 'zod';
import { KairosError } from './errors.ts';
import type { Problem } from './problem.ts';
import { pointerOf, said } from './schema-problems.ts';
import { findFaults } from './segment-check.ts';
import type { Segment } from './segment.ts';

/** The shape, for editors: `findFaults` is stricter, and the only one that speaks. Not for workflows. */
const text = z.string().min(1).max(200);
const texts = z.union([text, z.array(text).min(1).max(1_000)]);
const order = z.enum(['eq', 'ne', 'lt', 'le', 'gt', 'ge']);

const trait = z.strictObject({
  trait: text.describe('country, timeZone, locale, consent, hasAddress, or one of the shop’s own.'),
  is: z.enum([...order.options, 'in', 'contains', 'exists']),
  value: z
    .union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()]))])
    .exactOptional(),
});

const event = z.strictObject({
  event: text.describe('Such as "Order Completed".'),
  measure: z
    .enum(['count', 'sum', 'recency'])
    .describe('count by default; recency is days since the last one.')
    .exactOptional(),
  of: z
    .enum(['total', 'quantity'])
    .describe('What a sum adds up; total by default.')
    .exactOptional(),
  within: z
    .string()
    .regex(/^[0-9]{1,5}[mhdw]$/)
    .describe('A span such as 30d, 12h or 8w; all time by default.')
    .exactOptional(),
  where: z
    .strictObject({
      category: texts.exactOptional(),
      sku: texts.exactOptional(),
      campaign: texts.exactOptional(),
    })
    .describe('Only events (or order lines) of these.')
    .exactOptional(),
  is: order,
  value: z.number(),
});

const score = z.strictObject({
  score: text.describe('The name of a model.'),
  is: z.enum(['lt', 'le', 'gt', 'ge']),
  value: z.number(),
});

const cluster = z.strictObject({ cluster: texts.describe('One name, or several.') });

const shape: z.ZodType<Segment> = z.lazy(() =>
  z.union([
    z.strictObject({ all: z.array(shape) }),
    z.strictObject({ any: z.array(shape) }),
    z.strictObject({ not: shape }),
    trait,
    event,
    score,
    cluster,
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

/** The frozen segment where all is well, else null; and one sentence for each problem. */
export function checkSegment(input: unknown): { segment: Segment | null; problems: Problem[] } {
  const problems: Problem[] = [];
  findFaults(input, (path, message) => {
    const place = path.length === 0 ? 'The segment' : `The segment at ${pointerOf(path)}`;
    problems.push({ pointer: pointerOf(path), at: 'value', message: `${place} ${message}` });
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
