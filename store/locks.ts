/**
 * The advisory locks of this database: any numbers, but no two the same. They stand in one table since a lock that was
 * given out twice once kept the whole intake waiting for the keeper of live segments.
 */
export const LOCKS = {
  /** Two processes that start at once do not migrate twice. */
  migrate: 4_711_009,
  /** One sealer chains the audit trail at a time. */
  sealer: 4_711_010,
  /** One projector copies the log at a time. */
  projector: 4_711_011,
  /** `make_event_months` in `migrations/006-event-log.sql`. */
  eventMonths: 4_711_012,
  /**
   * Writers of events hold it shared, whoever moves history exclusively: so no event is written for a person while that
   * person goes into another.
   */
  identity: 4_711_013,
  /** One process keeps the members of live segments at a time. */
  liveSegments: 4_711_031,
} as const;
