import type { ColumnProfile } from './guess-columns.ts';
import type { Pick } from './guess-fit.ts';
import type { PlaceHint } from './guess-names.ts';
import type { FormatRules } from './mapping.ts';
import type { Table } from './table.ts';
import { readCountry } from './values.ts';

/** What was read of a file. */
export interface Sheet {
  readonly table: Table;
  readonly profiles: readonly ColumnProfile[];
  readonly decimal: { readonly decimal: '.' | ','; readonly sure: number };
  readonly place: PlaceHint;
  readonly rows: number;
  readonly recodedShare: number;
  readonly emptyWords: readonly string[];
  readonly format: FormatRules;
}

const SIGNS: readonly (readonly [sign: RegExp, currency: string])[] = [
  [/€|\bEUR\b|\beuros?\b/i, 'EUR'],
  [/£|\bGBP\b/i, 'GBP'],
  [/\bCHF\b|\bSFr\b/i, 'CHF'],
  [/\bPLN\b|zł/i, 'PLN'],
  [/\bSEK\b/i, 'SEK'],
  [/\bDKK\b/i, 'DKK'],
  [/\bNOK\b/i, 'NOK'],
  [/¥|\bJPY\b/i, 'JPY'],
  [/\bCAD\b/i, 'CAD'],
  [/\bAUD\b/i, 'AUD'],
  [/\$|\bUSD\b/i, 'USD'],
];
const ZONES: Readonly<Record<string, string>> = {
  GBP: 'Europe/London',
  CHF: 'Europe/Zurich',
  PLN: 'Europe/Warsaw',
  SEK: 'Europe/Stockholm',
  DKK: 'Europe/Copenhagen',
  NOK: 'Europe/Oslo',
  JPY: 'Asia/Tokyo',
  USD: 'America/New_York',
};

/** By a sign at the amounts or in a heading. */
export function currencyOf(sheet: Sheet, picked: ReadonlyMap<string, Pick>): string | null {
  const money = ['price', 'amount', 'total'].flatMap((field) => picked.get(field)?.profile ?? []);
  for (const [sign, currency] of SIGNS) {
    const inValues = money.some(({ values }) =>
      values.slice(0, 50).some((text) => sign.test(text)),
    );
    if (inValues || sheet.profiles.some(({ name }) => sign.test(name))) return currency;
  }
  return null;
}

export function zoneOfMoney(sheet: Sheet, picked: ReadonlyMap<string, Pick>): string {
  const code = picked.get('currency')?.profile.values[0] ?? currencyOf(sheet, picked);
  return ZONES[code?.toUpperCase() ?? ''] ?? countryHint(sheet)?.[0] ?? 'UTC';
}

const COUNTRIES: Readonly<Record<string, readonly [zone: string, currency: string]>> = {
  GB: ['Europe/London', 'GBP'],
  IE: ['Europe/Dublin', 'EUR'],
  DE: ['Europe/Berlin', 'EUR'],
  AT: ['Europe/Vienna', 'EUR'],
  CH: ['Europe/Zurich', 'CHF'],
  FR: ['Europe/Paris', 'EUR'],
  ES: ['Europe/Madrid', 'EUR'],
  IT: ['Europe/Rome', 'EUR'],
  NL: ['Europe/Amsterdam', 'EUR'],
  PL: ['Europe/Warsaw', 'PLN'],
  SE: ['Europe/Stockholm', 'SEK'],
  US: ['America/New_York', 'USD'],
};

/** Where most of the customers live. */
export function countryHint({ profiles }: Sheet): readonly [zone: string, currency: string] | null {
  for (const { countries, values } of profiles) {
    if (countries < 0.8) continue;
    const counts = new Map<string, number>();
    for (const text of values) {
      const code = readCountry(text);
      if (code !== null) counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    const [code, n] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? ['', 0];
    if (n > values.length / 2) return COUNTRIES[code] ?? null;
  }
  return null;
}
