/** What is done about a row in which something is odd: taken as it stands, put right, or turned away. */
export type Choice = 'keep' | 'mend' | 'reject';

interface RuleSpec {
  readonly choices: readonly Choice[];
  readonly standard: Choice;
}

/** Each rule of a mapping, with the choices that make sense for it and the one that holds where it says nothing. */
export const RULES = {
  /** Orders: a line that its order has twice, equal in every field. Mended: left out. */
  repeatedLine: { choices: ['keep', 'mend', 'reject'], standard: 'keep' },
  /**
   * Orders: a line whose product differs from another's of the order in case and blanks only. Customers: another id
   * with a mailbox that an earlier row has. Mended: left out.
   */
  nearDuplicate: { choices: ['keep', 'mend', 'reject'], standard: 'keep' },
  /** No customer: kept as an anonymous visitor's. */
  missingCustomer: { choices: ['keep', 'reject'], standard: 'keep' },
  /** A customer whom nobody has imported: kept as anonymous; mended: added with the id alone. */
  unknownCustomer: { choices: ['keep', 'mend', 'reject'], standard: 'mend' },
  /** A product that the catalogue does not have. Mended: added to it with the price of the line. */
  unknownProduct: { choices: ['keep', 'mend', 'reject'], standard: 'keep' },
  /** Kept as a return; mended: its sign is dropped. */
  negativeQuantity: { choices: ['keep', 'mend', 'reject'], standard: 'keep' },
  /** What `cancelled` names: kept as a refund; mended: left out. */
  cancellation: { choices: ['keep', 'mend', 'reject'], standard: 'keep' },
  /** 31 April. Mended: the last day of that month. */
  impossibleDate: { choices: ['mend', 'reject'], standard: 'reject' },
  /** Outside of `limits`. Mended: the nearest value within. */
  outOfRange: { choices: ['keep', 'mend', 'reject'], standard: 'reject' },
  /** No address that can be mailed to. Mended: what is plainly wrong is put right, else the customer has none. */
  badAddress: { choices: ['mend', 'reject'], standard: 'mend' },
  /** A line that is not in the encoding of the file. Mended: read as Windows-1252. */
  mixedEncoding: { choices: ['keep', 'mend', 'reject'], standard: 'mend' },
  /** Mended: they are removed. NUL is removed in any case, since PostgreSQL has no place for it. */
  controlCharacters: { choices: ['keep', 'mend', 'reject'], standard: 'mend' },
} as const satisfies Readonly<Record<string, RuleSpec>>;

export type RuleName = keyof typeof RULES;
export type Rules = { readonly [Name in RuleName]?: Choice | undefined };

export function rulesOf(given: Rules = {}): Readonly<Record<RuleName, Choice>> {
  const names = Object.keys(RULES) as RuleName[];
  const all = names.map((name): [RuleName, Choice] => [name, given[name] ?? RULES[name].standard]);
  return Object.fromEntries(all) as Record<RuleName, Choice>;
}
