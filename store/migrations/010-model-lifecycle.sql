-- A model's way: candidate (the challenger), current (the champion), retired, refused. Who trained it and until when it
-- was in use, so that an approval finds its run and a roll-back its predecessor.
alter table model
  add column workflow_id text,
  add column retired_at timestamptz;

-- What the daily look at a model in use found.
create table model_drift (
  version integer not null references model (version),
  at timestamptz not null,
  report jsonb not null,
  primary key (version, at)
);
