-- The event log by month, the ids that keep a message from being logged twice, and the keys that may write.

-- One row per message id that was taken, as the first 128 bits of its SHA-256. Spread by hash, so that each b-tree stays
-- small; `expires` is the last day of the window in which a repeated id is known (null: for ever, as for imports).
create table message_key (
  key uuid not null,
  expires date,
  primary key (key)
) partition by hash (key);
do $$ begin
  for i in 0..7 loop
    execute format('create table message_key_%s partition of message_key for values with (modulus 8, remainder %s)', i, i);
    execute format('create index on message_key_%s using brin (expires)', i);
  end loop;
end $$;

create function message_key_of(message_id text) returns uuid language sql immutable parallel safe strict as
$$ select encode(substring(sha256(convert_to(message_id, 'UTF8')) for 16), 'hex')::uuid $$;

alter table event rename to event_first;
alter table event_first alter column id drop identity;
alter index event_pkey rename to event_first_pkey;
alter index event_commit_order rename to event_first_commit_order;
alter table event_first drop constraint event_first_pkey;
alter table event_first drop constraint event_message_id_key;
-- One at a time (no cache): of two rows that tell of one person, the later has the higher id.
create sequence event_id;
select setval('event_id', coalesce((select max(id) from event_first), 0) + 1, false);

create table event (
  id bigint not null default nextval('event_id'),
  xid xid8 not null default pg_current_xact_id(),
  message_id text not null,
  type text not null,
  person_id bigint,
  at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  properties jsonb not null default '{}'
) partition by range (received_at);
alter sequence event_id owned by event.id;
create index event_commit_order on event (xid, id);
create index event_person on event (person_id) where person_id is not null;
-- What a visitor did before the shop knew who it is.
create index event_visitor on event ((properties ->> 'anonymousId')) where person_id is null;

insert into message_key select distinct message_key_of(message_id), null::date from event_first on conflict do nothing;
do $$ begin
  execute format('alter table event attach partition event_first for values from (minvalue) to (%L)',
    date_trunc('month', clock_timestamp()) + interval '1 month');
end $$;
-- Never used while the months are made in time; no event is refused where they were not.
create table event_rest partition of event default;

-- Makes the partitions of the coming months; idempotent. Returns how many are new.
create function make_event_months(months integer default 3) returns integer language plpgsql as $$
declare made integer := 0; from_ timestamptz; name_ text;
begin
  perform pg_advisory_xact_lock(4711012);
  for i in 1..months loop
    from_ := date_trunc('month', clock_timestamp()) + i * interval '1 month';
    name_ := 'event_' || to_char(from_, 'YYYY_MM');
    if to_regclass(name_) is null then
      execute format('create table %I partition of event for values from (%L) to (%L)', name_, from_,
        from_ + interval '1 month');
      made := made + 1;
    end if;
  end loop;
  return made;
end $$;
select make_event_months();

-- Logs one event unless its message id is known already; true where it was new.
create function log_once(p_message_id text, p_type text, p_person_id bigint, p_at timestamptz, p_properties jsonb)
returns boolean language plpgsql as $$
begin
  insert into message_key (key) values (message_key_of(p_message_id)) on conflict do nothing;
  if not found then return false; end if;
  insert into event (message_id, type, person_id, at, properties)
    values (p_message_id, p_type, p_person_id, p_at, p_properties);
  return true;
end $$;

-- As in 002, with the log's new way to know an id.
create or replace function settle_messages(
  p_campaign integer, p_step smallint, p_token bigint, p_ids bigint[], p_outcomes text[], p_replies text[],
  p_retry_seconds integer, p_attempts_max integer, p_campaign_id text
) returns integer language plpgsql set enable_nestloop = off as $$
declare changed integer; now_ timestamptz := shop_now();
begin
  update message m set
    state = case o.outcome when 's' then 10 when 'b' then 12 else 14 end,
    reason = case o.outcome when 's' then 0 when 'b' then 20 else 40 end,
    settled_at = now_, reply = left(o.reply, 200)
  from unnest(p_ids, p_outcomes, p_replies) as o (person_id, outcome, reply)
  where m.person_id = any (p_ids) and m.campaign_no = p_campaign and m.step = p_step and m.token = p_token
    and m.person_id = o.person_id and o.outcome <> 'd'
    and (m.state = 3 or (m.state = 14 and o.outcome in ('s', 'b')));
  get diagnostics changed = row_count;
  if changed > 0 then
    perform log_once(format('settled:%s:%s:%s:%s', p_campaign, p_step, p_token, p_ids[1]), 'Messages Settled', null, now_,
      jsonb_build_object('campaign', p_campaign_id, 'step', p_step,
        'sent', (select coalesce(jsonb_agg(o.p), '[]') from unnest(p_ids, p_outcomes) o (p, s) where o.s = 's'),
        'bounced', (select coalesce(jsonb_agg(o.p), '[]') from unnest(p_ids, p_outcomes) o (p, s) where o.s = 'b')));
  end if;
  if 'd' = any (p_outcomes) then
    changed := changed + defer_messages(p_campaign, p_step, p_token,
      (select array_agg(o.p) from unnest(p_ids, p_outcomes) o (p, s) where o.s = 'd'),
      (select array_agg(o.r) from unnest(p_outcomes, p_replies) o (s, r) where o.s = 'd'),
      p_retry_seconds, p_attempts_max, now_);
  end if;
  return changed;
end $$;

-- Keys of shops' systems and of their pages. The key itself is shown once and stands here as its SHA-256.
create table write_key (
  id text primary key,
  hash bytea not null unique,
  name text not null,
  -- A key in a page is public: it may tell what happened, but grants no consent and joins no two customers.
  kind text not null check (kind in ('server', 'browser')),
  -- Events a second; null is without a limit of its own.
  rate_per_second integer check (rate_per_second > 0),
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);

-- Who is who. A visitor is an anonymous id of a page or an app; once linked, what it does counts for that person.
create table visitor (
  anonymous_id text primary key,
  person_id bigint not null,
  linked_at timestamptz not null default clock_timestamp()
);
create index visitor_person on visitor (person_id);

-- Set on the person that went into another one; its row stays, so that the merge can be undone.
alter table person add column merged_into bigint references person (id);
create index person_merged on person (merged_into) where merged_into is not null;

-- Links and merges that were acknowledged and are carried out one after the other (store/identity.ts).
create table identity_claim (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('visitor', 'customer')),
  -- The anonymous id, or the shop's id of the person that goes into the other.
  from_id text not null,
  into_id bigint not null,
  actor text not null,
  at timestamptz not null default clock_timestamp(),
  done_at timestamptz,
  undone_at timestamptz,
  -- What was moved, so that a split puts exactly that back.
  detail jsonb not null default '{}'
);
create index identity_claim_open on identity_claim (id) where done_at is null;
create index identity_claim_into on identity_claim (into_id);

-- Moves with every merge, split and erasure: what a process remembers of ids holds for one generation.
create table identity_state (
  only_row boolean primary key default true check (only_row),
  generation bigint not null default 1
);
insert into identity_state default values;
create function next_identity_generation() returns trigger language plpgsql as
$$ begin update identity_state set generation = generation + 1; return null; end $$;
create trigger person_gone after delete or truncate on person for each statement
  execute function next_identity_generation();
