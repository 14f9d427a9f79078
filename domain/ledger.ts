/**
 * The ledger's states: one row per (campaign, step, person), and the transitions of `../docs/reference/ledger.md`.
 *
 * planned → reserved → (leased) → handed → sent | bounced | reserved again (deferred) | expired | unknown
 * A sender leases a lot of reserved messages under a fencing token; a lease that ends is only the lot's, the messages
 * were reserved all the time. A `handed` that ends without a reply is `unknown`, and is never sent again by itself.
 */
export const MESSAGE_STATE = {
  reserved: 1,
  handed: 3,
  sent: 10,
  skipped: 11,
  bounced: 12,
  expired: 13,
  unknown: 14,
} as const;

export type MessageStateName = keyof typeof MESSAGE_STATE;

/** Why a row is where it is. Numbers are stored; names are shown. Never renumber. */
export const MESSAGE_REASON = {
  none: 0,
  suppressed: 1,
  noConsent: 2,
  cap: 3,
  quietHours: 4,
  recalled: 5,
  cancelled: 6,
  noAddress: 7,
  badAddress: 8,
  budget: 9,
  renderFailed: 10,
  erased: 11,
  duplicate: 12,
  notEligible: 13,
  simulated: 14,
  refused: 20,
  laterBounce: 21,
  pastDeadline: 30,
  attemptsSpent: 31,
  noReply: 40,
} as const;

export type MessageReasonName = keyof typeof MESSAGE_REASON;

/** What a row's mail is for: reports never mix them. */
export const MODE = { live: 1, test: 2, rehearsal: 3, simulated: 4 } as const;
export type Mode = keyof typeof MODE;

export interface LedgerCounts {
  audience: number;
  holdout: number;
  planned: number;
  reserved: number;
  leased: number;
  handed: number;
  sent: number;
  skipped: number;
  bounced: number;
  expired: number;
  unknown: number;
}

/** Promise 2: everyone planned is in exactly one closing state. */
export function isBalanced(counts: LedgerCounts): boolean {
  const open = counts.planned + counts.reserved + counts.leased + counts.handed;
  const closed = counts.sent + counts.skipped + counts.bounced + counts.expired + counts.unknown;
  return open === 0 && counts.audience === counts.holdout + closed;
}
