import * as z from 'zod';
import { didYouMean, type Problem } from './problem.ts';

/**
 * Sentences for what a schema finds. Each schema says once what it expects; every way to miss that gives the same
 * sentence, so a marketer reads "holdout is 1.5; expected a share between 0 and 0.5" and never a validator's jargon.
 */
interface Expectation {
  readonly expected: string;
  readonly hint?: string | undefined;
  /** Such as an address: the value must not stand in a message. */
  readonly secret?: boolean | undefined;
}

const expectations = z.registry<Expectation>();

/** Registers what `schema` expects, as a noun phrase, with a hint as a sentence of its own; returns the schema. */
export function said<T extends z.ZodType>(
  schema: T,
  expected: string,
  hint?: string,
  options: { secret?: boolean } = {},
): T {
  expectations.add(schema, { expected, hint, ...options });
  return schema;
}

type Path = readonly PropertyKey[];

/** One problem per place and kind, in the order in which the schema found them. */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
  input: unknown,
  whole: string,
): Problem[] {
  const problems = new Map<string, Problem>();
  for (const issue of issues) {
    for (const problem of sentencesOf(issue, schema, input, whole)) {
      const key = `${problem.at} ${problem.pointer}`;
      if (!problems.has(key)) problems.set(key, problem);
    }
  }
  return [...problems.values()];
}

function sentencesOf(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  input: unknown,
  whole: string,
): Problem[] {
  // A wrong kind stands at `kind`; where there is no such field, the fault is the object's.
  const path =
    issue.code === 'invalid_union' && valueAt(input, issue.path) === undefined
      ? issue.path.slice(0, -1)
      : issue.path;
  const label = labelOf(path) || whole;
  if (issue.code === 'unrecognized_keys') {
    const known = keysOf(schemaAt(schema, path, input), valueAt(input, path));
    return issue.keys.map((key) => ({
      pointer: pointerOf([...path, key]),
      at: 'key',
      message: `${label} has an unknown field ${show(key)}; ${suggestion(key, known)}`,
    }));
  }
  const pointer = pointerOf(path);
  if (issue.code === 'custom' && issue.message !== 'Invalid input') {
    return [{ pointer, at: 'value', message: `${label} ${issue.message}` }];
  }
  const expectation = expectationAt(schema, path, input);
  const found = foundPhrase(valueAt(input, path), expectation?.secret ?? false);
  const expected = expectation?.expected ?? issue.message;
  const hint = expectation?.hint ? ` ${expectation.hint}` : '';
  return [{ pointer, at: 'value', message: `${label} ${found}; expected ${expected}.${hint}` }];
}

function suggestion(key: string, known: readonly string[]): string {
  const near = didYouMean(key, known);
  return near ? `did you mean "${near}"?` : `expected one of ${known.join(', ')}.`;
}

function foundPhrase(value: unknown, secret: boolean): string {
  if (value === undefined) return 'is missing';
  return secret ? 'does not keep to the grammar' : `is ${show(value)}`;
}

function show(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  }
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'function') return 'a function';
  return String(value);
}

/** `variants[1].weight`. */
function labelOf(path: Path): string {
  let label = '';
  for (const key of path) {
    if (typeof key === 'number') label += `[${key}]`;
    else label += label === '' ? String(key) : `.${String(key)}`;
  }
  return label;
}

export function pointerOf(path: Path): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

export function pathOf(pointer: string): string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function valueAt(input: unknown, path: Path): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** What the schema at `path` expects; at the tag of a union, what the union does: it names its tags. */
function expectationAt(schema: z.ZodType, path: Path, input: unknown): Expectation | undefined {
  const own = schemaAt(schema, path, input);
  const said = own ? expectations.get(own) : undefined;
  if (said || path.at(-1) !== 'kind') return said;
  const union = schemaAt(schema, path.slice(0, -1), input);
  return union ? expectations.get(union) : undefined;
}

/** Follows `path` through objects, lists and tagged unions; null where the schema has no such place. */
function schemaAt(root: z.ZodType, path: Path, input: unknown): z.ZodType | null {
  let schema: z.ZodType | null = unwrap(root);
  let value = input;
  for (const [index, key] of path.entries()) {
    const container: z.ZodType | null = schema && branchOf(schema, value);
    let member: z.ZodType | undefined;
    if (container instanceof z.ZodObject) {
      member = (container.shape as Record<PropertyKey, z.ZodType | undefined>)[key];
    } else if (container instanceof z.ZodArray) {
      member = container.element as z.ZodType;
    }
    if (!member) return null;
    schema = unwrap(member);
    value = valueAt(input, path.slice(0, index + 1));
  }
  return schema;
}

function unwrap(schema: z.ZodType): z.ZodType {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodExactOptional) {
    inner = inner.def.innerType as z.ZodType;
  }
  return inner;
}

/** What `value` chooses of a union tagged `kind`, or what may be null; the schema itself where it is neither. */
function branchOf(schema: z.ZodType, value: unknown): z.ZodType | null {
  if (schema instanceof z.ZodNullable) return unwrap(schema.def.innerType as z.ZodType);
  if (!(schema instanceof z.ZodDiscriminatedUnion)) return schema;
  const kind = valueAt(value, ['kind']);
  for (const option of schema.options as readonly z.ZodType[]) {
    if (!(option instanceof z.ZodObject)) continue;
    const tag = (option.shape as Record<string, z.ZodType | undefined>)['kind'];
    if (tag?.safeParse(kind).success) return option;
  }
  return null;
}

function keysOf(schema: z.ZodType | null, value: unknown): string[] {
  const branch = schema && branchOf(schema, value);
  return branch instanceof z.ZodObject ? Object.keys(branch.shape) : [];
}
