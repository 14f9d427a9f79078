-- Who is in which saved segment now, kept up with the log (store/live/).

-- What is kept of a segment: as of which meaning, and how far people were looked at one by one.
create table segment_live (
  segment text primary key references segment (name) on delete cascade,
  -- Hash of the segment with its references resolved and of the shop's time zone: another one is filled anew.
  meaning text not null,
  -- Shop time as of which it was filled by the compiled query.
  filled_at timestamptz not null,
  -- People up to this id have been asked when time alone changes them; null once all have.
  swept_to bigint
);

create table segment_member (
  person_id bigint not null references person (id) on delete cascade,
  segment text not null references segment (name) on delete cascade,
  -- Shop time at which it was noticed.
  since timestamptz not null,
  primary key (person_id, segment)
);
create index segment_member_segment on segment_member (segment);

-- When to look at somebody again because time alone may change the answer; shop time, in whole milliseconds.
create table segment_due (
  person_id bigint not null references person (id) on delete cascade,
  segment text not null references segment (name) on delete cascade,
  due_ms bigint not null,
  primary key (person_id, segment)
);
create index segment_due_time on segment_due (due_ms);

-- Whoever keeps the members waits for these, so that it asks nothing while nothing happens.
create function tell_live_segments() returns trigger language plpgsql as
$$ begin perform pg_notify('kairos_live', tg_table_name); return null; end $$;
create trigger segment_changed after insert or update or delete on segment for each statement
  execute function tell_live_segments();
create trigger clock_moved after update on shop_clock for each statement execute function tell_live_segments();
create trigger setting_changed after insert or update on setting for each statement
  execute function tell_live_segments();
