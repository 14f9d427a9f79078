import type { WarmUp } from './warm-up.ts';

/** Delivery lanes: one per group of mailbox providers, since each group throttles and judges a sender on its own. */
export const LANES = ['gmail', 'microsoft', 'yahoo', 'apple', 'other'] as const;
export type LaneName = (typeof LANES)[number];

/** Whom a lane serves, and how fast. Null is no limit of the lane's own: the relay and the campaign have theirs. */
export interface LaneSettings {
  /** Recipients' domains, in lower case; `other` takes whatever no lane names. */
  readonly domains: readonly string[];
  readonly ratePerSecond: number | null;
  /** Messages handed over at once, over all campaigns, by one sender. */
  readonly concurrency: number | null;
  readonly warmUp: WarmUp | null;
}

export type LaneTable = Readonly<Record<LaneName, LaneSettings>>;

const ofDomains = (domains: string): LaneSettings => ({
  domains: domains.split(/\s+/).filter((domain) => domain !== ''),
  ratePerSecond: null,
  concurrency: null,
  warmUp: null,
});

/** The consumer domains of each group. Companies hosted by a provider have its MX and not its domain: name them yourself. */
export const DEFAULT_LANES: LaneTable = {
  gmail: ofDomains('gmail.com googlemail.com'),
  microsoft: ofDomains(`
    outlook.com hotmail.com live.com msn.com passport.com
    outlook.de outlook.fr outlook.es outlook.it outlook.jp outlook.co.uk
    hotmail.co.uk hotmail.de hotmail.es hotmail.fr hotmail.it
    live.co.uk live.de live.fr live.it live.nl`),
  yahoo: ofDomains(`
    yahoo.com ymail.com rocketmail.com aol.com aim.com verizon.net
    yahoo.co.uk yahoo.de yahoo.es yahoo.fr yahoo.it yahoo.ca yahoo.co.in yahoo.com.br yahoo.com.au
    aol.de aol.fr aol.co.uk`),
  apple: ofDomains('icloud.com me.com mac.com'),
  other: ofDomains(''),
};

/** Finds the lane of a recipient's domain (lower case). */
export type LaneOf = (domain: string) => LaneName;

export function laneFinder(table: LaneTable): LaneOf {
  const byDomain = new Map<string, LaneName>();
  for (const lane of LANES) {
    for (const domain of table[lane].domains) byDomain.set(domain, lane);
  }
  return (domain) => byDomain.get(domain) ?? 'other';
}

/** The lane by the default table; a shop that has a table of its own asks its own {@link laneFinder}. */
export const laneOf: LaneOf = laneFinder(DEFAULT_LANES);

export function laneIndex(lane: LaneName): number {
  return LANES.indexOf(lane);
}

/** Why messages that are due wait, in the order in which they are told where several hold. */
export const WAIT_REASONS = [
  'paused',
  'relay',
  'throttled',
  'warm-up',
  'lane rate',
  'campaign rate',
  'time',
] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

/** The one reason to tell of several; null where nothing waits. */
export function foremostReason(reasons: Iterable<string>): WaitReason | null {
  const known = new Set(reasons);
  return WAIT_REASONS.find((reason) => known.has(reason)) ?? null;
}
