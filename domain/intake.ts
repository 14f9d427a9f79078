import { commerceEvent, isForeignMail } from './commerce-events.ts';
import { type PersonPatch, patchOf } from './intake-person.ts';
import {
  type IntakeNote,
  NAME_CHARS_MAX,
  Refusal,
  checkShallow,
  checkStorable,
  hasControl,
  instantOf,
  optionalId,
  record,
} from './intake-text.ts';
import { EVENT, OUR_EVENTS } from './records.ts';

export type { PersonPatch } from './intake-person.ts';
export { type IntakeNote, isPlainJson } from './intake-text.ts';

/**
 * One call of the Segment spec, as a shop sends it, turned into what the log and the people take. What it does not
 * understand it refuses or names, never drops in silence.
 */
interface Call {
  readonly messageId: string;
  /** Which visitor, where the call says so; beside a `userId` it tells who that visitor is. */
  readonly anonymousId: string | null;
  readonly atMs: number;
}

/** Something happened: track, page, screen and group. */
export interface TrackCall extends Call {
  readonly kind: 'track';
  readonly userId: string | null;
  readonly type: string;
  readonly properties: Record<string, unknown>;
  /** The properties as JSON, where somebody wrote them already. */
  json?: string;
}

export interface IdentifyCall extends Call {
  readonly kind: 'identify';
  readonly userId: string;
  readonly person: PersonPatch;
}

/** `previousId` is the same person as `userId`. */
export interface AliasCall extends Call {
  readonly kind: 'alias';
  readonly userId: string;
  readonly previousId: string;
}

export type IntakeCall = TrackCall | IdentifyCall | AliasCall;

export type IntakeResult =
  | { readonly call: IntakeCall; readonly ignored: readonly IntakeNote[] }
  | { readonly problem: IntakeNote };

export interface IntakeContext {
  /** Kind of call where the body does not say, from the address it was sent to. */
  readonly kind: string | null;
  readonly nowMs: number;
  /** When the whole batch was sent, by the sender's clock. */
  readonly sentAt?: unknown;
  /** A key in a page is known to everyone: it grants no consent and joins no customers. */
  readonly isPublic?: boolean;
  /** The text that it was parsed from holds nothing that could become a NUL or broken Unicode. */
  readonly isPlain?: boolean;
  newId(): string;
}

/** The kinds of calls, by what the spec and older clients call them. */
export const CALL_KINDS: Readonly<Record<string, string>> = {
  track: 'track',
  t: 'track',
  identify: 'identify',
  i: 'identify',
  page: 'page',
  p: 'page',
  screen: 'screen',
  s: 'screen',
  group: 'group',
  g: 'group',
  alias: 'alias',
  a: 'alias',
};

/** A shop's own system tells of an unsubscription by consent; a file of its history may name it. */
const RESERVED: ReadonlySet<string> = new Set([...OUR_EVENTS, EVENT.unsubscribed]);

/** What a call without an event's name is called in the log. */
const NAMED = {
  page: 'Page Viewed',
  screen: 'Screen Viewed',
  group: 'Group Joined',
} as const;

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
  if (context.isPlain) checkShallow(body);
  else checkStorable(body);
  const kind = body['type'] ?? context.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(CALL_KINDS, kind) || kind.length === 1) {
    throw new Refusal(
      '/type',
      'is not a known call; expected track, identify, page, screen, group or alias',
    );
  }
  const userId = optionalId(body['userId'], '/userId');
  const call = {
    messageId: optionalId(body['messageId'], '/messageId') ?? context.newId(),
    anonymousId: optionalId(body['anonymousId'], '/anonymousId'),
    atMs: instantOf(body['timestamp'], body['sentAt'] ?? context.sentAt, context.nowMs),
  };
  if (kind === 'alias') return alias(body, userId, call, context);
  if (userId === null && call.anonymousId === null) {
    throw new Refusal('/userId', 'is missing; expected userId or anonymousId of the customer');
  }
  if (kind === 'identify') return identify(body, userId, call, context);
  const ignored: IntakeNote[] = [];
  const { type, properties } =
    kind === 'track' ? trackOf(body, context, ignored) : viewOf(kind as keyof typeof NAMED, body);
  if (userId === null) properties['anonymousId'] = call.anonymousId;
  const { messageId, anonymousId, atMs } = call;
  return {
    call: { kind: 'track', messageId, anonymousId, atMs, userId, type, properties },
    ignored,
  };
}

function trackOf(
  body: Record<string, unknown>,
  context: IntakeContext,
  ignored: IntakeNote[],
): { type: string; properties: Record<string, unknown> } {
  const name = eventName(body['event']);
  const properties = record(body['properties'] ?? {}, '/properties');
  const event = commerceEvent(name, properties, ignored);
  if (RESERVED.has(event.type) || (context.isPublic && isForeignMail(event.type))) {
    throw new Refusal('/event', 'is an event that only Kairos itself may write');
  }
  return event;
}

/** A page or a screen that was looked at, or a group that was joined. */
function viewOf(
  kind: keyof typeof NAMED,
  body: Record<string, unknown>,
): { type: string; properties: Record<string, unknown> } {
  if (kind === 'group') {
    const groupId = optionalId(body['groupId'], '/groupId');
    if (groupId === null) throw new Refusal('/groupId', 'is missing; expected the id of the group');
    return {
      type: NAMED.group,
      properties: { groupId, ...record(body['traits'] ?? {}, '/traits') },
    };
  }
  const properties: Record<string, unknown> = {};
  if (typeof body['name'] === 'string') properties['name'] = body['name'];
  if (typeof body['category'] === 'string') properties['category'] = body['category'];
  return {
    type: NAMED[kind],
    properties: { ...properties, ...record(body['properties'] ?? {}, '/properties') },
  };
}

function identify(
  body: Record<string, unknown>,
  userId: string | null,
  call: Call,
  context: IntakeContext,
): IntakeResult {
  const ignored: IntakeNote[] = [];
  const traits = record(body['traits'] ?? {}, '/traits');
  if (userId === null) {
    if (Object.keys(traits).length > 0) {
      const message = 'are not kept of a visitor; identify with a userId';
      ignored.push({ pointer: '/traits', message });
    }
    const properties = { anonymousId: call.anonymousId };
    return {
      call: { kind: 'track', ...call, userId, type: 'Visitor Identified', properties },
      ignored,
    };
  }
  const person = patchOf(traits, ignored);
  if (context.isPublic && person.consent === true) {
    delete person.consent;
    const message = 'is not taken from a page: anyone could grant it; send it with a server key';
    ignored.push({ pointer: '/traits/marketingConsent', message });
  }
  return { call: { kind: 'identify', ...call, userId, person }, ignored };
}

function alias(
  body: Record<string, unknown>,
  userId: string | null,
  call: Call,
  context: IntakeContext,
): IntakeResult {
  if (context.isPublic) {
    throw new Refusal('/type', 'alias is not taken from a page; send it with a server key');
  }
  const previousId = optionalId(body['previousId'], '/previousId') ?? call.anonymousId;
  if (userId === null) {
    throw new Refusal('/userId', 'is missing; expected the id that the customer has from now on');
  }
  if (previousId === null) {
    throw new Refusal('/previousId', 'is missing; expected the id that the customer had before');
  }
  return { call: { kind: 'alias', ...call, userId, previousId }, ignored: [] };
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
  return value;
}
