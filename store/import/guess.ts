import { inspectFile, openBytes } from './bytes.ts';
import { type ColumnProfile, guessDecimal, isEmptyWord, profileColumn } from './guess-columns.ts';
import { IS_DATE, IS_NUMBER, type Pick, pickFields } from './guess-fit.ts';
import { findHeader } from './guess-header.ts';
import { placeHint, plainHeading } from './guess-names.ts';
import { countryHint, currencyOf, type Sheet, zoneOfMoney } from './guess-place.ts';
import type { FieldSpec, FormatRules, ImportKind, Mapping, RowTest, Source } from './mapping.ts';
import { FIELDS, IMPORT_KINDS } from './mapping.ts';
import { openTable } from './open.ts';
import type { Cell, TextFormat } from './table.ts';

/** A mapping that was read off a file, for a person to confirm. */
export interface Guess {
  readonly kind: ImportKind;
  readonly mapping: Mapping;
  /** What was found of each field or setting, by its name: `fields.at`, `format.decimal`. */
  readonly findings: Readonly<Record<string, Finding>>;
  /** Columns that the mapping does not use. */
  readonly unused: readonly string[];
  /** Fields without which rows cannot be imported and that no column seems to hold. */
  readonly missing: readonly string[];
  readonly rows: number;
}

export interface Finding {
  /** 0 to 1. */
  readonly sure: number;
  readonly why: string;
  readonly samples: readonly string[];
}

const ROWS = 5_000;

/**
 * Proposes a mapping by the headings (in nine languages) and the first 5,000 rows.
 * @param kind found by the columns where it is absent
 * @throws KairosError where the file cannot be read
 */
export async function guessMapping(path: string, kind?: ImportKind): Promise<Guess> {
  const sheet = await readSheet(path);
  const kinds = kind ? [kind] : IMPORT_KINDS;
  const all = kinds.map((one) => proposal(one, sheet));
  return all.reduce((best, one) => (one.score > best.score ? one : best)).guess;
}

async function readSheet(path: string): Promise<Sheet> {
  const format = await headerFormat(path);
  const table = await openTable(path, format);
  const rows: (readonly Cell[])[] = [];
  let recoded = 0;
  try {
    for await (const batch of table.batches(table.columns.map((_, index) => index))) {
      rows.push(...batch.rows.slice(0, ROWS - rows.length));
      recoded += batch.recoded?.size ?? 0;
      if (rows.length >= ROWS) break;
    }
  } finally {
    await table.close();
  }
  const names = table.columns.map(({ name }) => name);
  const place = placeHint(names);
  const texts = rows.flatMap((row) => row.filter((cell) => typeof cell === 'string'));
  const decimal = guessDecimal(texts);
  const emptyWords = [...new Set(texts.map((text) => text.trim()).filter(isEmptyWord))].slice(
    0,
    20,
  );
  const profiles = table.columns.map(({ name }, index) =>
    profileColumn(
      name,
      rows.map((row) => row[index] ?? null),
      decimal.decimal,
      place.dayFirst,
    ),
  );
  const odd = rows.length === 0 ? 0 : recoded / rows.length;
  return {
    table,
    profiles,
    decimal,
    place,
    rows: rows.length,
    recodedShare: odd,
    emptyWords,
    format,
  };
}

/** Lines above the header, or no header at all. */
async function headerFormat(path: string): Promise<TextFormat> {
  const { kind } = await inspectFile(path);
  if (kind === 'parquet' || /\.(?:ndjson|jsonl|json)(?:\.gz)?$/i.test(path)) return {};
  return findHeader(path, openBytes(path, kind));
}

