import { dateReader, isPlausible } from './dates.ts';
import type { Cell } from './table.ts';
import { readBoolean, readCountry, readNumber } from './values.ts';

/** What the first rows say of a column. Shares are of the cells that are not empty. */
export interface ColumnProfile {
  readonly name: string;
  readonly values: readonly string[];
  /** By row, empty where the row has nothing there. */
  readonly cells: readonly string[];
  readonly filled: number;
  readonly distinct: number;
  readonly numbers: number;
  readonly emails: number;
  readonly booleans: number;
  readonly countries: number;
  readonly currencies: number;
  /** Times of a day without a day. */
  readonly times: number;
  /** Forms of dates with the share that they read, the best first. */
  readonly dates: DateGuess | null;
}

export interface DateGuess {
  /** Undefined is ISO 8601. */
  readonly formats: readonly (string | undefined)[];
  readonly share: number;
  /** 0 to 1: how sure it is that day and month are not the other way round. */
  readonly sure: number;
  /** Why it is sure or is not. */
  readonly why: string;
  /** The values say their offset from UTC themselves. */
  readonly hasOffset: boolean;
}

const SAMPLE = 2_000;
const EMPTY = /^(?:n\/?a|null|none|nil|nan|-+|\?+|\(null\)|#n\/a|#nv|k\.?\s?a\.?|\\n)$/i;
const EMAIL = /^[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+$/;
const CODES = new Set(Intl.supportedValuesOf('currency'));
const TIME = /^\d{1,2}[:.h]\d{2}(?:[:.]\d{2})?(?:\s?[ap]m)?$/i;

export function isEmptyWord(text: string): boolean {
  return EMPTY.test(text);
}

export function profileColumn(
  name: string,
  column: readonly Cell[],
  decimal: '.' | ',',
  dayFirst: boolean | null,
): ColumnProfile {
  const cells = column.map((cell) => {
    if (cell === null) return '';
    const text = cell instanceof Date ? cell.toISOString().slice(0, 19) : String(cell).trim();
    return EMPTY.test(text) ? '' : text;
  });
  const values = cells.filter((text) => text !== '').slice(0, SAMPLE);
  const share = (test: (text: string) => boolean): number =>
    values.length === 0 ? 0 : values.filter(test).length / values.length;
  return {
    name,
    values,
    cells,
    filled: cells.length === 0 ? 0 : cells.filter((text) => text !== '').length / cells.length,
    distinct: values.length === 0 ? 0 : new Set(values).size / values.length,
    numbers: share((text) => !Number.isNaN(readNumber(text, decimal))),
    emails: share((text) => EMAIL.test(text)),
    booleans: share((text) => readBoolean(text) !== undefined),
    countries: share((text) => /\p{L}{2}/u.test(text) && readCountry(text) !== null),
    currencies: share((text) => text.length === 3 && CODES.has(text.toUpperCase())),
    times: share((text) => TIME.test(text)),
    dates: guessDates(values, dayFirst),
  };
}

/** A decimal comma or point, by all cells that show which: `1.234,50` and `9,99` against `1,234.50` and `9.99`. */
export function guessDecimal(cells: readonly string[]): { decimal: '.' | ','; sure: number } {
  let [commas, points] = [0, 0];
  for (const text of cells) {
    const bare = text.replaceAll(/[\p{Sc}\sA-Z'’+-]/gu, '');
    if (/^\d{1,3}(?:\.\d{3})+,\d+$/.test(bare) || /^\d+,(?:\d|\d\d|\d{4,})$/.test(bare))
      commas += 1;
    else if (/^\d{1,3}(?:,\d{3})+\.\d+$/.test(bare) || /^\d+\.(?:\d|\d\d|\d{4,})$/.test(bare))
      points += 1;
  }
  const all = commas + points;
  const decimal = commas > points ? ',' : '.';
  return { decimal, sure: all === 0 ? 0.5 : Math.max(commas, points) / all };
}

const DAYS = [
  'yyyy-M-d',
  'd.M.yyyy',
  'd/M/yyyy',
  'M/d/yyyy',
  'd-M-yyyy',
  'M-d-yyyy',
  'yyyy/M/d',
  'yyyy.M.d',
  'd.M.yy',
  'd/M/yy',
  'M/d/yy',
  'd-M-yy',
  'yyyyMMdd',
  'd MMM yyyy',
  'd. MMM yyyy',
  'MMM d, yyyy',
  'd-MMM-yyyy',
  'd-MMM-yy',
  'MMM d yyyy',
] as const;
const CLOCKS = [
  '',
  ' H:mm',
  ' H:mm:ss',
  ' h:mm a',
  ' h:mm:ss a',
  "'T'H:mm:ss",
  "'T'H:mm",
  ', H:mm',
  ', H:mm:ss',
  " 'um' H:mm",
  "' - 'H:mm",
  ' H.mm',
  "' 'H'h'mm",
  ' H:mm:ss.S',
  ' H:mm:ss XXX',
  ' H:mm:ssXXX',
  'HHmmss',
  'HHmm',
] as const;
const TURNED: Readonly<Record<string, string>> = {
  'd/M': 'M/d',
  'M/d': 'd/M',
  'd-M': 'M-d',
  'M-d': 'd-M',
};
const utc = (localMs: number): number => localMs;

function guessDates(values: readonly string[], dayFirst: boolean | null): DateGuess | null {
  const sample = values.slice(0, 500);
  if (sample.length === 0) return null;
  const iso = shareOf(undefined, sample);
  const hasOffset = sample.some((text) => /\d(?:Z|[+-]\d\d:?\d\d)$/.test(text));
  if (iso > 0.9) return { formats: [undefined], share: iso, sure: 1, why: 'ISO 8601', hasOffset };
  const numeric = numericDates(sample);
  if (numeric) return numeric;
  const formats: string[] = [];
  let rest = sample;
  let [share, sure, why] = [0, 1, ''];
  // A file that was put together from two sources has two forms.
  for (let left = 4; left > 0 && rest.length > 0; left -= 1) {
    const found = bestFormat(rest, dayFirst);
    if (!found || found.share * rest.length < Math.max(1, sample.length / 200)) break;
    formats.push(found.format);
    sure = Math.min(sure, found.sure);
    why ||= found.why;
    const read = dateReader(found.format, utc);
    rest = rest.filter((text) => Number.isNaN(read(text)));
    share = 1 - rest.length / sample.length;
    // Another form with the same signs would read the days that the first one refuses the other way round.
    if (rest.length < sample.length / 200) break;
  }
  return share > 0.5 ? { formats, share, sure, why, hasOffset } : null;
}

/** The share that is read as plausible dates. */
function shareOf(format: string | undefined, values: readonly string[]): number {
  const read = dateReader(format, utc);
  const found = values.filter((text) => isPlausible(read(text)));
  return found.length / values.length;
}

function numericDates(values: readonly string[]): DateGuess | null {
  const numbers = values.map((text) =>
    /^\d+(?:[.,]\d+)?$/.test(text) ? Number(text.replace(',', '.')) : Number.NaN,
  );
  if (numbers.some(Number.isNaN)) return null;
  const within = (from: number, to: number): boolean => numbers.every((n) => n >= from && n < to);
  const made = (format: string, why: string, sure: number): DateGuess => ({
    formats: [format],
    share: 1,
    sure,
    why,
    hasOffset: format.startsWith('epoch'),
  });
  if (within(6.3e8, 2.6e9)) return made('epoch-s', 'seconds since 1970', 0.9);
  if (within(6.3e11, 2.6e12)) return made('epoch-ms', 'milliseconds since 1970', 0.9);
  if (within(19_800_101, 20_991_232) && shareOf('yyyyMMdd', values) > 0.98) {
    return made('yyyyMMdd', 'eight digits', 0.9);
  }
  // Serial days of a spreadsheet look like any number; only a heading makes them a date.
  if (within(25_569, 73_051)) return made('excel', 'days of a spreadsheet, 1970 to 2099', 0.5);
  return null;
}

interface FormatGuess {
  format: string;
  share: number;
  sure: number;
  why: string;
}

function bestFormat(values: readonly string[], dayFirst: boolean | null): FormatGuess | null {
  const few = values.slice(0, 40);
  let best: { format: string; share: number } | null = null;
  for (const day of DAYS) {
    for (const clock of CLOCKS) {
      const format = day + clock;
      // All of them over all values would take a second a column.
      if (shareOf(format, few) < (best ? best.share * 0.5 : 0.05)) continue;
      const share = shareOf(format, values);
      if (share > (best?.share ?? 0)) best = { format, share };
    }
  }
  if (!best) return null;
  const order = /^[dM][-/][dM]/.exec(best.format)?.[0];
  const turned = order === undefined ? undefined : TURNED[order];
  if (order === undefined || turned === undefined) {
    return { ...best, sure: 1, why: 'the only way to read them' };
  }
  const other = turned + best.format.slice(order.length);
  const otherShare = shareOf(other, values);
  if (best.share - otherShare > 0.02) {
    return { ...best, sure: 0.97, why: 'days above 12 show which is the day' };
  }
  // No day above 12: rows usually stand in the order of time.
  const [own, others] = [ordered(best.format, values), ordered(other, values)];
  if (Math.abs(own - others) > 0.1) {
    const format = own > others ? best.format : other;
    return { ...best, format, sure: 0.75, why: 'read so, the rows stand in the order of time' };
  }
  const wantsDay = dayFirst ?? true;
  const format = order.startsWith('d') === wantsDay ? best.format : other;
  return { ...best, format, sure: 0.5, why: 'day and month could be the other way round' };
}

/** Share of neighbours in the order of time. */
function ordered(format: string, values: readonly string[]): number {
  const read = dateReader(format, utc);
  const times = values.map(read).filter((atMs) => !Number.isNaN(atMs));
  if (times.length < 3) return 0;
  let up = 0;
  for (let at = 1; at < times.length; at += 1) if (times[at]! >= times[at - 1]!) up += 1;
  return Math.max(up, times.length - 1 - up) / (times.length - 1);
}
