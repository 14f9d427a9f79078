-- As in 002, but what is deferred after its campaign was recalled or cancelled is skipped at once: nobody would claim it
-- again, and the campaign could not close before its deadline.
create or replace function defer_messages(
  p_campaign integer, p_step smallint, p_token bigint, p_ids bigint[], p_replies text[], p_retry_seconds integer,
  p_attempts_max integer, p_now timestamptz
) returns integer language plpgsql set enable_nestloop = off as $$
declare changed integer; deadline timestamptz; stopped text;
begin
  -- FOR SHARE: a recall that is under way waits for us and then finds them reserved, or we see it.
  select deadline_at, stop into deadline, stopped from campaign where no = p_campaign for share;
  with moved as (
    update message m set
      state = case
        when stopped is not null then 11
        when m.attempt >= p_attempts_max or retry_at(m.attempt, p_retry_seconds, p_now) > deadline then 13
        else 1 end,
      reason = case
        when stopped = 'recalled' then 5
        when stopped = 'cancelled' then 6
        when m.attempt >= p_attempts_max then 31
        when retry_at(m.attempt, p_retry_seconds, p_now) > deadline then 30
        else 0 end,
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
