-- Until when the request behind the gate may be repeated under its key without being done twice. Null: it has none, or may not.
alter table deliveries add column repeat_until bigint;
create index deliveries_repeated on deliveries (repeat_until) where state = 'in_doubt' and repeat_until is not null;

-- What the upstream that took it calls it.
alter table deliveries add column upstream_id text;
create index deliveries_upstream on deliveries (account, upstream_id) where upstream_id is not null;
