import { MS_PER_DAY } from './clock.ts';
import * as z from 'zod';
import { parseAddress } from './address.ts';
import { parseSpan, type CampaignDefinition } from './campaign.ts';
import { problemsOf, said } from './schema-problems.ts';
import { segmentSchema } from './segment.schema.ts';
import type { Problem } from './problem.ts';

/**
 * The schema of a campaign file, the same for both spellings. Not for workflows: every cached workflow would pay for
 * zod. `checkCampaign` turns what zod finds into one clear sentence per problem.
 */
const id = (what: string) =>
  said(
    z
      .string()
      .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/)
      .max(64),
    `${what} of lower-case letters, digits and single hyphens, at most 64`,
    'Such as "win-back".',
  );

// Control characters in a header or a title are an attack or an accident (RFC 5322 §2.2 forbids them in headers).
const line = (longest: number, what: string, hint?: string) =>
  said(
    z
      .string()
      .min(1)
      .max(longest)
      // eslint-disable-next-line no-control-regex
      .regex(/^[^\u0000-\u001f\u007f]*$/),
    `${what}, one line of 1 to ${longest} characters`,
    hint,
  );

const span = (what: string, hint: string) =>
  said(
    z
      .string()
      .regex(/^[0-9]{1,5}[mhdw]$/)
      .refine((text) => {
        const ms = parseSpan(text);
        return ms !== null && ms > 0 && ms <= 366 * MS_PER_DAY;
      }),
    `${what}: a number with m, h, d or w, above 0 and at most a year`,
    hint,
  );

const address = () =>
  said(
    z
      .string()
      .max(254)
      .refine((text) => parseAddress(text) !== null),
    'a bare address such as news@shop.example, without quotes, comments or a name',
    'Write an international domain in its xn-- form.',
    { secret: true },
  );

const whole = (least: number, expected: string, hint?: string) =>
  said(z.int().min(least), expected, hint);

const offer = said(
  z.strictObject({
    id: id('an id'),
    label: line(120, 'what the recipient reads').describe('What the recipient reads.'),
    code: said(
      z.string().regex(/^[A-Za-z0-9_-]{1,40}$/),
      'a code of letters, digits, - and _, at most 40',
    )
      .describe('What the customer types at the till.')
      .exactOptional(),
    cost: said(z.number().min(0).max(1e6), 'an amount from 0 to 1,000,000')
      .describe('What it costs the shop when it is taken; counts in the budget for each message.')
      .exactOptional(),
  }),
  'an offer with id and label',
).describe('What this variant offers; its fields are the template’s offer.');

const variant = said(
  z.strictObject({
    id: id('an id').describe('Unique within the campaign.'),
    weight: said(
      z.number().positive().max(1_000_000),
      'a number above 0',
      'Leave the variant out to switch it off.',
    )
      .describe('Relative weight; 1 by default.')
      .exactOptional(),
    subject: line(200, 'a subject').describe('Subject; Handlebars fields may be used.'),
    preheader: line(250, 'a preheader')
      .describe('What an inbox shows behind the subject; Handlebars fields may be used.')
      .exactOptional(),
    template: said(
      z
        .string()
        .regex(/^[a-z0-9]+(?:[-/][a-z0-9]+)*$/)
        .max(100),
      'the name of a folder below templates/, without an ending',
      'Such as "win-back".',
    ).describe('Name of a folder below templates/.'),
    offer: offer.exactOptional(),
  }),
  'a variant with id, subject and template',
);

const schedule = said(
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('now') }),
    z.strictObject({
      kind: z.literal('at'),
      at: said(
        z.iso.datetime({ offset: true }),
        'an instant with its offset',
        'Such as "2026-12-01T09:00:00+01:00".',
      ),
    }),
    z.strictObject({
      kind: z.literal('local'),
      date: said(z.iso.date(), 'a date', 'Such as "2026-12-01".'),
      time: said(
        z.string().regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/),
        'a time of the day from 00:00 to 23:59',
        'Such as "09:30".',
      ),
    }),
  ]),
  'a schedule of kind "now", "at" or "local"',
  'Such as {kind: "local", date: "2026-12-01", time: "09:30"}.',
);

