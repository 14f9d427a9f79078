import type { Campaign } from './campaign.ts';
import { WAIT_REASONS } from './lane.ts';

/**
 * Why a message of a campaign is not at its end yet: one of `WAIT_REASONS` of `lane.ts`, or `rate` where it is its turn and no
 * more is known, `quiet hours`, `retry` (deferred by its provider), `approval`, `pilot`, `planning` (has no row yet) or
 * `under way` (with a sender now).
 */
export type Waiting = Readonly<Record<string, number>>;

export interface WaitingFacts {
  readonly stage: string;
  /** What the campaign's row says, from the senders' tickets. */
  readonly told: string | null;
  readonly paused: boolean;
  readonly definition: Pick<Campaign, 'quietHours' | 'schedule'>;
  /** Of the frozen audience, without a row. */
  readonly planned: number;
  /** Handed over, without a reply yet. */
  readonly handed: number;
  readonly lots: readonly {
    /** Its lane has sent today's volume. */
    readonly warmUpSpent: boolean;
    readonly leased: boolean;
    /** Due in the future. */
    readonly later: boolean;
    readonly messages: number;
    /** Those of them that were tried before. */
    readonly tried: number;
  }[];
}

/** How many messages wait, by the one reason of each. */
export function waitingByReason(facts: WaitingFacts): Waiting {
  const sums = new Map<string, number>();
  const add = (reason: string, n: number): void => {
    if (n > 0) sums.set(reason, (sums.get(reason) ?? 0) + n);
  };
  add(whyPlanned(facts), facts.planned);
  add('under way', facts.handed);
  for (const lot of facts.lots) {
    if (lot.leased) add('under way', lot.messages);
    else if (facts.paused) add('paused', lot.messages);
    else if (lot.later) {
      add('retry', lot.tried);
      add(whyLater(facts), lot.messages - lot.tried);
    } else add(lot.warmUpSpent ? 'warm-up' : whyDue(facts), lot.messages);
  }
  return Object.fromEntries([...sums].toSorted(([, a], [, b]) => b - a));
}

function whyPlanned({ stage, told, paused }: WaitingFacts): string {
  if (stage === 'approval') return 'approval';
  if (stage === 'scheduled') return 'time';
  if (told === 'pilot') return 'pilot';
  return paused ? 'paused' : 'planning';
}

/** Where all would leave at once but for the quiet hours, what is due later waits for their end. */
function whyLater({ definition }: WaitingFacts): string {
  return definition.quietHours && definition.schedule.kind === 'now' ? 'quiet hours' : 'time';
}

/** Reasons that hold for messages that are due, whatever lane they are in. */
const OF_DUE: ReadonlySet<string> = new Set(
  WAIT_REASONS.filter((reason) => reason !== 'time' && reason !== 'warm-up' && reason !== 'paused'),
);

function whyDue({ told }: WaitingFacts): string {
  return told !== null && OF_DUE.has(told) ? told : 'rate';
}
