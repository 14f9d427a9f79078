-- The ledger's transitions that must be one round trip. All times of leases are the database's clock.

-- Takes up to `want` tokens; returns what was granted and, where nothing was, how long to wait.
create function take_tokens(bucket_key text, want integer, out granted integer, out wait_ms integer)
language plpgsql as $$
declare b bucket; available real; now_ timestamptz := clock_timestamp();
begin
  select * into b from bucket where key = bucket_key for update;
  if not found or (b.rate_per_second is null and b.daily_limit is null) then
    granted := want; wait_ms := 0; return;
  end if;
  if b.day <> (now_ at time zone 'utc')::date then b.day := (now_ at time zone 'utc')::date; b.taken_today := 0; end if;
  available := want;
  if b.rate_per_second is not null then
    b.tokens := least(b.burst, b.tokens + extract(epoch from now_ - b.filled_at) * b.rate_per_second);
    available := least(available, floor(b.tokens));
  end if;
  if b.daily_limit is not null then available := least(available, b.daily_limit - b.taken_today); end if;
  granted := greatest(0, available)::integer;
  wait_ms := case
    when granted > 0 then 0
    when b.daily_limit is not null and b.taken_today >= b.daily_limit then 60000
    when coalesce(b.rate_per_second, 0) <= 0 then 1000
    else least(1000, ceil((1 - b.tokens) / b.rate_per_second * 1000))::integer end;
  update bucket set tokens = case when b.rate_per_second is null then 0 else b.tokens - granted end, filled_at = now_,
    day = b.day, taken_today = b.taken_today + granted where key = bucket_key;
end $$;

-- Leases up to `want` messages of one due lot. Paused, stopped and empty lanes lease nothing, and say why.
create function claim_lot(
  p_campaign integer, p_step smallint, p_lane smallint, p_lane_key text, p_want integer, p_sender text,
  p_lease_seconds integer, out token bigint, out wait_ms integer, out wait_reason text, out person_ids bigint[]
) language plpgsql as $$
declare c campaign; l lot; size integer; lane_grant integer; campaign_grant integer; lane_wait integer; campaign_wait integer;
begin
  wait_ms := 0;
  select * into c from campaign where no = p_campaign;
  if not found or c.stop is not null then wait_reason := 'stopped'; return; end if;
  if c.paused then wait_ms := 500; wait_reason := 'paused'; return; end if;
  select * into l from lot x
    where x.campaign_no = p_campaign and x.lane = p_lane and x.due_at <= shop_now() and x.step = p_step
    order by x.due_at limit 1 for update skip locked;
  if not found then wait_reason := 'empty'; return; end if;
  size := array_length(l.person_ids, 1);
  select t.granted, t.wait_ms into lane_grant, lane_wait from take_tokens(p_lane_key, least(size, p_want)) t;
  if lane_grant = 0 then wait_ms := lane_wait; wait_reason := 'lane rate'; return; end if;
  select t.granted, t.wait_ms into campaign_grant, campaign_wait
    from take_tokens('campaign:' || p_campaign, lane_grant) t;
  if campaign_grant < lane_grant then
    -- What the campaign's rate did not allow goes back to the lane.
    update bucket b set tokens = b.tokens + (lane_grant - campaign_grant),
      taken_today = b.taken_today - (lane_grant - campaign_grant)
      where b.key = p_lane_key and (b.rate_per_second is not null or b.daily_limit is not null);
  end if;
  if campaign_grant = 0 then wait_ms := campaign_wait; wait_reason := 'campaign rate'; return; end if;
  delete from lot x where x.token = l.token;
  if campaign_grant < size then
    insert into lot (campaign_no, step, lane, due_at, person_ids)
      values (p_campaign, p_step, p_lane, l.due_at, l.person_ids[campaign_grant + 1:]);
  end if;
  person_ids := l.person_ids[1:campaign_grant];
  insert into lot (campaign_no, step, lane, sender, until, person_ids)
    values (p_campaign, p_step, p_lane, p_sender, clock_timestamp() + p_lease_seconds * interval '1 second', person_ids)
    returning lot.token into token;
end $$;

