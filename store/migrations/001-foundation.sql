-- The truth: people, consent, the event log, campaigns, the ledger, models, audit. The only thing one must back up.

create table shop_clock (
  only_row boolean primary key default true check (only_row),
  offset_ms bigint not null default 0,
  moved_at timestamptz not null default clock_timestamp()
);
insert into shop_clock default values;

-- Shop time. Leases and time-outs use clock_timestamp() instead.
create function shop_now() returns timestamptz language sql stable as
$$ select clock_timestamp() + offset_ms * interval '1 millisecond' from shop_clock $$;

create table setting (
  key text primary key,
  value jsonb not null,
  updated_at timestamptz not null default clock_timestamp()
);

create table person (
  id bigint generated always as identity primary key,
  external_id text not null unique,
  -- The address in the strict grammar of domain/address.ts, or null; `unit` is its normalised form.
  address text,
  unit text,
  lane smallint not null default 4,
  name text,
  country text,
  time_zone text,
  locale text,
  traits jsonb not null default '{}',
  created_at timestamptz not null,
  updated_at timestamptz not null default clock_timestamp()
);
create index person_unit on person (unit) where unit is not null;

create table consent (
  person_id bigint not null references person (id) on delete cascade,
  channel text not null default 'email',
  granted boolean not null,
  at timestamptz not null,
  source text not null,
  primary key (person_id, channel)
);

create table suppression (
  unit text primary key,
  reason text not null check (reason in ('unsubscribe', 'complaint', 'bounce', 'erasure', 'manual')),
  at timestamptz not null,
  source text not null
);

create table product (
  sku text primary key,
  title text not null,
  category text not null,
  price numeric(12, 2) not null,
  currency text not null,
  stock integer,
  description text not null default '',
  url text,
  updated_at timestamptz not null default clock_timestamp()
);
create index product_category on product (category);

-- The event log. A sequence alone would let a reader skip rows that commit late, so every row carries its
-- transaction's id, and readers stop below pg_snapshot_xmin (see store/events.ts).
create table event (
  id bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  message_id text not null unique,
  type text not null,
  person_id bigint,
  at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  properties jsonb not null default '{}'
);
create index event_commit_order on event (xid, id);

create table projector (
  name text primary key,
  xid xid8 not null default '0'::xid8,
  id bigint not null default 0,
  -- The range that is being written; repeated with the same token after a crash.
  next_xid xid8,
  next_id bigint,
  projected bigint not null default 0,
  updated_at timestamptz not null default clock_timestamp()
);

create table campaign (
  no integer generated always as identity primary key,
  id text not null unique,
  definition jsonb not null,
  hash text not null,
  mode smallint not null default 1,
  -- Frozen link tables by variant: {"variant": ["https://…", …]}.
  links jsonb not null default '{}',
  -- Frozen template sources by variant, so that a running campaign never reads a file that was edited since.
  templates jsonb not null default '{}',
  uses_products boolean not null default false,
  salt text not null,
  stage text not null default 'draft',
  waiting text,
  paused boolean not null default false,
  stop text check (stop in ('recalled', 'cancelled')),
  rate_per_second real,
  chosen_variant smallint,
  expected_count integer,
  approved_by text,
  approved_at timestamptz,
  snapshot_at timestamptz,
  launched_at timestamptz,
  deadline_at timestamptz,
  closed_at timestamptz,
  report jsonb,
  created_at timestamptz not null default clock_timestamp()
);

-- The frozen audience. `unit` decides the holdout; `duplicate` marks a second person behind one mailbox.
create table audience_member (
  campaign_no integer not null references campaign (no),
  seq integer not null,
  person_id bigint not null,
  unit text,
  -- Could be mailed when the snapshot was taken: only then may the holdout draw take a person, so that both arms compare.
  eligible boolean not null,
  holdout boolean not null default false,
  duplicate boolean not null default false,
  pilot boolean not null default false,
  score real,
  primary key (campaign_no, seq)
);

-- The draw of a unit: uniform on [0, 1), the same for the same salt, purpose and unit. The result of a draw is stored
-- where it is made, so a later PostgreSQL that hashes differently changes no assignment.
create function draw(salt text, purpose text, unit text) returns double precision language sql immutable parallel safe as
$$ select (hashtextextended(salt || E'\x1f' || purpose || E'\x1f' || unit, 0) >> 11 & 9007199254740991)::double precision
     / 9007199254740992.0::double precision $$;

-- One row per (campaign, step, person): promise 1. Its only b-tree is its key, person first, so that it also answers
-- "what did this person get?"; no column that changes stands in an index, so reserved → handed → sent are HOT updates.
create table message (
  person_id bigint not null,
  campaign_no integer not null,
  step smallint not null default 0,
  state smallint not null,
  reason smallint not null default 0,
  mode smallint not null,
  lane smallint not null,
  variant smallint not null default 0,
  attempt smallint not null default 0,
  variant_p real not null default 1,
  -- The lot under whose lease it was handed: only that sender may settle it.
  token bigint,
  handed_at timestamptz,
  settled_at timestamptz,
  address text,
  unit text,
  reply text,
  decision jsonb,
  primary key (person_id, campaign_no, step)
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.5);
-- A campaign's rows lie together, since they are planned together: counting them reads little else.
create index message_campaign on message using brin (campaign_no) with (pages_per_range = 16, autosummarize = on);

-- Reserved messages of one lane that are due together. A sender leases a lot, not a message; the token of a lease is
-- never used again, so whoever holds an older one is fenced off.
create table lot (
  token bigint generated always as identity primary key,
  campaign_no integer not null,
  step smallint not null,
  lane smallint not null,
  -- Null while it is leased.
  due_at timestamptz,
  sender text,
  until timestamptz,
  person_ids bigint[] not null,
  check ((due_at is null) = (until is not null))
);
create index lot_due on lot (campaign_no, lane, due_at) where due_at is not null;

-- Token buckets by the database's clock: a lane ('lane:gmail') or a campaign ('campaign:7').
create table bucket (
  key text primary key,
  rate_per_second real,
  burst real not null default 100,
  tokens real not null default 0,
  filled_at timestamptz not null default clock_timestamp(),
  daily_limit integer,
  day date not null default current_date,
  taken_today integer not null default 0
);

create table model (
  version integer generated always as identity primary key,
  name text not null,
  status text not null check (status in ('candidate', 'current', 'retired', 'refused')),
  card jsonb not null,
  blob bytea not null,
  created_at timestamptz not null default clock_timestamp()
);
create unique index model_current on model (name) where status = 'current';

create table score (
  model text not null,
  person_id bigint not null,
  version integer not null,
  value real not null,
  -- The features it was computed from, in the card's order, for `explain`.
  features real[] not null,
  cluster text,
  at timestamptz not null,
  primary key (model, person_id)
);

create table audit (
  id bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default clock_timestamp(),
  actor text not null,
  action text not null,
  subject text not null,
  workflow_id text,
  run_id text,
  activity text,
  attempt smallint,
  detail jsonb not null default '{}'
);
create index audit_commit_order on audit (xid, id);
create index audit_subject on audit (subject);

create table audit_seal (
  seq bigint primary key,
  audit_id bigint not null unique,
  xid xid8 not null,
  hash bytea not null
);

create function refuse_change() returns trigger language plpgsql as
$$ begin raise exception 'the audit trail is append-only'; end $$;
create trigger audit_append_only before update or delete or truncate on audit
  for each statement execute function refuse_change();
create trigger audit_seal_append_only before update or delete or truncate on audit_seal
  for each statement execute function refuse_change();
