/** Every number that bounds something, with the reason for it. */
export const LIMITS = {
  /** Recipients that are planned in one transaction: 57 k recipients/s measured at 500. */
  batchSize: 500,
  /** Recipients that one planning activity handles, batch by batch: 6 history events for all. */
  peoplePerActivity: 2_500,
  /** People per shard workflow; 5,000 are ten batches in two activities, about 20 history events. */
  peoplePerShard: 5_000,
  /** Shards of one campaign; more children make the run unreadable in Temporal UI. */
  shardsMax: 16,
  /** Rows that a sender leases in one statement. */
  leaseBatch: 500,
  /** Messages marked `handed` in one commit: the most that one crash of a sender can leave `unknown`. */
  handedWindow: 100,
  /** A lease that is not handed within this time goes back to `reserved`. */
  leaseSeconds: 60,
  /** A handed message without a reply after this time becomes `unknown`. SMTP servers may take minutes over DATA. */
  handedSeconds: 120,
  /** Attempts at a deferred (4xx) message before it expires. */
  attemptsMax: 8,
  /** Outstanding rows of one campaign above which planning waits: bounds ledger churn, not memory. */
  outstandingMax: 100_000,
  /** A rendered part of a mail; Gmail clips at 102 KiB. */
  renderedBytesMax: 500_000,
  /** Depth of a segment's tree; deeper ones are a mistake, and the compiler recurses. */
  segmentDepthMax: 12,
  /** One intake body; the Segment spec says 500 KiB a batch. */
  intakeBodyBytesMax: 500_000,
  /** One intake event; the Segment spec says 32 KiB. */
  intakeEventBytesMax: 32_768,
  /** Workflow and activity payloads; Temporal refuses 2 MiB, and histories should stay readable. */
  payloadBytesMax: 128_000,
} as const;
