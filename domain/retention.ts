import { KairosError } from './errors.ts';

/**
 * How long what is not needed for ever is kept, in days of shop time; null is for ever. Never deleted by age: people, consent,
 * suppression, the ledger's rows themselves, orders and their refunds, models, and the audit trail.
 */
export interface RetentionSettings {
  /** Templates of closed campaigns, which rendered their mails. Links stay: mails are opened years later. */
  readonly templateDays: number | null;
  /** Addresses, relay's replies and chosen products of the messages of a closed campaign, and the addresses of its audience. */
  readonly messageDetailDays: number | null;
  /** Opens and clicks. */
  readonly trackingDays: number | null;
  /** What visitors did whom nobody knows. */
  readonly anonymousDays: number | null;
  /** All other events but those of orders: views, carts, reviews. */
  readonly behaviourDays: number | null;
}

export const RETENTION_DEFAULTS: RetentionSettings = {
  templateDays: 90,
  messageDetailDays: 400,
  trackingDays: 760,
  anonymousDays: 400,
  behaviourDays: null,
};

/** In this order, so that what the later ones look at is smaller. */
export const RETENTION_KINDS = [
  'templates',
  'messageDetail',
  'anonymous',
  'tracking',
  'behaviour',
] as const;
export type RetentionKind = (typeof RETENTION_KINDS)[number];

const DAYS_OF: Readonly<Record<RetentionKind, keyof RetentionSettings>> = {
  templates: 'templateDays',
  messageDetail: 'messageDetailDays',
  anonymous: 'anonymousDays',
  tracking: 'trackingDays',
  behaviour: 'behaviourDays',
};

const DAYS_MAX = 36_500;

/** The settings with what an operator changed; throws CONFIG_INVALID with one sentence for what is no setting. */
export function retentionSettings(changed: Readonly<Record<string, unknown>>): RetentionSettings {
  for (const [name, days] of Object.entries(changed)) {
    if (!Object.hasOwn(RETENTION_DEFAULTS, name)) {
      throw new KairosError(
        'CONFIG_INVALID',
        `Retention has no setting "${name}"; expected one of ${Object.keys(RETENTION_DEFAULTS).join(', ')}.`,
      );
    }
    const isDays =
      typeof days === 'number' && Number.isInteger(days) && days >= 1 && days <= DAYS_MAX;
    if (days === null || isDays) continue;
    throw new KairosError(
      'CONFIG_INVALID',
      `The retention's ${name} is ${JSON.stringify(days)}; expected whole days from 1 to ${DAYS_MAX}, or null to keep it for ever.`,
    );
  }
  return { ...RETENTION_DEFAULTS, ...changed };
}

export function daysOf(settings: RetentionSettings, kind: RetentionKind): number | null {
  return settings[DAYS_OF[kind]];
}
