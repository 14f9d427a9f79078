/**
 * What a feature and its value mean, said as a marketer says it: "they ordered 3 times in the last year". Names are
 * those of `domain/features.ts`; others are said as they are.
 */
export interface Phrase {
  /** What it is about; one sentence does not name the same thing twice. */
  readonly topic: string;
  readonly text: string;
}

type Say = (value: number, window: string) => string;

const COUNTED: Readonly<Record<string, { topic: string; say: Say }>> = {
  orders: { topic: 'orders', say: verb('ordered', 'did not order') },
  revenue: {
    topic: 'revenue',
    say: (value, window) =>
      value > 0 ? `they spent ${money(value)}${window}` : `they spent nothing${window}`,
  },
  views: { topic: 'browsing', say: verb('looked at products', 'did not look at a product') },
  carts: { topic: 'carts', say: verb('filled a cart', 'put nothing into a cart') },
  refunds: { topic: 'refunds', say: verb('sent an order back', 'sent nothing back') },
  opens: { topic: 'mails', say: verb('opened a mail', 'opened no mail') },
  clicks: { topic: 'mails', say: verb('clicked in a mail', 'did not click in a mail') },
};

const DAYS: Readonly<Record<string, { topic: string; say: (value: number) => string }>> = {
  recencyDays: {
    topic: 'recency',
    say: (value) =>
      Number.isNaN(value) ? 'they never ordered' : `the last order was ${ago(value)}`,
  },
  tenureDays: {
    topic: 'tenure',
    say: (value) =>
      Number.isNaN(value)
        ? 'nothing is known of them yet'
        : `they have been known for ${span(value)}`,
  },
  gapDays: {
    topic: 'rhythm',
    say: (value) =>
      Number.isNaN(value)
        ? 'they have no rhythm of orders yet'
        : `they order every ${value < 1.5 ? 'day' : span(value)}`,
  },
  basketAll: {
    topic: 'basket',
    say: (value) =>
      Number.isNaN(value) ? 'they never ordered' : `their usual order is ${money(value)}`,
  },
};

export function phrase(feature: string, value: number): Phrase {
  const plain = DAYS[feature];
  if (plain) return { topic: plain.topic, text: plain.say(value) };
  const match = /^([a-z]+?)_?(\d+d|All)?$/i.exec(feature);
  const counted = match ? COUNTED[match[1]!] : undefined;
  if (counted) return { topic: counted.topic, text: counted.say(value, windowWords(match![2])) };
  const words = feature.replaceAll(/([a-z])([A-Z0-9])/g, '$1 $2').replaceAll(/[_.]/g, ' ');
  const said = Number.isNaN(value) ? 'not known' : number(value);
  return { topic: feature, text: `${words.toLowerCase()} is ${said}` };
}

function verb(did: string, didNot: string): Say {
  return (value, window) =>
    value > 0 ? `they ${did} ${times(value)}${window}` : `they ${didNot}${window}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${number(count)} times`;
}

function windowWords(window: string | undefined): string {
  if (window === undefined || window === 'All') return ' so far';
  const days = Number(window.slice(0, -1));
  if (days === 365) return ' in the last year';
  return days === 7 ? ' in the last week' : ` in the last ${days} days`;
}

function ago(days: number): string {
  const whole = Math.floor(days);
  if (whole < 1) return 'today';
  return whole === 1 ? 'yesterday' : `${whole} days ago`;
}

/** Days as far as two years, then years: nobody counts 1,412 days. */
function span(days: number): string {
  const whole = Math.max(1, Math.round(days));
  if (whole === 1) return '1 day';
  return whole <= 730 ? `${whole} days` : `${number(whole / 365.25)} years`;
}

/** Money without its currency, which features do not carry: whole from 100 on. */
function money(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
}

function number(value: number): string {
  return (Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 10) / 10).toLocaleString(
    'en',
  );
}