function proposal(kind: ImportKind, sheet: Sheet): { score: number; guess: Guess } {
  const findings: Record<string, Finding> = {};
  const picked = pickFields(kind, sheet.profiles);
  const fields: Record<string, FieldSpec> = {};
  let score = 0;
  for (const [field, { profile, sure }] of picked) {
    if (!(field in FIELDS[kind])) continue;
    fields[field] = sourceOf(field, profile, sheet);
    score += sure * (FIELDS[kind][field] ? 2 : 1);
    findings[`fields.${field}`] = {
      sure,
      why: `the column "${profile.name}"`,
      samples: samplesOf(profile, field),
    };
  }
  const format = formatOf(sheet, picked, findings);
  dailyOrders(kind, fields, findings);
  joinClock(fields, picked, sheet, findings);
  fullName(fields, picked);
  const more = extras(kind, fields, picked, sheet, findings);
  const missing = Object.keys(FIELDS[kind]).filter(
    (field) => FIELDS[kind][field] && fields[field] === undefined,
  );
  if (kind === 'orders' && fields['price'] === undefined && fields['amount'] === undefined) {
    missing.push('price');
  }
  const used = new Set([...picked.values()].map(({ profile }) => profile.name));
  const unused = sheet.profiles
    .map(({ name }) => name)
    .filter((name) => !used.has(name) && name !== '');
  const mapping: Mapping = {
    kind,
    ...(Object.keys(format).length > 0 && { format }),
    fields,
    ...more,
    ...(kind === 'customers' && { traits: unused }),
    ...((kind === 'events' || kind === 'reviews') && { properties: unused }),
  };
  const guess = { kind, mapping, findings, unused, missing, rows: sheet.rows };
  return { score: score - 2.5 * missing.length - 0.05 * unused.length, guess };
}

function sourceOf(field: string, { name, values, dates }: ColumnProfile, sheet: Sheet): Source {
  if (IS_DATE.has(field) && dates) {
    const formats = dates.formats.filter((format) => format !== undefined);
    if (formats.length === 0) return name;
    return { column: name, format: formats.length === 1 ? formats[0] : formats };
  }
  // Ids that went through a spreadsheet: 17850.0.
  const isId = !IS_NUMBER.has(field) && field !== 'name' && field !== 'title';
  if (isId && sheet.table.format === 'csv' && values.length > 0) {
    if (values.every((text) => /^\d+\.0$/.test(text)))
      return { column: name, match: '^(\\d+)\\.0$' };
  }
  return name;
}

function samplesOf({ values, emails }: ColumnProfile, field: string): string[] {
  const isPersonal = emails > 0.3 || ['name', 'first', 'last', 'text'].includes(field);
  return [...new Set(values)].slice(0, 3).map((value) => {
    if (!isPersonal) return value.length > 40 ? `${value.slice(0, 39)}…` : value;
    // For the eye of a person, and yet nobody's address.
    return value.replace(/^(.).*?(@.*)?$/su, '$1…$2');
  });
}

function formatOf(
  sheet: Sheet,
  picked: ReadonlyMap<string, Pick>,
  findings: Record<string, Finding>,
): FormatRules {
  const { table, decimal, place, recodedShare, emptyWords } = sheet;
  const found: Record<string, unknown> = { ...sheet.format };
  const say = (name: string, value: unknown, sure: number, why: string): void => {
    found[name] = value;
    findings[`format.${name}`] = { sure, why, samples: [] };
  };
  if (table.format === 'csv') say('delimiter', table.delimiter, 0.95, 'by the first lines');
  if (table.encoding !== 'utf-8') say('encoding', table.encoding, 0.95, 'by its first bytes');
  else if (recodedShare > 0.02) {
    say('encoding', 'windows-1252', 0.7, 'lines that are no UTF-8; also what is called Latin-1');
  }
  if (table.format === 'csv') {
    say('decimal', decimal.decimal, decimal.sure, 'by the numbers that show it');
  }
  if (emptyWords.length > 0) say('empty', emptyWords, 0.8, 'words that seem to mean nothing');
  const at = picked.get('at') ?? picked.get('createdAt');
  if (at?.profile.dates) {
    const { sure, why, hasOffset } = at.profile.dates;
    const field = picked.has('at') ? 'at' : 'createdAt';
    const before = findings[`fields.${field}`];
    if (before)
      findings[`fields.${field}`] = {
        ...before,
        sure: Math.min(before.sure, sure),
        why: `${before.why}; ${why}`,
      };
    if (!hasOffset) {
      const zone = place.timeZone ?? zoneOfMoney(sheet, picked);
      say('timeZone', zone, zone === 'UTC' ? 0.3 : 0.5, 'the file does not say it');
    }
  }
  return found as FormatRules;
}

