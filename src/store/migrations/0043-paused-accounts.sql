-- What too much of came back for: what it has accepted waits for an operator, and it goes on accepting.
alter table accounts add column paused_at bigint;
create index notices_by_time on notices (at);
