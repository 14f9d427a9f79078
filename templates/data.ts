/**
 * What a template may show: the contract between planning, which fills it, and the marketer, who writes against it.
 * Values are strings, numbers and booleans; anything else does not reach a template.
 */
export interface TemplateData {
  /** Any trait may stand beside the name and the country; all may be missing. */
  readonly person: Readonly<Record<string, Scalar>> & {
    readonly firstName?: string | null;
    readonly name?: string | null;
    readonly country?: string | null;
  };
  readonly shop: {
    readonly name: string;
    /** The shop's start page; relative links of a template are resolved against it when it is frozen. */
    readonly url: string;
    readonly postalAddress: string;
    /** ISO 4217. */
    readonly currency: string;
  };
  readonly campaign: { readonly id: string; readonly name: string };
  readonly variant: { readonly id: string };
  readonly offer: {
    readonly id: string;
    readonly label: string;
    readonly code?: string | null;
    /** ISO 8601. */
    readonly expires?: string | null;
  } | null;
  /** What is recommended to this person, best first. */
  readonly products: readonly TemplateProduct[];
  readonly score?: number | null;
  /** Why this person gets this mail, in words that may be shown. */
  readonly reason?: string | null;
}

export interface TemplateProduct {
  readonly sku: string;
  readonly title: string;
  readonly price: number;
  readonly category: string;
  readonly url?: string | null;
}

export type Scalar = string | number | boolean | null | undefined;

/** The fields of each record; null where any name may stand (the traits of a person). */
export const RECORD_FIELDS = {
  person: null,
  shop: ['name', 'url', 'postalAddress', 'currency'],
  campaign: ['id', 'name'],
  variant: ['id'],
  offer: ['id', 'label', 'code', 'expires'],
  'products[]': ['sku', 'title', 'price', 'category', 'url'],
} as const satisfies Record<string, readonly string[] | null>;

export type RecordName = keyof typeof RECORD_FIELDS;

/** Fields that stand on their own. */
export const ROOT_FIELDS = ['score', 'reason'] as const;

/** Whether data that keeps to the contract may lack the field, so that a template needs a fallback or a condition. */
export function mayBeMissing(field: string): boolean {
  return (
    field.startsWith('person.') ||
    field.startsWith('offer.') ||
    ['offer', 'products[].url', ...ROOT_FIELDS].includes(field)
  );
}

/** A personal text that is longer is no name, but an attack on the layout or on the size of the mail. */
const PERSONAL_CHARS_MAX = 200;
// Controls break lines and headers; the bidirectional ones turn around what is read after them.
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;
/**
 * What mail programs turn into a link by themselves. Bots sign up under names such as "win at evil.example", so that
 * the shop's own mail carries their link: such a value counts as missing, and the fallback stands in for it.
 */
const LINK_BY_CASE = /:\/\/|\S@\S|[\p{L}\p{N}-]\.(?:\p{Ll}{2,}|\p{Lu}{2,})/u;
const LINK_BY_NAME = /www\.|\.(?:com|net|org|info|biz|xyz|top|io|co|me|ru|cn)\b/i;

/** A personal value that may be shown; undefined where it is missing, blank or unfit. */
function personal(value: unknown): Scalar {
  if (typeof value !== 'string') return plain(value);
  if (value.length > PERSONAL_CHARS_MAX || CONTROL.test(value)) return undefined;
  return LINK_BY_CASE.test(value) || LINK_BY_NAME.test(value) ? undefined : plain(value);
}

/** Only scalars pass: objects could pose as safe strings (`toHTML`), as partials or as arrays. */
function plain(value: unknown): Scalar {
  if (typeof value === 'string') {
    const clean = CONTROL.test(value) ? value.replaceAll(CONTROLS, ' ') : value;
    return clean.trim() === '' ? undefined : clean;
  }
  const isShown =
    typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
  return isShown ? value : undefined;
}

/** What Handlebars is given: objects without a prototype, frozen, with the fields that the template uses. */
export type Context = Readonly<Record<string, unknown>>;

/**
 * Prepares the copying of the used fields: nothing else reaches the template, and a field that is missing is absent,
 * so that a strict template fails rather than greeting nobody.
 */