const hour = () => said(z.int().min(0).max(23), 'a whole hour from 0 to 23');

const audience = said(
  z.strictObject({
    segment: segmentSchema.describe('Who gets it.'),
    exclude: said(z.array(segmentSchema).max(20), 'a list of at most 20 segments')
      .describe('Who does not get it, though in the segment.')
      .exactOptional(),
    score: said(
      z
        .strictObject({
          model: id('the name of a model'),
          min: said(z.number(), 'a number').exactOptional(),
          max: said(z.number(), 'a number').exactOptional(),
        })
        .refine(({ min, max }) => min === undefined || max === undefined || min <= max, {
          error: 'has a min above its max; expected min to be at most max.',
        }),
      'a score rule with model, and min or max where wanted',
    )
      .describe('Keep the people whose score by this model is within bounds.')
      .exactOptional(),
    limit: whole(1, 'a whole number of people, 1 or more')
      .describe('At most this many, by score where there is one, else by a stable hash.')
      .exactOptional(),
  }),
  'an audience with a segment',
);

const variants = said(
  z
    .array(variant)
    .min(1)
    .max(20)
    .superRefine((list, context) => {
      const seen = new Set<string>();
      list.forEach(({ id: name }, index) => {
        if (seen.has(name)) {
          context.addIssue({
            code: 'custom',
            path: [index, 'id'],
            message: `is "${name}" a second time; expected a unique id for each variant.`,
          });
        }
        seen.add(name);
      });
    }),
  'a list of 1 to 20 variants',
  'A campaign without a test has one.',
);

const caps = said(
  z
    .strictObject({
      perDay: whole(1, 'a whole number, 1 or more').exactOptional(),
      perWeek: whole(1, 'a whole number, 1 or more').exactOptional(),
    })
    .refine(({ perDay = 1, perWeek = Infinity }) => perDay <= perWeek, {
      error: 'allow more a day than a week; expected perDay to be at most perWeek.',
    }),
  'caps such as {perDay: 1, perWeek: 3}',
);

const quietHours = said(
  z.strictObject({ from: hour(), to: hour() }).refine(({ from, to }) => from !== to, {
    error: 'begin and end at the same hour; expected two hours, such as {from: 21, to: 8}.',
  }),
  'quiet hours such as {from: 21, to: 8}',
);

const budget = said(
  z
    .strictObject({
      total: said(z.number().positive().max(1e9), 'an amount above 0 and at most 1,000,000,000')
        .describe('The most that all messages may cost, in the shop’s currency.')
        .exactOptional(),
      perMessage: said(z.number().min(0).max(1e6), 'an amount from 0 to 1,000,000')
        .describe('What sending one message costs; 0 by default.')
        .exactOptional(),
      sends: whole(1, 'a whole number of messages, 1 or more')
        .describe('The most messages that may be planned.')
        .exactOptional(),
    })
    .refine(({ total, sends }) => total !== undefined || sends !== undefined, {
      error: 'limits nothing; expected total, sends or both.',
    }),
  'a budget such as {total: 500, perMessage: 0.01} or {sends: 10000}',
);

const pilot = said(
  z.strictObject({
    share: said(
      z.number().positive().max(0.9),
      'a share above 0 and at most 0.9',
      'Write 0.1 for ten percent.',
    ),
    wait: span('a span', 'Such as "4h".').describe('How long the first mails are watched.'),
    choose: said(z.enum(['clicks', 'orders']), 'the word "clicks" or "orders"').describe(
      'What the better variant has more of.',
    ),
  }),
  'a pilot with share, wait and choose',
);

const goal = said(
  z.strictObject({
    event: line(100, 'the name of an event', 'Such as "Order Completed".'),
    window: span('a span', 'Such as "14d".').describe('Counted from the planning of each person.'),
    value: said(z.literal('total'), 'the word "total"')
      .describe('Which number of the event is the value; total by default.')
      .exactOptional(),
  }),
  'a goal with event and window',
);