-- reserved → handed, in the moment of sending: pause, stop, suppression, consent and erasure are checked here (promise 3).
-- `handed` are the people whose mail may go; whoever else of `ids` was reserved is skipped with the reason, unless the
-- verdict is `paused` or `fenced` (the lease is not this sender's any more), which change nothing.
-- `p_again` is for the one caller that asked before, lost the answer, and knows that it has sent none of them.
create function hand_messages(
  p_campaign integer, p_step smallint, p_token bigint, p_ids bigint[], p_lease_seconds integer, p_again boolean,
  out verdict text, out handed bigint[]
) language plpgsql as $$
declare c campaign;
begin
  -- FOR SHARE: a pause or recall that has been acknowledged is seen here, and one that is under way waits for us.
  select * into c from campaign where no = p_campaign for share;
  update lot set until = clock_timestamp() + p_lease_seconds * interval '1 second'
    where lot.token = p_token and until is not null;
  if not found then verdict := 'fenced'; return; end if;
  if c.paused and c.stop is null then verdict := 'paused'; return; end if;
  verdict := 'go';
  if c.stop is null then
    with moved as (
      update message m set state = 3, token = p_token, handed_at = clock_timestamp(),
        attempt = m.attempt + case when m.state = 1 then 1 else 0 end
      where m.person_id = any (p_ids) and m.campaign_no = p_campaign and m.step = p_step
        and (m.state = 1 or (p_again and m.state = 3 and m.token = p_token))
        and not exists (select from suppression s where s.unit = m.unit)
        and exists (select from consent k where k.person_id = m.person_id and k.channel = 'email' and k.granted)
      returning m.person_id)
    select array_agg(moved.person_id) into handed from moved;
  end if;
  if coalesce(array_length(handed, 1), 0) < array_length(p_ids, 1) then
    update message m set state = 11, settled_at = shop_now(), token = null, handed_at = null,
      reason = case
        when c.stop = 'recalled' then 5
        when c.stop = 'cancelled' then 6
        when exists (select from suppression s where s.unit = m.unit) then 1
        when not exists (select from person p where p.id = m.person_id) then 11
        else 2 end
      where m.person_id = any (p_ids) and m.campaign_no = p_campaign and m.step = p_step
        and (m.state = 1 or (p_again and m.state = 3 and m.token = p_token))
        and not (m.person_id = any (coalesce(handed, '{}')));
  end if;
end $$;

-- When a deferred message is tried again: the wait doubles with each attempt.
create function retry_at(attempt smallint, retry_seconds integer, from_time timestamptz) returns timestamptz
language sql immutable as
$$ select from_time + retry_seconds * power(2, greatest(attempt - 1, 0)) * interval '1 second' $$;

-- handed → sent, bounced, unknown, or reserved again (deferred) in a lot of its own, or expired. A late reply also settles
-- an `unknown` of the same token. Outcomes: 's' sent, 'b' refused for good, 'd' deferred, 'u' unknown (the connection died
-- after the last dot). One log row tells of all that were sent or bounced; store/projector.ts makes one event of each
-- person of it. Nested loops are off since the planner cannot know how long the arrays are.
create function settle_messages(
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
    insert into event (message_id, type, person_id, at, properties)
    values (format('settled:%s:%s:%s:%s', p_campaign, p_step, p_token, p_ids[1]), 'Messages Settled', null, now_,
      jsonb_build_object('campaign', p_campaign_id, 'step', p_step,
        'sent', (select coalesce(jsonb_agg(o.p), '[]') from unnest(p_ids, p_outcomes) o (p, s) where o.s = 's'),
        'bounced', (select coalesce(jsonb_agg(o.p), '[]') from unnest(p_ids, p_outcomes) o (p, s) where o.s = 'b')))
    on conflict (message_id) do nothing;
  end if;
  if 'd' = any (p_outcomes) then
    changed := changed + defer_messages(p_campaign, p_step, p_token,
      (select array_agg(o.p) from unnest(p_ids, p_outcomes) o (p, s) where o.s = 'd'),
      (select array_agg(o.r) from unnest(p_outcomes, p_replies) o (s, r) where o.s = 'd'),
      p_retry_seconds, p_attempts_max, now_);
  end if;
  return changed;
end $$;

create function defer_messages(
  p_campaign integer, p_step smallint, p_token bigint, p_ids bigint[], p_replies text[], p_retry_seconds integer,
  p_attempts_max integer, p_now timestamptz
) returns integer language plpgsql set enable_nestloop = off as $$
declare changed integer; deadline timestamptz;
begin
  select deadline_at into deadline from campaign where no = p_campaign;
  with moved as (
    update message m set
      state = case when m.attempt >= p_attempts_max or retry_at(m.attempt, p_retry_seconds, p_now) > deadline
        then 13 else 1 end,
      reason = case when m.attempt >= p_attempts_max then 31
        when retry_at(m.attempt, p_retry_seconds, p_now) > deadline then 30 else 0 end,
      token = null, settled_at = p_now, reply = left(o.reply, 200)
    from unnest(p_ids, p_replies) as o (person_id, reply)
    where m.person_id = any (p_ids) and m.campaign_no = p_campaign and m.step = p_step and m.token = p_token
      and m.person_id = o.person_id and m.state = 3
    returning m.person_id, m.state, m.lane, m.attempt),
  later as (
    insert into lot (campaign_no, step, lane, due_at, person_ids)
    select p_campaign, p_step, lane, retry_at(attempt, p_retry_seconds, p_now), array_agg(person_id)
    from moved where state = 1 group by lane, attempt)
  select count(*) into changed from moved;
  -- They are in a lot of their own now; the leased one must not bring them back earlier.
  update lot set person_ids = array(select unnest(person_ids) except select unnest(p_ids)) where token = p_token;
  return changed;
end $$;

-- Ends a lease: `p_ids` were never handed and go back as a new lot. A fenced-off sender changes nothing.
create function release_lot(p_token bigint, p_ids bigint[]) returns void language sql as $$
  with ended as (delete from lot where token = p_token and until is not null returning *)
  insert into lot (campaign_no, step, lane, due_at, person_ids)
  select campaign_no, step, lane, shop_now(), p_ids from ended where array_length(p_ids, 1) > 0
$$;

-- Leases that ended without their sender: what was only reserved is due again in a new lot, what was handed and got no
-- reply is `unknown`.
create function reconcile_lots(p_handed_seconds integer, out released integer, out unknown integer)
language plpgsql as $$
declare l lot; n integer; free bigint[]; still_handed bigint[];
begin
  released := 0; unknown := 0;
  for l in select * from lot where until < clock_timestamp() for update skip locked loop
    update message m set state = 14, reason = 40, settled_at = shop_now()
      where m.person_id = any (l.person_ids) and m.campaign_no = l.campaign_no and m.step = l.step
        and m.token = l.token and m.state = 3
        and m.handed_at < clock_timestamp() - p_handed_seconds * interval '1 second';
    get diagnostics n = row_count; unknown := unknown + n;
    select array_agg(m.person_id) filter (where m.state = 1),
      array_agg(m.person_id) filter (where m.state = 3 and m.token = l.token) into free, still_handed
      from message m where m.person_id = any (l.person_ids) and m.campaign_no = l.campaign_no and m.step = l.step;
    if array_length(free, 1) > 0 then
      insert into lot (campaign_no, step, lane, due_at, person_ids)
        values (l.campaign_no, l.step, l.lane, shop_now(), free);
      released := released + array_length(free, 1);
    end if;
    if array_length(still_handed, 1) > 0 then
      update lot set person_ids = still_handed where token = l.token;
    else
      delete from lot where token = l.token;
    end if;
  end loop;
end $$;

-- A net under mistakes, no part of any path: reserved messages that no lot holds get one, and what was handed under a
-- lease that is gone becomes `unknown`, as it would have by its lease. Returns how many.
create function heal_lots(p_campaign integer, p_handed_seconds integer) returns integer language plpgsql as $$
declare healed integer; settled integer;
begin
  with held as (select unnest(person_ids) as person_id, step from lot where campaign_no = p_campaign),
  stray as (
    select m.person_id, m.step, m.lane from message m
    where m.campaign_no = p_campaign and m.state = 1
      and not exists (select from held h where h.person_id = m.person_id and h.step = m.step)),
  put as (
    insert into lot (campaign_no, step, lane, due_at, person_ids)
    select p_campaign, step, lane, shop_now(), array_agg(person_id) from stray group by step, lane)
  select count(*) into healed from stray;
  update message m set state = 14, reason = 40, settled_at = shop_now()
    where m.campaign_no = p_campaign and m.state = 3
      and m.handed_at < clock_timestamp() - p_handed_seconds * interval '1 second'
      and not exists (select from lot l where l.token = m.token);
  get diagnostics settled = row_count;
  return healed + settled;
end $$;
