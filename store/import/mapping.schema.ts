import * as z from 'zod';
import { isTimeZone } from '../../domain/local-time.ts';
import type { Problem } from '../../domain/problem.ts';
import { problemsOf, said } from '../../domain/schema-problems.ts';
import { isDateFormat } from './dates.ts';
import { RULES, type RuleName } from './rules.ts';
import { FIELDS, IMPORT_KINDS, type ImportKind, type Mapping } from './mapping.ts';

/** The schema of a mapping file; `checkMapping` turns what it finds into one clear sentence per problem. */
const text = (what: string, hint?: string) => said(z.string().min(1).max(1_000), what, hint);
const column = () => text('the name of a column');
const scalar = () => z.union([z.string(), z.number(), z.boolean()]);

const zone = () =>
  said(z.string().refine(isTimeZone), 'an IANA time zone', 'Such as "Europe/Berlin".');

const datesOrMany = () =>
  z.union([
    z.string().refine(isDateFormat),
    z.array(z.string().refine(isDateFormat)).min(1).max(10),
  ]);

const reading = {
  values: z.record(z.string(), scalar()).optional(),
  match: z.string().refine(isPattern).optional(),
  format: datesOrMany().optional(),
  timeZone: zone().optional(),
  scale: z.number().optional(),
  as: z.enum(['text', 'number', 'boolean', 'date']).optional(),
};

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u').source !== '';
  } catch {
    return false;
  }
}

const source = z.union([
  column(),
  z.strictObject({ column: column(), ...reading }),
  z.strictObject({ value: scalar() }),
  z.strictObject({
    template: z.string().regex(/^[^{}]*(?:\{[^{}]+\}[^{}]*)*$/),
    ...reading,
  }),
]);

const anyField = z.union([source, z.array(source).min(1).max(10)]);

// A refinement, since a union that fails names its branches and not the field.
const field = said(
  z.unknown().refine((value) => anyField.safeParse(value).success),
  'a column’s name, {column, values, match, format, timeZone, scale, as}, {value}, {template}, or a list of those',
  'Such as {column: created, format: "dd.MM.yyyy"} or {template: "{first} {last}"}.',
);

const named = (what: string) =>
  said(
    z.union([z.array(column()).max(500), z.record(z.string().min(1).max(100), field)]),
    `a list of columns, or ${what} by name`,
    'Such as [age, income] or {age: age_band}.',
  );

const fieldsOf = (kind: ImportKind) =>
  said(
    z.strictObject(
      Object.fromEntries(
        Object.entries(FIELDS[kind]).map(([name, required]) => [
          name,
          required ? field : field.optional(),
        ]),
      ),
    ),
    `the fields of ${kind}`,
  );

const format = said(
  z.strictObject({
    delimiter: said(z.string().length(1), 'one character').optional(),
    encoding: text('the name of an encoding', 'Such as "windows-1252".').optional(),
    decimal: said(z.enum(['.', ',']), '"." or ","').optional(),
    dates: said(
      datesOrMany(),
      'a date pattern of yyyy yy MMMM MMM MM M dd d HH H hh h mm m ss s S a XXX, or epoch-s, epoch-ms or excel, or a list of those',
      'Such as "dd.MM.yyyy HH:mm".',
    ).optional(),
    timeZone: zone().optional(),
    skipLines: said(z.int().min(1).max(1_000), 'how many lines stand above the header').optional(),
    columns: said(z.array(column()).min(1).max(1_000), 'names of the columns').optional(),
    empty: said(z.array(z.string()).max(20), 'a list of texts that mean nothing').optional(),
  }),
  'how the file is written: delimiter, encoding, decimal, dates, timeZone, empty, skipLines, columns',
);

const lookup = said(
  z.strictObject({
    file: text('a file’s name, relative to the imported one'),
    on: column(),
    key: column().optional(),
  }),
  'a lookup with file and on',
  'Such as {file: campaigns.csv, on: campaign_id}.',
);

const rowTest = () =>
  said(
    z.strictObject({
      column: column(),
      startsWith: text('what the column begins with').optional(),
      endsWith: text('what the column ends with').optional(),
      in: said(z.array(z.string()).min(1), 'a list of texts').optional(),
    }),
    'a test with column, and startsWith, endsWith or in',
    'Such as {column: status, in: [cancelled]}.',
  );

const rule = (name: RuleName) => {
  const choices: readonly string[] = RULES[name].choices;
  const words = choices.map((choice) => `"${choice}"`).join(' or ');
  return said(z.enum(choices as [string, ...string[]]), words).optional();
};

const rules = said(
  z.strictObject(
    Object.fromEntries((Object.keys(RULES) as RuleName[]).map((name) => [name, rule(name)])),
  ),
  `rules of ${Object.keys(RULES).join(', ')}`,
  'Such as {missingCustomer: reject}.',
).optional();

const limit = said(
  z.strictObject({ min: z.number().optional(), max: z.number().optional() }),
  'min and max',
  'Such as {min: 0, max: 5000}.',
).optional();

const shared = {
  description: text('a text').optional(),
  format: format.optional(),
  lookups: said(
    z.record(z.string().regex(/^[a-z][a-zA-Z0-9]*$/), lookup),
    'lookups by name',
  ).optional(),
  only: rowTest().optional(),
  skip: rowTest().optional(),
  limits: said(
    z.strictObject({ price: limit, amount: limit, quantity: limit }),
    'limits of price, amount or quantity',
  ).optional(),
  rules,
};

const mappingSchema = said(
  z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('customers'),
      ...shared,
      fields: fieldsOf('customers'),
      traits: named('sources').optional(),
    }),
    z.strictObject({ kind: z.literal('products'), ...shared, fields: fieldsOf('products') }),
    z.strictObject({
      kind: z.literal('orders'),
      ...shared,
      fields: fieldsOf('orders'),
      properties: named('sources').optional(),
      lineProperties: named('sources').optional(),
      sums: said(z.record(z.string(), field), 'columns by the name of their sum').optional(),
      cancelled: rowTest().optional(),
    }),
    z.strictObject({
      kind: z.literal('events'),
      ...shared,
      fields: fieldsOf('events'),
      properties: named('sources').optional(),
    }),
    z.strictObject({
      kind: z.literal('reviews'),
      ...shared,
      fields: fieldsOf('reviews'),
      properties: named('sources').optional(),
    }),
    z.strictObject({ kind: z.literal('consents'), ...shared, fields: fieldsOf('consents') }),
  ]),
  `a mapping with kind (${IMPORT_KINDS.join(', ')}) and fields`,
);

/** The mapping where all is well, else null; and one sentence for each problem. */
export function checkMapping(input: unknown): { mapping: Mapping | null; problems: Problem[] } {
  const result = mappingSchema.safeParse(input, { reportInput: true });
  if (result.success) return { mapping: result.data as Mapping, problems: [] };
  return {
    mapping: null,
    problems: problemsOf(result.error.issues, mappingSchema, input, 'the mapping'),
  };
}
