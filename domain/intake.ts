import { MS_PER_DAY } from './clock.ts';
import { EVENT, type TraitValue } from './records.ts';

/**
 * One call of the Segment spec (track, identify, page), as a shop sends it, turned into what the log and the people
 * take. A first cut: what it does not understand it refuses or names, never drops in silence.
 */
export interface TrackCall {
  readonly kind: 'track';
  readonly messageId: string;
  readonly userId: string | null;
  readonly type: string;
  readonly atMs: number;
  readonly properties: Record<string, unknown>;
}

export interface IdentifyCall {
  readonly kind: 'identify';
  readonly messageId: string;
  readonly userId: string;
  readonly atMs: number;
  readonly person: PersonPatch;
}

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

export type IntakeCall = TrackCall | IdentifyCall;

/** Where in the call, as a JSON pointer, and what is wrong there; never the value itself. */
export interface IntakeNote {
  readonly pointer: string;
  readonly message: string;
}

export type IntakeResult =
  | { readonly call: IntakeCall; readonly ignored: readonly IntakeNote[] }
  | { readonly problem: IntakeNote };

export interface IntakeContext {
  /** Kind of call where the body does not say, from the address it was sent to. */
  readonly kind: string | null;
  readonly nowMs: number;
  newId(): string;
}

/** Events that only Kairos writes: an outsider's could forge a delivery, a consent or the projector's own rows. */
const RESERVED: ReadonlySet<string> = new Set([
  'Messages Settled',
  'Person Identified',
  EVENT.traitsChanged,
  EVENT.consentChanged,
  EVENT.unsubscribed,
  EVENT.emailDelivered,
  EVENT.emailBounced,
  EVENT.emailOpened,
  EVENT.emailClicked,
  EVENT.emailComplained,
]);

const ID_CHARS_MAX = 200;
const NAME_CHARS_MAX = 100;
const TRAIT_CHARS_MAX = 1_000;
const TRAITS_MAX = 200;
/** Deeper data is a mistake, and PostgreSQL's parser recurses. */
const DEPTH_MAX = 12;
/** Clocks go wrong by minutes; an event of next week would leak the future into features. */
const AHEAD_MAX_MS = MS_PER_DAY;

class Refusal extends Error {
  readonly note: IntakeNote;

  constructor(pointer: string, message: string) {
    super(message);
    this.note = { pointer, message };
  }
}

export function parseIntake(input: unknown, context: IntakeContext): IntakeResult {
  try {
    return parse(input, context);
  } catch (error) {
    if (error instanceof Refusal) return { problem: error.note };
    throw error;
  }
}

function parse(input: unknown, context: IntakeContext): IntakeResult {
  const body = record(input, '');
  checkText(body, '', 0);
  const kind = body['type'] ?? context.kind;
  if (kind !== 'track' && kind !== 'identify' && kind !== 'page') {
    throw new Refusal('/type', 'is not a known call; expected track, identify or page');
  }
  const userId = optionalId(body['userId'], '/userId');
  const anonymousId = optionalId(body['anonymousId'], '/anonymousId');
  if (userId === null && (kind === 'identify' || anonymousId === null)) {
    const expected = kind === 'identify' ? 'the shop’s id' : 'userId or anonymousId';
    throw new Refusal('/userId', `is missing; expected ${expected} of the customer`);
  }
  const messageId = optionalId(body['messageId'], '/messageId') ?? context.newId();
  const atMs = timeOf(body['timestamp'], context.nowMs);
  if (kind === 'identify') {
    const ignored: IntakeNote[] = [];
    const person = patchOf(record(body['traits'] ?? {}, '/traits'), ignored);
    return { call: { kind, messageId, userId: userId!, atMs, person }, ignored };
  }
  const properties = record(body['properties'] ?? {}, '/properties');
  const type = kind === 'page' ? 'Page Viewed' : eventName(body['event']);
  const named = kind === 'page' && typeof body['name'] === 'string' ? { name: body['name'] } : {};
  return {
    call: {
      kind: 'track',
      messageId,
      userId,
      type,
      atMs,
      properties: {
        ...named,
        ...shopProperties(type, properties),
        ...(userId === null ? { anonymousId } : {}),
      },
    },
    ignored: [],
  };
}

