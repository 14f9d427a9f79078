/** Delivery lanes: one per group of mailbox providers, since each group throttles and judges a sender on its own. */
export const LANES = ['gmail', 'microsoft', 'yahoo', 'apple', 'other'] as const;
export type LaneName = (typeof LANES)[number];

const LANE_BY_DOMAIN: ReadonlyMap<string, LaneName> = new Map<string, LaneName>([
  ...['gmail.com', 'googlemail.com'].map((domain) => [domain, 'gmail'] as const),
  ...[
    'outlook.com',
    'hotmail.com',
    'live.com',
    'msn.com',
    'hotmail.co.uk',
    'hotmail.fr',
    'outlook.de',
  ].map((domain) => [domain, 'microsoft'] as const),
  ...['yahoo.com', 'ymail.com', 'aol.com', 'yahoo.co.uk', 'yahoo.fr', 'yahoo.de'].map(
    (domain) => [domain, 'yahoo'] as const,
  ),
  ...['icloud.com', 'me.com', 'mac.com'].map((domain) => [domain, 'apple'] as const),
]);

/** The lane of a recipient's domain (lower case). Domains hosted by a provider need their MX: later. */
export function laneOf(domain: string): LaneName {
  return LANE_BY_DOMAIN.get(domain) ?? 'other';
}

export function laneIndex(lane: LaneName): number {
  return LANES.indexOf(lane);
}
