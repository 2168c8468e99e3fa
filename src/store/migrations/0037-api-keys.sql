-- A key that may only send may be bound to one domain. When a key was used last is written now and then, not at each use.
alter table api_keys add column domain text;
alter table api_keys add column last_used_at bigint;