export function contextBuilder(fields: readonly string[]): (data: TemplateData) => Context {
  const records = new Map<string, string[]>();
  const roots: string[] = [];
  for (const field of fields) {
    const dot = field.indexOf('.');
    if (dot < 0) roots.push(field);
    else {
      const record = field.slice(0, dot);
      records.set(record, [...(records.get(record) ?? []), field.slice(dot + 1)]);
    }
  }
  const productFields = records.get('products[]') ?? [];
  records.delete('products[]');
  for (const root of roots) {
    // A record that is only asked for, as in {{#if offer}}.
    if (Object.hasOwn(RECORD_FIELDS, root) && !records.has(root)) records.set(root, []);
  }
  const singles = [...records];
  const scalars = roots.filter((root) => (ROOT_FIELDS as readonly string[]).includes(root));
  const withProducts = fields.some((field) => field.startsWith('products'));

  // The shop, the campaign and the offer are the same for every mail; a frozen object is copied once.
  const known = new Map<string, { source: object; copied: Context }>();
  const copyOnce = (record: string, source: object, names: readonly string[]): Context => {
    const last = known.get(record);
    if (last?.source === source) return last.copied;
    const copied = copy(source, names, record === 'person' ? personal : plain);
    if (Object.isFrozen(source)) known.set(record, { source, copied });
    return copied;
  };

  return (data) => {
    const context = new Fields() as Record<string, unknown>;
    for (const [record, names] of singles) {
      const source = own(data, record);
      context[record] =
        typeof source === 'object' && source !== null ? copyOnce(record, source, names) : ABSENT;
    }
    for (const name of scalars) set(context, name, plain(own(data, name)));
    if (withProducts) {
      const list = Array.isArray(data.products) ? data.products : [];
      context['products'] = Object.freeze(
        list.map((product) => copy(product, productFields, plain)),
      );
    }
    return Object.freeze(context);
  };
}

/**
 * An object that inherits nothing, as `Object.create(null)` is, but which V8 keeps as fast as a record: its prototype
 * is empty, frozen, and has none itself.
 */
const Fields = function Fields() {} as unknown as new () => object;
Fields.prototype = Object.freeze(Object.create(null)) as object;

/** For Handlebars an empty list is false and has no fields, so {{#if offer}} and {{#if offer.code}} are both false. */
const ABSENT: readonly never[] = Object.freeze([]);

function copy(source: object, names: readonly string[], take: (value: unknown) => Scalar): Context {
  const target = new Fields() as Record<string, unknown>;
  for (const name of names) set(target, name, take(own(source, name)));
  return Object.freeze(target);
}

function set(target: Record<string, unknown>, name: string, value: Scalar): void {
  if (value !== undefined && value !== null) target[name] = value;
}

function own(source: object, name: string): unknown {
  return Object.hasOwn(source, name) ? (source as Record<string, unknown>)[name] : undefined;
}

/** Which of `fields` this data lacks, to say why a mail could not be rendered. */
export function missingFields(fields: readonly string[], data: TemplateData): string[] {
  const context = contextBuilder(fields)(data);
  return fields.filter((field) => {
    const [root = '', name] = field.split('.');
    if (root === 'products[]') return false;
    const value = context[root];
    if (name === undefined) return value === undefined;
    return typeof value !== 'object' || value === null || !(name in value);
  });
}

/** What a sample lacks, as sentences; none where templates can be shown with it. */
export function sampleFaults(sample: unknown): string[] {
  if (typeof sample !== 'object' || sample === null) {
    return [
      'the sample is no object; expected person, shop, campaign, variant, offer and products.',
    ];
  }
  const faults: string[] = [];
  const needed = { shop: RECORD_FIELDS.shop, campaign: ['id', 'name'], variant: ['id'] } as const;
  for (const [record, names] of Object.entries(needed)) {
    const value = own(sample, record);
    for (const name of names) {
      const text = typeof value === 'object' && value !== null ? own(value, name) : undefined;
      if (typeof text !== 'string' || text === '') {
        faults.push(`the sample has no ${record}.${name}; expected a text.`);
      }
    }
  }
  const person = own(sample, 'person');
  if (typeof person !== 'object' || person === null) faults.push('the sample has no person.');
  if (!Array.isArray(own(sample, 'products'))) {
    faults.push('the sample has no products; expected a list, which may be empty.');
  }
  return faults;
}
