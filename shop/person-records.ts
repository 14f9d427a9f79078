import type { PersonRecord } from '../domain/records.ts';
import { type Newsletter, mailHistoryOf } from './newsletters.ts';
import { purchasesOf } from './orders.ts';
import { COUNTRIES, GONE_DOMAIN, MAIL_DOMAINS, asciiName } from './places.ts';
import { Random, STREAM, cumulative } from './random.ts';
import type { Persona, World } from './world.ts';

const DOMAIN_SUMS = cumulative(MAIL_DOMAINS.map(([, share]) => share));

/** The flaws of real data, as shares of the people. */
export const FLAWS = {
  noAddress: 0.015,
  malformed: 0.01,
  /** A second customer account with the address of an earlier one. */
  sharedAddress: 0.01,
  /** A mailbox that is no more; the dev inbox refuses it. */
  gone: 0.006,
  /** Written with capitals or a +tag. */
  oddSpelling: 0.03,
  noName: 0.03,
  noTimeZone: 0.02,
} as const;

const MALFORMED = [
  (local: string) => `${local}.example.test`,
  (local: string) => `${local}@@mail.example.org`,
  (local: string) => `${local} @mail.example.org`,
  (local: string) => `.${local}@mail.example.org`,
  (local: string) => `${local}@localhost`,
  (local: string) => `"${local}"@mail.example.org`,
] as const;

const SOURCES = ['checkout', 'newsletter form', 'competition', 'store'] as const;

/** What the shop knows of its people, in the order of their numbers. */
export function personRecords(world: World, newsletters: readonly Newsletter[]): PersonRecord[] {
  const taken = new Set<string>();
  const records: PersonRecord[] = [];
  for (const persona of world.personas) {
    records.push(personRecord(world, newsletters, persona, records, taken));
  }
  return records;
}

function personRecord(
  world: World,
  newsletters: readonly Newsletter[],
  persona: Persona,
  earlier: readonly PersonRecord[],
  taken: Set<string>,
): PersonRecord {
  const random = new Random(world.options.seed, STREAM.address, persona.index);
  const country = COUNTRIES[persona.country]!;
  const first = random.pick(country.first);
  const last = random.pick(country.last);
  const named = !random.chance(FLAWS.noName);
  const email = address(first, last, earlier, taken, random);
  const source = random.pick(SOURCES);
  const orders = purchasesOf(world, persona).orders.filter(
    (order) => order.atMs < world.options.endMs,
  );
  return {
    externalId: persona.externalId,
    email,
    name: named ? `${first} ${last}` : null,
    country: country.code,
    timeZone: random.chance(FLAWS.noTimeZone) ? null : persona.zone.name,
    locale: country.locale,
    consent: consentRecord(persona, mailHistoryOf(world, newsletters, persona).leftMs, source),
    traits: {
      ...(named && { firstName: first, lastName: last }),
      tier: orders.length >= 12 ? 'gold' : orders.length >= 5 ? 'silver' : 'basic',
      signupSource: source,
    },
    createdAtMs: persona.joinedMs,
  };
}

function consentRecord(
  persona: Persona,
  leftMs: number | null,
  source: string,
): PersonRecord['consent'] {
  if (leftMs !== null) return { granted: false, atMs: leftMs, source: 'unsubscribe' };
  if (persona.consent === 'unknown') return null;
  return { granted: persona.consent === 'granted', atMs: persona.joinedMs, source };
}

function address(
  first: string,
  last: string,
  earlier: readonly PersonRecord[],
  taken: Set<string>,
  random: Random,
): string | null {
  // Both draws come first, so that a flaw more or less changes nobody else.
  const flaw = random.uniform();
  const domain = MAIL_DOMAINS[random.index(DOMAIN_SUMS)]![0];
  const style = random.uniform();
  const local = uniqueLocal(localPart(asciiName(first), asciiName(last), style), domain, taken);
  let bound = FLAWS.noAddress;
  if (flaw < bound) return null;
  if (flaw < (bound += FLAWS.malformed)) return random.pick(MALFORMED)(local);
  if (flaw < (bound += FLAWS.sharedAddress)) {
    const other = earlier.length > 0 ? random.pick(earlier).email : null;
    if (other !== null) return other;
  }
  if (flaw < (bound += FLAWS.gone)) return `${local}@${GONE_DOMAIN}`;
  if (flaw < (bound += FLAWS.oddSpelling)) {
    return random.chance(0.5)
      ? `${local}+shop@${domain}`
      : `${local.charAt(0).toUpperCase()}${local.slice(1)}@${domain.toUpperCase()}`;
  }
  return `${local}@${domain}`;
}

function localPart(first: string, last: string, style: number): string {
  if (style < 0.55) return `${first}.${last}`;
  if (style < 0.75) return `${first.charAt(0)}${last}`;
  if (style < 0.9) return `${first}_${last}`;
  return `${last}.${first}`;
}

function uniqueLocal(local: string, domain: string, taken: Set<string>): string {
  for (let n = 1; ; n += 1) {
    const candidate = n === 1 ? local : `${local}${n}`;
    const key = `${candidate}@${domain}`;
    if (taken.has(key)) continue;
    taken.add(key);
    return candidate;
  }
}
