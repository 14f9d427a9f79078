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

-- reserved → leased for up to `want` due rows of one lane. Paused, stopped and empty lanes lease nothing.
create function claim_messages(
  p_campaign integer, p_step smallint, p_lane smallint, p_lane_key text, p_want integer, p_sender text,
  p_lease_seconds integer
) returns table (token bigint, wait_ms integer, wait_reason text, person_ids bigint[])
language plpgsql as $$
declare
  c campaign; due integer; lane_grant integer; campaign_grant integer; lane_wait integer; campaign_wait integer;
  ids bigint[]; tok bigint;
begin
  select * into c from campaign where no = p_campaign;
  if not found or c.stop is not null then
    return query select null::bigint, 0, 'stopped', null::bigint[]; return;
  end if;
  if c.paused then return query select null::bigint, 500, 'paused', null::bigint[]; return; end if;
  select array_agg(m.person_id) into ids from (
    select x.person_id from message x
    where x.campaign_no = p_campaign and x.lane = p_lane and x.due_at <= shop_now() and x.step = p_step
    order by x.due_at limit p_want for update skip locked) m;
  due := coalesce(array_length(ids, 1), 0);
  if due = 0 then return query select null::bigint, 0, 'empty', null::bigint[]; return; end if;
  select t.granted, t.wait_ms into lane_grant, lane_wait from take_tokens(p_lane_key, due) t;
  if lane_grant = 0 then return query select null::bigint, lane_wait, 'lane rate', null::bigint[]; return; end if;
  select t.granted, t.wait_ms into campaign_grant, campaign_wait
    from take_tokens('campaign:' || p_campaign, lane_grant) t;
  if campaign_grant < lane_grant then
    -- What the campaign's rate did not allow goes back to the lane.
    update bucket b set tokens = b.tokens + (lane_grant - campaign_grant),
      taken_today = b.taken_today - (lane_grant - campaign_grant) where b.key = p_lane_key and
      (b.rate_per_second is not null or b.daily_limit is not null);
  end if;
  if campaign_grant = 0 then
    return query select null::bigint, campaign_wait, 'campaign rate', null::bigint[]; return;
  end if;
  ids := ids[1:campaign_grant];
  insert into lease (campaign_no, step, lane, sender, until, person_ids)
    values (p_campaign, p_step, p_lane, p_sender, clock_timestamp() + p_lease_seconds * interval '1 second', ids)
    returning lease.token into tok;
  update message m set state = 2, due_at = null, token = tok
    where m.campaign_no = p_campaign and m.step = p_step and m.person_id = any (ids);
  return query select tok, 0, null::text, ids;
end $$;

-- leased → handed, in the moment of sending: pause, stop, suppression, consent and erasure are checked here (promise 3).
-- Returns the people whose mail may go; all others of `ids` were put where they belong.
-- `p_again` is for the one caller that asked before, lost the answer, and knows that it has sent none of them.
create function hand_messages(
  p_campaign integer, p_step smallint, p_token bigint, p_ids bigint[], p_lease_seconds integer, p_again boolean
) returns setof bigint language plpgsql as $$
declare c campaign; handed bigint[];
begin
  -- FOR SHARE: a pause or recall that has been acknowledged is seen here, and one that is under way waits for us.
  select * into c from campaign where no = p_campaign for share;
  if c.paused and c.stop is null then
    update message m set state = 1, due_at = shop_now(), token = null, handed_at = null
      where m.campaign_no = p_campaign and m.step = p_step and m.person_id = any (p_ids)
        and m.token = p_token and (m.state = 2 or (p_again and m.state = 3));
    return;
  end if;
  if c.stop is null then
    with moved as (
      update message m set state = 3, handed_at = clock_timestamp(),
        attempt = m.attempt + case when m.state = 2 then 1 else 0 end
      where m.campaign_no = p_campaign and m.step = p_step and m.person_id = any (p_ids)
        and m.token = p_token and (m.state = 2 or (p_again and m.state = 3))
        and not exists (select from suppression s where s.unit = m.unit)
        and exists (select from consent k where k.person_id = m.person_id and k.channel = 'email' and k.granted)
      returning m.person_id)
    select array_agg(moved.person_id) into handed from moved;
  end if;
  update lease set until = clock_timestamp() + p_lease_seconds * interval '1 second' where lease.token = p_token;
  if coalesce(array_length(handed, 1), 0) < array_length(p_ids, 1) then
    update message m set state = 11, settled_at = shop_now(), token = null, handed_at = null,
      reason = case
        when c.stop = 'recalled' then 5
        when c.stop = 'cancelled' then 6
        when exists (select from suppression s where s.unit = m.unit) then 1
        when not exists (select from person p where p.id = m.person_id) then 11
        else 2 end
      where m.campaign_no = p_campaign and m.step = p_step and m.person_id = any (p_ids)
        and m.token = p_token and (m.state = 2 or (p_again and m.state = 3))
        and not (m.person_id = any (coalesce(handed, '{}')));
  end if;
  return query select unnest(handed);
