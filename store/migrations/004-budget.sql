-- What a campaign's planning has committed of its budget. A row of its own: its lock lets one batch at a time of a campaign
-- spend, without standing in the way of a sender, which locks the campaign's row.
create table campaign_budget (
  campaign_no integer primary key references campaign (no) on delete cascade,
  sends integer not null default 0,
  -- Hundredths of a cent, so that a message may cost a fraction of one.
  units bigint not null default 0,
  -- From the first message on that did not fit nobody is planned any more: else the cheaper variants would get what is left.
  spent_at timestamptz
);
