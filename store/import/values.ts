/** Reads numbers, yes or no, and countries as shops write them. */

const PLAIN = /^[+-]?(?:\d+(?:\.\d+)?|\.\d+)$/;
const GROUPED_POINT = /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;
const EXPONENT = /^[+-]?\d+(?:\.\d+)?[eE][+-]?\d{1,3}$/;
const COMMA = /^[+-]?(?:\d+(?:,\d+)?|,\d+)$/;
const GROUPED_COMMA = /^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?$/;
/** Currency signs and codes, and blanks, around a number. */
const AROUND = /^[\p{Sc}\s]+|[\p{Sc}\s]+$|^[A-Z]{3}\s|\s[A-Z]{3}$/gu;

/** Digits with a point among them, and no more. */
export function isPlainNumber(text: string): boolean {
  return PLAIN.test(text);
}

/**
 * NaN where the text is no number. Never guesses: `1,234` with a decimal point is 1234, with a comma 1.234. A minus may
 * stand behind the number, and parentheses for it, as in books.
 */
export function readNumber(text: string, decimal: '.' | ','): number {
  if (decimal === '.' && PLAIN.test(text)) return Number(text) || 0;
  const signed = /^\((.*)\)$|^([^-\u2212]*\d[^-\u2212]*)[-\u2212]$/su.exec(text);
  if (signed) return -readNumber((signed[1] ?? signed[2]!).trim(), decimal) || 0;
  const minus = /^([-\u2212]?)\s*(.*)$/su.exec(text)!;
  let digits = minus[2]!.replaceAll(AROUND, '');
  let sign = minus[1] === '' ? '' : '-';
  // The sign of a currency may stand before the minus.
  if (sign === '' && /^[-\u2212]/u.test(digits)) [sign, digits] = ['-', digits.slice(1).trim()];
  // An apostrophe and a narrow blank separate thousands in Switzerland and in France.
  const bare = `${sign}${digits.replaceAll(/(?<=\d)['’\u00a0\u202f ](?=\d{3})/g, '')}`;
  if (decimal === '.') {
    if (PLAIN.test(bare) || EXPONENT.test(bare)) return Number(bare) || 0;
    return GROUPED_POINT.test(bare) ? Number(bare.replaceAll(',', '')) : Number.NaN;
  }
  if (COMMA.test(bare)) return Number(bare.replace(',', '.')) || 0;
  if (GROUPED_COMMA.test(bare)) return Number(bare.replaceAll('.', '').replace(',', '.'));
  return Number.NaN;
}

/** English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish. */
const YES = new Set(
  'true yes y t 1 on x ja wahr j oui vrai o si sí sim s verdadero vero verdadeiro waar tak prawda'.split(
    ' ',
  ),
);
const NO = new Set(
  'false no n f 0 off nein falsch non faux não nao falso nee onwaar nie fałsz nej falskt'.split(
    ' ',
  ),
);

/** Undefined where the text is neither. */
export function readBoolean(text: string): boolean | undefined {
  const word = text.toLowerCase();
  if (YES.has(word)) return true;
  return NO.has(word) ? false : undefined;
}

let names: Map<string, string> | null = null;

/** ISO 3166-1 alpha-2 from a code or an English name; null where it is neither. */
export function readCountry(text: string): string | null {
  names ??= countryNames();
  return names.get(text.toLowerCase()) ?? null;
}

/** Languages in which shops name countries and months. */
export const LANGUAGES = ['en', 'de', 'fr', 'es', 'it', 'pt', 'nl', 'pl', 'sv'] as const;

function countryNames(): Map<string, string> {
  const displays = LANGUAGES.map(
    (language) => new Intl.DisplayNames([language], { type: 'region', fallback: 'none' }),
  );
  const known = new Map<string, string>();
  const letters = Array.from({ length: 26 }, (_, index) => String.fromCharCode(65 + index));
  // Codes that the runtime names although they are groups of countries or no longer in use.
  const others = new Set(['EU', 'EZ', 'UN', 'ZZ', 'XA', 'XB', 'QO', 'UK', 'SU', 'YU', 'DD', 'CS']);
  const codes = letters
    .flatMap((first) => letters.map((second) => first + second))
    .filter((code) => displays[0]!.of(code) !== undefined && !others.has(code));
  for (const code of codes) known.set(code.toLowerCase(), code);
  for (const display of displays) {
    for (const code of codes) {
      const name = display.of(code)?.toLowerCase();
      if (name !== undefined && !known.has(name)) known.set(name, code);
    }
  }
  for (const [name, code] of [
    ['uk', 'GB'],
    ['usa', 'US'],
    ['great britain', 'GB'],
  ] as const) {
    known.set(name, code);
  }
  return known;
}

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Control characters, or halves of a character. */
export function hasControls(text: string): boolean {
  return CONTROL.test(text) || !text.isWellFormed();
}

/** Without control characters and broken Unicode, which PostgreSQL's jsonb refuses, and without blanks around. */
export function cleanText(text: string): string {
  const trimmed = text.trim();
  return hasControls(trimmed) ? trimmed.replaceAll(CONTROLS, '').toWellFormed() : trimmed;
}
