/**
 * The warehouse's tables: one SQL for the embedded engine and for a ClickHouse cluster, where MergeTree becomes the
 * replicated or shared kind by the cluster's own default. Nothing here is truth: all of it is made again from the
 * event log. An address or a name never stands here.
 */
export const WAREHOUSE_DATABASE = 'kairos';

/** Tokens of inserts that are remembered, so that a repeated batch changes nothing; a batch is 20,000 log rows. */
const DEDUPLICATION_WINDOW = 1_000;

/**
 * One row per event, and one per line of an order (see `domain/warehouse-rows.ts`). Both orders are kept: a segment
 * over all people reads by type and category, the features of some people read by person (0.05–0.09 s against
 * 0.3–0.6 s over 10 M rows, measured, where only one of them is there).
 */
const EVENT_TABLE = `CREATE TABLE IF NOT EXISTS event (
  event_id UInt64,
  line UInt16,
  type LowCardinality(String),
  category LowCardinality(String),
  at DateTime64(3, 'UTC'),
  person_id UInt64,
  sku String,
  order_id String,
  campaign LowCardinality(String),
  amount Decimal(18, 2),
  quantity Int32,
  rating UInt8,
  machine UInt8,
  text_properties Map(LowCardinality(String), String),
  number_properties Map(LowCardinality(String), Float64),
  flag_properties Map(LowCardinality(String), UInt8),
  PROJECTION by_person (SELECT * ORDER BY person_id, type, at)
) ENGINE = MergeTree ORDER BY (type, category, at)
SETTINGS non_replicated_deduplication_window = ${DEDUPLICATION_WINDOW}`;

/** A person's newest traits by the log; a map per kind of value, so that a trait's name can be a bound parameter. */
const PERSON_TABLE = `CREATE TABLE IF NOT EXISTS person (
  person_id UInt64,
  version UInt64,
  external_id String,
  country LowCardinality(String),
  time_zone LowCardinality(String),
  locale LowCardinality(String),
  consent UInt8,
  has_address UInt8,
  text_traits Map(LowCardinality(String), String),
  number_traits Map(LowCardinality(String), Float64),
  flag_traits Map(LowCardinality(String), UInt8),
  created_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(version) ORDER BY person_id`;

/** Every scoring is kept with its time, so that "the newest score as of then" stays true after a merge. */
const SCORE_TABLE = `CREATE TABLE IF NOT EXISTS score (
  model LowCardinality(String),
  person_id UInt64,
  at DateTime64(3, 'UTC'),
  version UInt64,
  value Float64
) ENGINE = ReplacingMergeTree(version) ORDER BY (model, person_id, at)`;

/** All rows of one clustering carry the same time; the newest clustering counts as a whole. */
const CLUSTER_TABLE = `CREATE TABLE IF NOT EXISTS person_cluster (
  at DateTime64(3, 'UTC'),
  person_id UInt64,
  version UInt64,
  name LowCardinality(String)
) ENGINE = ReplacingMergeTree(version) ORDER BY (at, person_id)`;

export const TABLES = ['event', 'person', 'score', 'person_cluster'] as const;

/** Idempotent; run within the database. */
export const CREATE_TABLES: readonly string[] = [
  EVENT_TABLE,
  PERSON_TABLE,
  SCORE_TABLE,
  CLUSTER_TABLE,
];
