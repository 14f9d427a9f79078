-- Segments by name, their sizes by day, and static lists of people.

create table segment (
  name text primary key,
  -- As written: references by name, resolved when it is asked.
  definition jsonb not null,
  saved_at timestamptz not null default clock_timestamp()
);

-- How many people were in a segment at the end of a day of the shop; what was counted on the day itself stays true,
-- while traits of that time are gone when it is counted later.
create table segment_size (
  segment text not null references segment (name) on delete cascade,
  day date not null,
  members bigint not null,
  -- Shop time as of which it was counted.
  as_of timestamptz not null,
  counted_at timestamptz not null default clock_timestamp(),
  primary key (segment, day)
);

-- The present members; each change is an event of the log too, whence the warehouse knows them as of any time.
create table list (
  name text primary key,
  created_at timestamptz not null default clock_timestamp()
);
create table list_member (
  list text not null references list (name) on delete cascade,
  person_id bigint not null references person (id) on delete cascade,
  primary key (list, person_id)
);
create index list_member_person on list_member (person_id);
