import { runInThisContext } from 'node:vm';
import Handlebars from 'handlebars';
import { assert } from '../domain/errors.ts';

/**
 * The only import of Handlebars. Its compiler has been talked into running code by AST objects, by partials taken from
 * data and by special properties (CVE-2019-19919, CVE-2021-23369, CVE-2026-33937 and what followed), so: strings only,
 * an instance of our own with our helpers alone, strict, no partials, no decorators.
 */
export type Program = hbs.AST.Program;
export type Node = hbs.AST.Node;

/** The syntax tree of a template. Throws Handlebars' own error with `lineNumber` and `column` where it is malformed. */
export function parseTemplate(source: string): Program {
  assert(typeof source === 'string', 'a template is a string');
  return Handlebars.parse(source);
}

/** What every render is given beside the data; templates name them `@linkPrefix` and so on. */
export interface RenderVariables {
  readonly linkPrefix: string;
  readonly openUrl: string | null;
  readonly unsubscribeUrl: string;
  readonly preheader: string;
}

export type Render = (context: object, variables: RenderVariables) => string;

/** Helpers that come with Handlebars and stay; `log`, `lookup` and the rest are taken away. */
export const BLOCK_HELPERS = ['if', 'unless', 'each', 'with'] as const;

/** Helpers that give a value, with how many values each takes. */
export const VALUE_HELPERS: Readonly<Record<string, { least: number; most: number }>> = {
  fallback: { least: 2, most: 5 },
  money: { least: 1, most: 1 },
  date: { least: 1, most: 1 },
  'upper-first': { least: 1, most: 1 },
  eq: { least: 2, most: 2 },
  ne: { least: 2, most: 2 },
  gt: { least: 2, most: 2 },
  lt: { least: 2, most: 2 },
  and: { least: 2, most: 5 },
  or: { least: 2, most: 5 },
  not: { least: 1, most: 1 },
  productLink: { least: 1, most: 1 },
};

/** Helpers that answer yes or no: for conditions, not to be shown. */
export const CONDITIONS: readonly string[] = ['eq', 'ne', 'gt', 'lt', 'and', 'or', 'not'];

type Helper = (...values: unknown[]) => unknown;

function helpersOf(locale: string, show: (text: string) => unknown): Record<string, Helper> {
  const money = memoised((amount: number, currency: string) =>
    show(new Intl.NumberFormat(locale, { style: 'currency', currency }).format(amount)),
  );
  const date = memoised((instant: string | number) =>
    show(
      new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: 'UTC' }).format(
        new Date(instant),
      ),
    ),
  );
  return {
    // Handlebars passes its options as the last argument.
    fallback: (...values) => values.slice(0, -1).find(isPresent) ?? missing('fallback'),
    money(value, options) {
      const { shop } = (options as { data: { root: { shop?: { currency?: string } } } }).data.root;
      // A database gives exact decimals as text.
      const isAmount = typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value);
      const amount = isAmount ? Number(value) : value;
      return typeof amount === 'number' ? money(amount, shop!.currency!) : missing('money');
    },
    date: (value) =>
      typeof value === 'string' || typeof value === 'number' ? date(value, '') : missing('date'),
    'upper-first'(value) {
      const text = isPresent(value) ? String(value) : missing('upper-first');
      const [first = ''] = text;
      return first.toLocaleUpperCase(locale) + text.slice(first.length);
    },
    eq: (left, right) => left === right,
    ne: (left, right) => left !== right,
    gt: (left, right) => typeof left === typeof right && (left as number) > (right as number),
    lt: (left, right) => typeof left === typeof right && (left as number) < (right as number),
    and: (...values) => values.slice(0, -1).every(isPresent),
    or: (...values) => values.slice(0, -1).some(isPresent),
    not: (value) => !isPresent(value),
    // What encodeURIComponent leaves as it is but mail programs cut off a link, or HTML quotes.
    productLink: (sku) =>
      typeof sku === 'string' || typeof sku === 'number'
        ? `p${encodeURIComponent(sku).replaceAll(/[!'()*]/g, percentEncoded)}`
        : missing('productLink'),
  };
}

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && value !== false;
}

function missing(helper: string): never {
  throw new TypeError(`the helper ${helper} has no value to show`);
}

/** Prices and dates repeat from mail to mail, and Intl takes longer over one than the rest of the mail. */
function memoised<A extends string | number>(
  format: (value: A, option: string) => unknown,
): (value: A, option: string) => unknown {
  const known = new Map<string, unknown>();
  return (value, option) => {
    const key = `${option} ${value}`;
    const seen = known.get(key);
    if (seen !== undefined) return seen;
    const text = format(value, option);
    if (known.size < MEMO_MAX) known.set(key, text);
    return text;
  };
}

/** More different prices than a shop has, and less than a megabyte. */
const MEMO_MAX = 10_000;

/**
 * Characters beyond ASCII as numbers. One of them, such as €, makes the whole mail a string of two-byte characters,
 * which takes 30–50 µs longer to encode than the 20 µs that it takes to render.
 */
export function asciiHtml(html: string): string {
  return html.replaceAll(
    /[^\p{ASCII}\uE000-\uE00F]/gu,
    (character) => `&#${character.codePointAt(0)!};`,
  );
}

/** An instance of its own for one part of one template: what another one registers cannot reach it. */
export function createEngine(
  locale: string,
  kind: 'html' | 'text',
): { compile(source: string): Render } {
  const escape = kind === 'html';
  const instance = Handlebars.create();
  for (const name of Object.keys(instance.helpers)) {
    if (!(BLOCK_HELPERS as readonly string[]).includes(name)) instance.unregisterHelper(name);
  }
  // What Intl writes is ours; escaped here, so that Handlebars need not.
  const show = (text: string) =>
    escape ? new instance.SafeString(asciiHtml(instance.escapeExpression(text))) : text;
  const helpers = helpersOf(locale, show);
  for (const [name, helper] of Object.entries(helpers)) instance.registerHelper(name, helper);
  const names = [...BLOCK_HELPERS, ...Object.keys(helpers)];
  const knownHelpers = Object.fromEntries(names.map((name) => [name, true])) as KnownHelpers;

  function compile(source: string): Render {
    assert(typeof source === 'string', 'a template is a string');
    const code = instance.precompile(source, {
      strict: true,
      knownHelpersOnly: true,
      knownHelpers,
      noEscape: !escape,
    }) as string;
    // Handlebars.compile evaluates the same text; its function would not let go of the set-up below.
    const spec = runInThisContext(`(${code})`) as TemplateSpecification;
    const template = instance.template(spec) as PreparedTemplate;
    // Merging and wrapping all helpers for each render costs 2–7 µs, more than rendering: the result is always the
    // same, so it is made once. Handlebars is pinned, and a test compares with an ordinary render.
    template._setup({});
    template._setup = () => undefined;
    return (context, variables) =>
      template(context, { data: { root: context, ...variables } as Record<string, unknown> });
  }
  return { compile };
}

type PreparedTemplate = HandlebarsTemplateDelegate<object> & { _setup(options: object): void };
