/** Reads numbers, yes or no, and countries as shops write them. */

const PLAIN = /^[+-]?\d+(?:\.\d+)?$/;
const GROUPED_POINT = /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;
const EXPONENT = /^[+-]?\d+(?:\.\d+)?[eE][+-]?\d{1,3}$/;
const COMMA = /^[+-]?\d+(?:,\d+)?$/;
const GROUPED_COMMA = /^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?$/;
/** Currency signs and codes, and blanks, around a number. */
const AROUND = /^[\p{Sc}\s]+|[\p{Sc}\s]+$|^[A-Z]{3}\s|\s[A-Z]{3}$/gu;

/** NaN where the text is no number. Never guesses: `1,234` with a decimal point is 1234, with a comma 1.234. */
export function readNumber(text: string, decimal: '.' | ','): number {
  if (decimal === '.' && PLAIN.test(text)) return Number(text);
  const minus = /^(-?)\s*(.*)$/su.exec(text)!;
  // An apostrophe and a narrow blank separate thousands in Switzerland and in France.
  const bare = `${minus[1]}${minus[2]!.replaceAll(AROUND, '').replaceAll(/(?<=\d)['’\u00a0\u202f ](?=\d{3})/g, '')}`;
  if (decimal === '.') {
    if (PLAIN.test(bare) || EXPONENT.test(bare)) return Number(bare);
    return GROUPED_POINT.test(bare) ? Number(bare.replaceAll(',', '')) : Number.NaN;
  }
  if (COMMA.test(bare)) return Number(bare.replace(',', '.'));
  if (GROUPED_COMMA.test(bare)) return Number(bare.replaceAll('.', '').replace(',', '.'));
  return Number.NaN;
}

const YES = new Set(['true', 'yes', 'y', 't', '1', 'on']);
const NO = new Set(['false', 'no', 'n', 'f', '0', 'off']);

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

function countryNames(): Map<string, string> {
  const display = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });
  const known = new Map<string, string>();
  const letters = Array.from({ length: 26 }, (_, index) => String.fromCharCode(65 + index));
  // Codes that the runtime names although they are groups of countries or no longer in use.
  const others = new Set(['EU', 'EZ', 'UN', 'ZZ', 'XA', 'XB', 'QO', 'UK', 'SU', 'YU', 'DD', 'CS']);
  for (const code of letters.flatMap((first) => letters.map((second) => first + second))) {
    const name = display.of(code);
    if (name === undefined || others.has(code)) continue;
    known.set(code.toLowerCase(), code);
    if (!known.has(name.toLowerCase())) known.set(name.toLowerCase(), code);
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
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ud800-\udfff]/;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Without control characters and broken Unicode, which PostgreSQL's jsonb refuses, and without blanks around. */
export function cleanText(text: string): string {
  const trimmed = text.trim();
  return CONTROL.test(trimmed) ? trimmed.replaceAll(CONTROLS, '').toWellFormed() : trimmed;
}