/** A day in one column and a time in another are one instant. */
function joinClock(
  fields: Record<string, FieldSpec>,
  picked: ReadonlyMap<string, Pick>,
  { profiles }: Sheet,
  findings: Record<string, Finding>,
): void {
  const day = picked.get('at')?.profile;
  const clock = picked.get('time')?.profile;
  if (!day || !clock || day.dates === null || day.values.some((text) => /:\d\d/.test(text))) return;
  const format = day.dates.formats[0] ?? 'yyyy-MM-dd';
  const first = clock.values[0] ?? '';
  const pattern = /[ap]m$/i.test(first)
    ? `h:mm${/\d:\d\d:\d/.test(first) ? ':ss' : ''} a`
    : /\d:\d\d:\d/.test(first)
      ? 'H:mm:ss'
      : 'H:mm';
  const columns = profiles.map(({ name }) => name);
  // Names with braces cannot stand in a template.
  if ([day.name, clock.name].some((name) => /[{}]/.test(name) || !columns.includes(name))) return;
  fields['at'] = [
    { template: `{${day.name}} {${clock.name}}`, format: `${format} ${pattern}` },
    { column: day.name, ...(day.dates.formats[0] !== undefined && { format }) },
  ];
  findings['fields.at'] = {
    sure: Math.min(0.9, day.dates.sure),
    why: `the columns "${day.name}" and "${clock.name}"; ${day.dates.why}`,
    samples: [`${day.values[0]} ${first}`],
  };
}

/** Without numbers of orders, what a customer bought at one time is an order. */
function dailyOrders(
  kind: ImportKind,
  fields: Record<string, FieldSpec>,
  findings: Record<string, Finding>,
): void {
  if (kind !== 'orders' || fields['order'] !== undefined) return;
  const [customer, at] = ['customer', 'at'].map((field) => {
    const source = fields[field];
    return typeof source === 'string'
      ? source
      : (source as { column?: string } | undefined)?.column;
  });
  const hasMoney = fields['price'] !== undefined || fields['amount'] !== undefined;
  if (customer === undefined || at === undefined || !hasMoney || /[{}]/.test(customer + at)) return;
  fields['order'] = { template: `{${customer}}-{${at}}` };
  findings['fields.order'] = {
    sure: 0.5,
    why: 'no column numbers the orders: what a customer bought at one time is one',
    samples: [],
  };
}

function fullName(fields: Record<string, FieldSpec>, picked: ReadonlyMap<string, Pick>): void {
  const [first, last] = [picked.get('first')?.profile.name, picked.get('last')?.profile.name];
  if (first === undefined || last === undefined || fields['name'] !== undefined) return;
  if (/[{}]/.test(first + last)) return;
  fields['name'] = [{ template: `{${first}} {${last}}` }, first, last];
}

const CANCELLED =
  /^(?:cancell?ed|canceled|refunded|returned?|voided|credit|stornier\w*|storno|retoure|gutschrift|zuruck\w*|widerruf\w*|annulee?s?|annulation|retour|rembourse\w*|avoir|cancelad[oa]|devoluci\w*|devuelto|annullato|reso|rimborsato|geannuleerd|anulowan\w*|zwrot|makulerad|retur)$/i;

/** Currency, name of the product, what was taken back. */
function extras(
  kind: ImportKind,
  fields: Record<string, FieldSpec>,
  picked: ReadonlyMap<string, Pick>,
  sheet: Sheet,
  findings: Record<string, Finding>,
): Partial<Mapping> {
  if ('currency' in FIELDS[kind] && fields['currency'] === undefined) {
    const found = currencyOf(sheet, picked);
    const likely = sheet.place.currency ?? countryHint(sheet)?.[1];
    const currency = found ?? likely ?? 'EUR';
    fields['currency'] = { value: currency };
    findings['fields.currency'] = {
      sure: found ? 0.85 : likely ? 0.5 : 0.2,
      why: found ? 'by a sign or a heading' : 'the file does not say it',
      samples: [],
    };
  }
  if (kind === 'consents' && fields['source'] === undefined) fields['source'] = { value: 'import' };
  if (kind !== 'orders') return {};
  const title = picked.get('title')?.profile;
  const cancelled = cancelledOf(picked, findings);
  return {
    ...(title && { lineProperties: { name: title.name } }),
    ...(cancelled && { cancelled }),
  };
}

function cancelledOf(
  picked: ReadonlyMap<string, Pick>,
  findings: Record<string, Finding>,
): RowTest | null {
  const status = picked.get('status')?.profile;
  const words = [...new Set(status?.values ?? [])].filter((text) =>
    CANCELLED.test(plainHeading(text)),
  );
  if (status && words.length > 0) {
    findings['cancelled'] = {
      sure: 0.7,
      why: `words of the column "${status.name}"`,
      samples: words.slice(0, 3),
    };
    return { column: status.name, in: words };
  }
  return null;
}
