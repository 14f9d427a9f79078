-- What imports have put into the log: one row a record (order, refund, event, review) by its natural key, so that the
-- same file twice adds nothing and a corrected one corrects. It does not depend on how the log knows its own ids.
create table import_record (
  -- The first 128 bits of the SHA-256 of the record's message id.
  key uuid primary key,
  -- Of what the record said last; null where a corrected file took it back.
  hash uuid,
  revision smallint not null default 1,
  -- One file gave this order both a purchase and a refund; a corrected file that has one of them only means that.
  paired boolean not null default false,
  -- The transaction that logged it, by which the event is found.
  xid xid8 not null default pg_current_xact_id()
);

-- Events of the log that a later one replaces. The log itself only grows: whoever reads it for what is true now leaves
-- these out, and the warehouse deletes them when it reads of them.
create table event_superseded (
  event_id bigint primary key,
  at timestamptz not null default clock_timestamp()
);
