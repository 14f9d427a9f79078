-- Webhooks in and out, and what is left of people who were erased.

-- Shops' systems that send webhooks. The secret is sealed with a key of the installation's secrets file, so that a copy
-- of the database alone verifies and forges nothing.
create table webhook_source (
  id text primary key,
  kind text not null check (kind in ('shopify', 'woocommerce', 'stripe')),
  sealed bytea not null,
  options jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  removed_at timestamptz
);

-- Systems that want to hear of message events. `xid`, `id`: up to where the log has been read for it.
create table webhook_endpoint (
  id text primary key,
  url text not null,
  types text[] not null,
  sealed bytea not null,
  xid xid8 not null,
  position bigint not null,
  created_at timestamptz not null default clock_timestamp(),
  delivered bigint not null default 0,
  -- Since when every attempt has failed; null while they arrive.
  failing_since timestamptz,
  -- No attempt before this: it said that it has too much.
  paused_until timestamptz,
  disabled_at timestamptz,
  disabled_reason text,
  removed_at timestamptz
);

-- What is still to be delivered, and dead letters. A row goes once its endpoint has taken it.
create table webhook_delivery (
  id bigint generated always as identity primary key,
  endpoint_id text not null references webhook_endpoint (id) on delete cascade,
  -- The same for every attempt: what a receiver knows a repeat by.
  webhook_id text not null,
  type text not null,
  person_id bigint,
  body text not null,
  attempts integer not null default 0,
  -- Null for a dead letter.
  next_at timestamptz default clock_timestamp(),
  leased_until timestamptz,
  last_status integer,
  last_error text,
  created_at timestamptz not null default clock_timestamp(),
  dead_at timestamptz,
  unique (endpoint_id, webhook_id)
);
create index webhook_delivery_due on webhook_delivery (next_at) where next_at is not null;
create index webhook_delivery_person on webhook_delivery (person_id) where person_id is not null;

-- Mailboxes that asked to be forgotten, as salted hashes: when a shop sends one again, it is suppressed at once.
create table erasure_salt (
  only_row boolean primary key default true check (only_row),
  salt text not null default gen_random_uuid()::text || gen_random_uuid()::text
);
insert into erasure_salt default values;
create table erased_unit (
  hash bytea primary key,
  at timestamptz not null default clock_timestamp()
);
create function unit_hash(unit text) returns bytea language sql stable strict as
$$ select sha256(convert_to(salt || unit, 'UTF8')) from erasure_salt $$;

create function suppress_erased() returns trigger language plpgsql as $$
begin
  if not exists (select from erased_unit) then return null; end if;
  insert into suppression (unit, reason, at, source)
    select distinct p.unit, 'erasure', shop_now(), 'erasure' from changed p
    join erased_unit e on e.hash = unit_hash(p.unit) where p.unit is not null
    order by p.unit on conflict do nothing;
  return null;
end $$;
create trigger person_added_erased after insert on person referencing new table as changed
  for each statement execute function suppress_erased();
create trigger person_changed_erased after update on person referencing new table as changed
  for each statement execute function suppress_erased();

-- The lines of an order with these fields only.
create function stripped_lines(lines jsonb, keep text[]) returns jsonb language sql immutable as
$$ select case when jsonb_typeof(lines) = 'array' then (
     select coalesce(jsonb_agg((select coalesce(jsonb_object_agg(f.key, f.value), '{}')
       from jsonb_each(case when jsonb_typeof(l.line) = 'object' then l.line else '{}' end) f where f.key = any (keep))
       order by l.n), '[]')
     from jsonb_array_elements(lines) with ordinality as l (line, n)) end $$;