function record(value: unknown, pointer: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Refusal(pointer, 'is not an object');
}

function optionalId(value: unknown, pointer: string): string | null {
  if (value === undefined || value === null || value === '') return null;
  const id = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof id !== 'string' || id.length > ID_CHARS_MAX || hasControl(id)) {
    throw new Refusal(
      pointer,
      `is not an id; expected a text of at most ${ID_CHARS_MAX} characters`,
    );
  }
  return id;
}

function eventName(value: unknown): string {
  if (
    typeof value !== 'string' ||
    value.trim() === '' ||
    value.length > NAME_CHARS_MAX ||
    hasControl(value)
  ) {
    throw new Refusal(
      '/event',
      `is not the name of an event; expected a text of 1 to ${NAME_CHARS_MAX} characters`,
    );
  }
  if (RESERVED.has(value)) {
    throw new Refusal('/event', 'is an event that only Kairos itself may write');
  }
  return value;
}

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;
function hasControl(text: string): boolean {
  return CONTROL.test(text);
}

const ISO_INSTANT =
  /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?$/;

function timeOf(value: unknown, nowMs: number): number {
  if (value === undefined || value === null) return nowMs;
  // A time without an offset is UTC, whatever zone this machine is in.
  const text = typeof value === 'string' && ISO_INSTANT.test(value) ? value : '';
  const whole = /(?:Z|[+-]\d\d:?\d\d)$/.test(text) || text.length === 10 ? text : `${text}Z`;
  const atMs = Date.parse(whole);
  if (Number.isNaN(atMs)) {
    throw new Refusal('/timestamp', 'is not an instant; expected ISO 8601');
  }
  if (atMs > nowMs + AHEAD_MAX_MS) {
    throw new Refusal('/timestamp', 'lies more than a day ahead of the shop’s clock');
  }
  return atMs;
}

/** Depth, NUL and broken Unicode: what PostgreSQL would refuse, and with it everyone else's events of the batch. */
function checkText(value: unknown, pointer: string, depth: number): void {
  if (depth > DEPTH_MAX) throw new Refusal(pointer, `is nested deeper than ${DEPTH_MAX} levels`);
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) {
      throw new Refusal(pointer, 'holds a NUL or broken Unicode');
    }
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Refusal(pointer, 'is too large a number');
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => checkText(item, `${pointer}/${index}`, depth + 1));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      if (key.includes('\0') || !key.isWellFormed()) {
        throw new Refusal(pointer, 'has a name with a NUL or broken Unicode');
      }
      checkText(item, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, depth + 1);
    }
  }
}

/** Segment's spelling of an order and its lines, in ours; its own fields stay beside them. */
function shopProperties(type: string, given: Record<string, unknown>): Record<string, unknown> {
  const properties = { ...given };
  if (properties['sku'] === undefined && typeof given['product_id'] === 'string') {
    properties['sku'] = given['product_id'];
  }
  if (type !== EVENT.orderCompleted && type !== EVENT.orderRefunded) return properties;
  properties['orderId'] ??= given['order_id'];
  properties['total'] ??= given['revenue'] ?? given['value'];
  if (typeof properties['total'] !== 'number') {
    throw new Refusal('/properties/total', 'is missing or no number; expected what was paid');
  }
  if (Array.isArray(given['products'])) {
    properties['products'] = given['products'].map((line: unknown, index) => {
      const product = record(line, `/properties/products/${index}`);
      return { ...product, sku: product['sku'] ?? product['product_id'] };
    });
  }
  return properties;
}

function patchOf(traits: Record<string, unknown>, ignored: IntakeNote[]): PersonPatch {
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
