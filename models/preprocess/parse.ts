/** What the text of a cell says, without knowing the file it is from. */

/** Words by which exports say "nothing known". In a column of categories they stay a category of their own. */
const MISSING = new Set([
  '',
  '-',
  '--',
  '?',
  '.',
  'na',
  'n/a',
  '#n/a',
  'nan',
  'null',
  'none',
  'nil',
  'unknown',
  'missing',
  '\\n',
]);

/** Whether nothing at all stands there. */
export const isBlank = (text: string): boolean => text.trim() === '';

/** Whether a column of numbers or dates may have this for "not known". */
export function saysMissing(text: string): boolean {
  return MISSING.has(text.trim().toLowerCase());
}

/** Which sign stands before the fraction; the other one groups thousands. */
export type Decimal = '.' | ',';

/** Blanks of all kinds and apostrophes group thousands too; a currency or a percent sign is no part of the number. */
const GROUPING = /[\s\u00a0\u202f'’_]/g;
const UNIT = /^[$€£¥₹]|[$€£¥₹%]$/g;
const PLAIN = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const GROUPED_COMMA = /^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;
const GROUPED_POINT = /^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?$/;
const COMMA = /^[+-]?(?:\d+,\d*|,\d+)(?:e[+-]?\d+)?$/i;

/** The number of a cell, or NaN where there is none. `(12)` is −12, as accountants write it. */
export function parseNumber(text: string, decimal: Decimal): number {
  let bare = text.trim();
  if (PLAIN.test(bare) && (decimal === '.' || !bare.includes('.'))) return finite(Number(bare));
  const accounted = /^\((.+)\)$/.exec(bare);
  bare = (accounted?.[1] ?? bare).replaceAll(GROUPING, '').replaceAll(UNIT, '');
  const sign = accounted ? -1 : 1;
  if (decimal === ',') {
    if (GROUPED_POINT.test(bare)) bare = bare.replaceAll('.', '');
    return COMMA.test(bare) || PLAIN.test(bare)
      ? finite(sign * Number(bare.replace(',', '.')))
      : Number.NaN;
  }
  if (GROUPED_COMMA.test(bare)) bare = bare.replaceAll(',', '');
  return PLAIN.test(bare) ? finite(sign * Number(bare)) : Number.NaN;
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.NaN;
}

/** The decimal sign by which more of these cells are numbers; "1,234" alone is a thousand and some. */
export function decimalOf(cells: readonly string[]): Decimal {
  let [comma, point] = [0, 0];
  for (const cell of cells) {
    if (!/[.,]/.test(cell)) continue;
    const text = cell.trim().replaceAll(GROUPING, '').replaceAll(UNIT, '');
    if (PLAIN.test(text) || GROUPED_COMMA.test(text)) point++;
    if (COMMA.test(text) || GROUPED_POINT.test(text)) comma++;
  }
  return comma > point ? ',' : '.';
}

/** Which of two ambiguous numbers is the day. */
export type DateOrder = 'iso' | 'day-first' | 'month-first';
const ISO =
  /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?(?:Z| ?[+-]\d{2}:?\d{2})?$/i;
const LOCAL = /^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2}))?)?$/;

/** Milliseconds since 1970 as the clock on the wall said; NaN where the cell is no date. */
export function parseDate(text: string, order: DateOrder): number {
  const bare = text.trim();
  const match = (order === 'iso' ? ISO : LOCAL).exec(bare);
  if (!match) return Number.NaN;
  const [first, second, third, hour = 0, minute = 0, seconds = 0] = match
    .slice(1)
    .map((part) => (part === undefined ? undefined : Number(part))) as number[];
  const [year, month, day] =
    order === 'iso'
      ? [first!, second!, third!]
      : order === 'day-first'
        ? [third!, second!, first!]
        : [third!, first!, second!];
  if (month < 1 || month > 12 || day < 1 || day > 31) return Number.NaN;
  return Date.UTC(year, month - 1, day, hour, minute, seconds);
}

/** The order in which every cell is a date; null where there is none. */
export function dateOrderOf(cells: readonly string[], share = 0.98): DateOrder | null {
  let best: DateOrder | null = null;
  let most = 0;
  for (const order of ['iso', 'day-first', 'month-first'] as const) {
    let count = 0;
    for (const cell of cells) if (!Number.isNaN(parseDate(cell, order))) count++;
    if (count > most && count >= share * cells.length) [best, most] = [order, count];
  }
  return best;
}