export const campaignSchema = said(
  z
    .strictObject({
      id: id('an id').describe('The workflow’s id is campaign/<id>.'),
      name: line(120, 'a name').describe('What people call it.'),
      audience: audience.describe('Who gets it.'),
      holdout: said(
        z.number().min(0).max(0.5),
        'a share between 0 and 0.5',
        'Write 0.1 for ten percent.',
      )
        .describe('Share of the audience that gets nothing, to compare with; 0.1 by default.')
        .exactOptional(),
      variants: variants.describe('What is sent; several are tested against each other.'),
      from: said(
        z.strictObject({ name: line(100, 'a name to show'), address: address() }),
        'a sender with name and address',
      ).describe('The sender.'),
      replyTo: address().describe('Where answers go; the sender by default.').exactOptional(),
      schedule: schedule.describe('When; now by default.').exactOptional(),
      goal: goal.describe('What counts as success.'),
      caps: caps
        .describe('Marketing mails per person over all campaigns; none by default.')
        .exactOptional(),
      quietHours: quietHours
        .describe('Hours of the person’s day in which nothing is sent; may reach over midnight.')
        .exactOptional(),
      approval: said(z.boolean(), 'true or false')
        .describe('A person must approve before anything is planned.')
        .exactOptional(),
      budget: budget
        .describe('The most that it may cost or send; people whom it does not reach are skipped.')
        .exactOptional(),
      ratePerSecond: said(z.number().positive().max(100_000), 'a number above 0')
        .describe('Messages a second over all lanes; unbounded by default.')
        .exactOptional(),
      deadline: span('a span', 'Such as "3d".')
        .describe('What is not sent this long after the launch expires; 7d by default.')
        .exactOptional(),
      driftTolerance: said(
        z.number().min(0).max(1),
        'a share between 0 and 1',
        'Write 0.1 for ten percent.',
      )
        .describe('By how much the audience may differ from what was approved; 0.1 by default.')
        .exactOptional(),
      pilot: pilot
        .describe('A random share gets the variants first; the better one then goes to the rest.')
        .exactOptional(),
      steps: said(
        z
          .array(
            said(
              z.strictObject({ kind: said(z.literal('mail'), 'the word "mail"') }),
              'a step of kind "mail"',
            ),
          )
          .length(1),
        'a list of one step of kind "mail"',
        'Journeys with more steps come later.',
      )
        .describe('One mail for now.')
        .exactOptional(),
    })
    .superRefine((campaign, context) => {
      const { total, perMessage = 0 } = campaign.budget ?? {};
      if (total === undefined || perMessage !== 0) return;
      if (campaign.variants.some(({ offer: given }) => (given?.cost ?? 0) > 0)) return;
      context.addIssue({
        code: 'custom',
        path: ['budget'],
        message:
          'has a total, and nothing costs anything; expected perMessage, or an offer with a cost.',
      });
    })
    .superRefine((campaign, context) => {
      if (!campaign.pilot || campaign.variants.length > 1) return;
      context.addIssue({
        code: 'custom',
        path: ['pilot'],
        message: 'has nothing to compare; expected at least two variants.',
      });
    }),
  'a campaign: an object with id, name, audience, variants, from and goal',
) satisfies z.ZodType<CampaignDefinition>;

/** The definition where all is well, else null; and one sentence for each problem, none where all is well. */
export function checkCampaign(input: unknown): {
  definition: CampaignDefinition | null;
  problems: Problem[];
} {
  const result = campaignSchema.safeParse(input, { reportInput: true });
  if (result.success) return { definition: result.data, problems: [] };
  return {
    definition: null,
    problems: problemsOf(result.error.issues, campaignSchema, input, 'the campaign'),
  };
}

/** The schema for editors (`docs/reference/campaign.schema.json`); a test keeps that file current. */
export function campaignJsonSchema(): object {
  return {
    ...z.toJSONSchema(campaignSchema, { target: 'draft-7' }),
    title: 'A Kairos campaign',
  };
}
