-- Keys that were used again are few: the page lists the latest of them, of each account.
create index idempotency_keys_replayed on idempotency_keys (account, last_replay_at) where last_replay_at is not null;
create index idempotency_keys_conflicting on idempotency_keys (account, last_conflict_at) where last_conflict_at is not null;
