-- Lanes: their daily volume by the shop clock, and the way back for messages that no relay was asked about.

-- Takes up to `want` tokens; returns what was granted and, where nothing was, how long to wait: exactly a minute where the
-- day's volume is spent. A day is one of the shop clock, so that warm-up can be rehearsed; rates are real time.
create or replace function take_tokens(bucket_key text, want integer, out granted integer, out wait_ms integer)
language plpgsql as $$
declare b bucket; available real; now_ timestamptz := clock_timestamp(); today date;
begin
  select * into b from bucket where key = bucket_key for update;
  if not found or (b.rate_per_second is null and b.daily_limit is null) then
    granted := want; wait_ms := 0; return;
  end if;
  available := want;
  if b.rate_per_second is not null then
    b.tokens := least(b.burst, b.tokens + greatest(0, extract(epoch from now_ - b.filled_at)) * b.rate_per_second);
    available := least(available, floor(b.tokens));
  end if;
  if b.daily_limit is not null then
    today := (shop_now() at time zone 'utc')::date;
    if b.day <> today then b.day := today; b.taken_today := 0; end if;
    available := least(available, b.daily_limit - b.taken_today);
  end if;
  granted := greatest(0, available)::integer;
  wait_ms := case
    when granted > 0 then 0
    when b.daily_limit is not null and b.taken_today >= b.daily_limit then 60000
    when coalesce(b.rate_per_second, 0) <= 0 then 1000
    else greatest(1, least(1000, ceil((1 - b.tokens) / b.rate_per_second * 1000)))::integer end;
  update bucket set tokens = case when b.rate_per_second is null then 0 else b.tokens - granted end, filled_at = now_,
    day = b.day, taken_today = b.taken_today + granted where key = bucket_key;
end $$;

-- handed → reserved, as if it had never been handed, for messages of which the relay took no notice: the attempt is not
-- counted, and they are due `p_after_seconds` from now. What was recalled or cancelled meanwhile is skipped. Returns how
-- many rows moved; a fenced-off sender changes nothing.
create function return_messages(
  p_campaign integer, p_step smallint, p_token bigint, p_ids bigint[], p_after_seconds integer, p_reply text,
  p_lane_key text
) returns integer language plpgsql set enable_nestloop = off as $$
declare changed integer; stopped text;
begin
  -- FOR SHARE: a recall that is under way waits for us and then finds them reserved, or we see it.
  select stop into stopped from campaign where no = p_campaign for share;
  with moved as (
    update message m set
      state = case when stopped is null then 1 else 11 end,
      reason = case stopped when 'recalled' then 5 when 'cancelled' then 6 else 0 end,
      settled_at = case when stopped is null then null else shop_now() end,
      attempt = greatest(0, m.attempt - 1), token = null, handed_at = null, reply = left(p_reply, 200)
    where m.person_id = any (p_ids) and m.campaign_no = p_campaign and m.step = p_step and m.token = p_token
      and m.state = 3
    returning m.person_id, m.state, m.lane),
  later as (
    insert into lot (campaign_no, step, lane, due_at, person_ids)
    select p_campaign, p_step, lane, shop_now() + p_after_seconds * interval '1 second', array_agg(person_id)
    from moved where state = 1 group by lane)
  select count(*) into changed from moved;
  -- They are in a lot of their own now; the leased one must not bring them back earlier.
  update lot set person_ids = array(select unnest(person_ids) except select unnest(p_ids)) where token = p_token;
  -- Nor do they count as volume of the day.
  update bucket set taken_today = greatest(0, taken_today - changed) where key = p_lane_key and daily_limit is not null;
  return changed;
end $$;

-- What a lane has sent: when for the first time, and how much today, with what is leased now, by the shop clock.
create function lane_volume(p_lane smallint, out first_sent_at timestamptz, out today integer)
language plpgsql stable as $$
begin
  select min(settled_at), count(*) filter (where settled_at >= date_trunc('day', shop_now(), 'utc'))
    into first_sent_at, today
    from message where lane = p_lane and state in (10, 12, 14) and mode in (1, 2);
  today := today + coalesce((select sum(array_length(person_ids, 1)) from lot where lane = p_lane and until is not null), 0);
end $$;
