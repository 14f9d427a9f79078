-- So that the daily retention finds what it deletes without reading all messages of all time.
alter table campaign add column cleaned_at timestamptz;