end $$;

-- When a deferred message is tried again: the wait doubles with each attempt.
create function retry_at(attempt smallint, retry_seconds integer) returns timestamptz language sql stable as
$$ select shop_now() + retry_seconds * power(2, greatest(attempt - 1, 0)) * interval '1 second' $$;

-- handed → sent, bounced, reserved again (deferred) or expired. A late reply also settles an `unknown` of the same token.
-- Outcomes: 's' sent, 'b' refused for good, 'd' deferred, 'u' unknown (the connection died after the last dot).
-- One log row tells of all that were sent or bounced; store/projector.ts makes one event of each person of it.
create function settle_messages(
  p_campaign integer, p_step smallint, p_token bigint, p_ids bigint[], p_outcomes text[], p_replies text[],
  p_retry_seconds integer, p_attempts_max integer, p_campaign_id text
) returns integer language plpgsql as $$
declare changed integer; n integer; deadline timestamptz; now_ timestamptz := shop_now();
begin
  update message m set
    state = case o.outcome when 's' then 10 when 'b' then 12 else 14 end,
    reason = case o.outcome when 's' then 0 when 'b' then 20 else 40 end,
    settled_at = now_, reply = left(o.reply, 200)
  from unnest(p_ids, p_outcomes, p_replies) as o (person_id, outcome, reply)
  where o.outcome <> 'd' and m.campaign_no = p_campaign and m.step = p_step and m.person_id = any (p_ids) and m.person_id = o.person_id
    and m.token = p_token and (m.state = 3 or (m.state = 14 and o.outcome in ('s', 'b')));
  get diagnostics changed = row_count;
  if changed > 0 then
    insert into event (message_id, type, person_id, at, properties)
    values (format('settled:%s:%s:%s:%s', p_campaign, p_step, p_token, p_ids[1]), 'Messages Settled', null, now_,
      jsonb_build_object('campaign', p_campaign_id, 'step', p_step,
        'sent', (select coalesce(jsonb_agg(o.p), '[]') from unnest(p_ids, p_outcomes) o (p, s) where o.s = 's'),
        'bounced', (select coalesce(jsonb_agg(o.p), '[]') from unnest(p_ids, p_outcomes) o (p, s) where o.s = 'b')))
    on conflict (message_id) do nothing;
  end if;
  if not 'd' = any (p_outcomes) then return changed; end if;
  select deadline_at into deadline from campaign where no = p_campaign;
  update message m set
    state = case when m.attempt >= p_attempts_max or retry_at(m.attempt, p_retry_seconds) > deadline then 13 else 1 end,
    reason = case when m.attempt >= p_attempts_max then 31
      when retry_at(m.attempt, p_retry_seconds) > deadline then 30 else 0 end,
    due_at = case when m.attempt >= p_attempts_max or retry_at(m.attempt, p_retry_seconds) > deadline then null
      else retry_at(m.attempt, p_retry_seconds) end,
    token = null, settled_at = now_, reply = left(o.reply, 200)
  from unnest(p_ids, p_outcomes, p_replies) as o (person_id, outcome, reply)
  where o.outcome = 'd' and m.campaign_no = p_campaign and m.step = p_step and m.person_id = any (p_ids) and m.person_id = o.person_id
    and m.token = p_token and m.state = 3;
  get diagnostics n = row_count;
  return changed + n;
end $$;

-- Leases that ended: leased → reserved again, handed without a reply → unknown. Returns what was moved.
create function reconcile_leases(p_handed_seconds integer, out released integer, out unknown integer)
language plpgsql as $$
declare l lease; n integer; still_handed boolean;
begin
  released := 0; unknown := 0;
  for l in select * from lease where until < clock_timestamp() for update skip locked loop
    update message m set state = 1, due_at = shop_now(), token = null
      where m.campaign_no = l.campaign_no and m.step = l.step and m.person_id = any (l.person_ids)
        and m.token = l.token and m.state = 2;
    get diagnostics n = row_count; released := released + n;
    update message m set state = 14, reason = 40, settled_at = shop_now()
      where m.campaign_no = l.campaign_no and m.step = l.step and m.person_id = any (l.person_ids)
        and m.token = l.token and m.state = 3
        and m.handed_at < clock_timestamp() - p_handed_seconds * interval '1 second';
    get diagnostics n = row_count; unknown := unknown + n;
    select exists (select from message m where m.campaign_no = l.campaign_no and m.step = l.step
      and m.person_id = any (l.person_ids) and m.token = l.token and m.state = 3) into still_handed;
    if not still_handed then delete from lease where lease.token = l.token; end if;
  end loop;
end $$;
