import type { Interval } from '../../domain/measure.ts';

/** Numbers as an English reader expects them. The minus is the real one, so that columns line up. */
export interface Format {
  count(value: number): string;
  /** With cents below a thousand. */
  money(value: number): string;
  /** As {@link money}, with its sign even where it is positive. */
  gain(value: number): string;
  share(part: number, whole: number): string;
  percent(rate: number | null): string;
  signed(value: number): string;
  day(iso: string | null): string;
  moment(iso: string | null): string;
}

export function formatFor(currency: string | null): Format {
  const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
  const tenth = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
  const big = moneyFormat(currency, 0);
  const small = moneyFormat(currency, 2);
  const minus = (text: string): string => text.replace('-', '−');
  const money = (value: number): string =>
    minus((Math.abs(value) >= 1_000 ? big : small).format(value));
  return {
    count: (value) => minus(whole.format(value)),
    money,
    gain: (value) => (value > 0 ? `+${money(value)}` : money(value)),
    share: (part, of) => (of === 0 ? '–' : `${((100 * part) / of).toFixed(1)} %`),
    percent: (rate) => (rate === null ? '–' : `${(100 * rate).toFixed(2)} %`),
    signed: (value) => minus(`${value > 0 ? '+' : ''}${tenth.format(value)}`),
    day: (iso) => (iso === null ? '–' : DAY.format(new Date(iso))),
    moment: (iso) => (iso === null ? '–' : `${MOMENT.format(new Date(iso))} UTC`),
  };
}

const DAY = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
});
const MOMENT = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});

/** A shop may write anything as its currency: what is no code is left away. */
function moneyFormat(currency: string | null, digits: number): Intl.NumberFormat {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  try {
    if (currency) return new Intl.NumberFormat('en', { ...options, style: 'currency', currency });
  } catch {
    // Falls through.
  }
  return new Intl.NumberFormat('en', options);
}

/** Does the interval leave open whether there is any effect at all? */
export function holdsZero(interval: Interval): boolean {
  return interval.low <= 0 && interval.high >= 0;
}

/** Round steps (1, 2, 2.5 or 5 times a power of ten) that cover `max`, at most `count` of them; at least one. */
export function niceTicks(max: number, count: number): number[] {
  if (!(max > 0)) return [0, 1];
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!;
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, index) => index * step);
}
