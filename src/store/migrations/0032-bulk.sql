-- Came in a batch: of the same account it yields to what was sent singly.
alter table deliveries add column is_bulk bigint not null default 0;
create index deliveries_due_kind on deliveries (account, is_bulk, run_at) where state = 'queued';
