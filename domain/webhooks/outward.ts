import { isUnreal } from '../mode.ts';
import { EVENT } from '../records.ts';

/** What a listener may ask for, and what each is. */
export const OUTWARD_TYPES = {
  'email.sent': 'the next hop took the message',
  'email.bounced': 'it was refused, or came back later',
  'email.opened': 'a picture in it was loaded; `machine` where that was no person',
  'email.clicked': 'a link in it was followed; `machine` where that was no person',
  'email.unsubscribed': 'the person wants no more',
  'email.complained': 'the person marked it as spam',
  'campaign.closed': 'every message of a campaign has ended; with the counts',
} as const;
export type OutwardType = keyof typeof OUTWARD_TYPES;

/** The types of the log that each is made of. */
export const LOG_TYPES: Readonly<Record<OutwardType, readonly string[]>> = {
  'email.sent': ['Messages Settled'],
  'email.bounced': ['Messages Settled', EVENT.emailBounced],
  'email.opened': [EVENT.emailOpened],
  'email.clicked': [EVENT.emailClicked],
  'email.unsubscribed': [EVENT.unsubscribed],
  'email.complained': [EVENT.emailComplained],
  'campaign.closed': [EVENT.campaignClosed],
};

/** One message to a listener, before it has an id and before the person has the shop's id. */
export interface OutwardMessage {
  readonly type: OutwardType;
  /** The place within its event of the log: one event may be many messages. */
  readonly n: number;
  readonly personId: number | null;
  readonly atMs: number;
  readonly data: Record<string, unknown>;
}

const BY_LOG_TYPE: Readonly<Record<string, OutwardType>> = {
  [EVENT.emailBounced]: 'email.bounced',
  [EVENT.emailOpened]: 'email.opened',
  [EVENT.emailClicked]: 'email.clicked',
  [EVENT.unsubscribed]: 'email.unsubscribed',
  [EVENT.emailComplained]: 'email.complained',
  [EVENT.campaignClosed]: 'campaign.closed',
};

/** What the data of a message may hold of an event's properties: codes, numbers and flags, nothing of a person. */
const DATA = ['campaign', 'step', 'variant', 'link', 'machine'] as const;
const COUNTS = ['audience', 'holdout', 'sent', 'skipped', 'bounced', 'expired', 'unknown'] as const;

interface EventOfLog {
  readonly type: string;
  readonly personId: number | null;
  readonly atMs: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

/**
 * The messages that an event of the log is for a listener of these types. Mail of other systems and what reached nobody
 * (rehearsals, simulations) is left out.
 */
export function outwardMessages(event: EventOfLog, types: ReadonlySet<string>): OutwardMessage[] {
  const { properties, atMs } = event;
  const campaign = properties['campaign'];
  if (typeof campaign === 'string' && (campaign.startsWith('external:') || isUnreal(campaign))) {
    return [];
  }
  if (event.type === 'Messages Settled') {
    const data = pick(properties, ['campaign', 'step']);
    const ended = (type: OutwardType, people: unknown): OutwardMessage[] =>
      (Array.isArray(people) ? (people as number[]) : []).map((personId) => ({
        type,
        n: personId,
        personId,
        atMs,
        data,
      }));
    return [
      ...ended('email.sent', properties['sent']),
      ...ended('email.bounced', properties['bounced']),
    ].filter(({ type }) => types.has(type));
  }
  const type = BY_LOG_TYPE[event.type];
  if (type === undefined || !types.has(type)) return [];
  const data =
    type === 'campaign.closed' ? pick(properties, ['campaign', ...COUNTS]) : pick(properties, DATA);
  return [{ type, n: 0, personId: event.personId, atMs, data }];
}

function pick(
  properties: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((name) => properties[name] !== undefined).map((name) => [name, properties[name]]),
  );
}

/** The body of a message: fixed at the first attempt, so that every attempt signs the same bytes. */
export function outwardBody(message: OutwardMessage, externalId: string | null): string {
  const { type, atMs, data, personId } = message;
  return JSON.stringify({
    type,
    timestamp: new Date(atMs).toISOString(),
    data: personId === null ? data : { person: nameless(externalId), ...data },
  });
}

/** Some shops know their customers by addresses; none of ours leaves by a webhook. */
function nameless(externalId: string | null): string | null {
  return externalId === null || externalId.includes('@') ? null : externalId;
}

/** Waits before each attempt, in seconds, as the Standard Webhooks spec proposes; after the last it is a dead letter. */
export const RETRY_SECONDS: readonly number[] = [
  0,
  5,
  5 * 60,
  30 * 60,
  2 * 3_600,
  5 * 3_600,
  10 * 3_600,
  14 * 3_600,
  20 * 3_600,
  24 * 3_600,
];
/** An endpoint that failed for this long gets no more until an operator says so. */
export const DISABLED_AFTER_DAYS = 5;
