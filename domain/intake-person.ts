import { type IntakeNote, ID_CHARS_MAX, NAME_CHARS_MAX, Refusal } from './intake-text.ts';
import type { TraitValue } from './records.ts';

/** What an identify call says of a person; fields that it does not name stay as they are. */
export interface PersonPatch {
  email?: string | null;
  name?: string | null;
  country?: string | null;
  timeZone?: string | null;
  locale?: string | null;
  /** Marketing consent for e-mail. */
  consent?: boolean;
  traits: Record<string, TraitValue>;
}

const TRAIT_CHARS_MAX = 1_000;
const TRAITS_MAX = 200;

/** The traits of an identify call as changes of a person; what is not kept is noted in `ignored`. */
export function patchOf(traits: Record<string, unknown>, ignored: IntakeNote[]): PersonPatch {
  const patch: PersonPatch = { traits: {} };
  const names = Object.keys(traits);
  if (names.length > TRAITS_MAX) {
    throw new Refusal('/traits', `has more than ${TRAITS_MAX} traits`);
  }
  for (const name of names) {
    const pointer = `/traits/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const problem = setTrait(patch, name, traits[name]);
    if (problem) ignored.push({ pointer, message: problem });
  }
  const { firstName, lastName } = traits;
  if (patch.name === undefined && typeof firstName === 'string') {
    patch.name = [firstName, lastName]
      .filter((part) => typeof part === 'string')
      .join(' ')
      .trim();
  }
  return patch;
}

/** Sets one trait; returns why it was left out, where it was. */
function setTrait(patch: PersonPatch, name: string, value: unknown): string | null {
  switch (name) {
    case 'email':
      if (value !== null && typeof value !== 'string')
        throw new Refusal('/traits/email', 'is no text');
      patch.email = value;
      return null;
    case 'name':
      if (value !== null && typeof value !== 'string') return 'is no text';
      patch.name = value === null ? null : value.slice(0, ID_CHARS_MAX);
      return null;
    case 'marketingConsent':
      if (typeof value !== 'boolean') {
        throw new Refusal('/traits/marketingConsent', 'is neither true nor false');
      }
      patch.consent = value;
      return null;
    case 'country':
      return setCountry(patch, value);
    case 'address': {
      const country = typeof value === 'object' && value !== null && 'country' in value;
      return country ? setCountry(patch, value.country) : 'is not kept; only its country is';
    }
    case 'timezone':
    case 'timeZone':
      patch.timeZone = zoneOf(value) ?? patch.timeZone ?? null;
      return zoneOf(value) || value === null ? null : 'is not the name of a time zone';
    case 'locale':
      patch.locale = localeOf(value);
      return patch.locale || value === null ? null : 'is not a language tag';
    default:
      return setOther(patch, name, value);
  }
}

function setCountry(patch: PersonPatch, value: unknown): string | null {
  if (typeof value !== 'string' || !/^[A-Za-z]{2}$/.test(value)) {
    return 'is not a country code of two letters';
  }
  patch.country = value.toUpperCase();
  return null;
}

function setOther(patch: PersonPatch, name: string, value: unknown): string | null {
  if (name.length > NAME_CHARS_MAX) return `has a name of more than ${NAME_CHARS_MAX} characters`;
  if (typeof value === 'object' && value !== null) return 'is not kept; traits are single values';
  if (typeof value === 'string' && value.length > TRAIT_CHARS_MAX) {
    return `is longer than ${TRAIT_CHARS_MAX} characters`;
  }
  // Assigned through a definition, since a trait may be named like a member of every object.
  Object.defineProperty(patch.traits, name, {
    value: value as TraitValue,
    enumerable: true,
    configurable: true,
    writable: true,
  });
  return null;
}

/** The canonical name, so that spellings in other cases are not other zones. */
function zoneOf(value: unknown): string | null {
  if (typeof value !== 'string' || !/^[A-Za-z][A-Za-z0-9_+/-]{1,60}$/.test(value)) return null;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: value }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

function localeOf(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 60) return null;
  try {
    return Intl.getCanonicalLocales(value.replaceAll('_', '-'))[0] ?? null;
  } catch {
    return null;
  }
}
