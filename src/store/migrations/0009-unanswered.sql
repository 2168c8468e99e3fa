-- Hand-offs that have no verdict. The gate counts one, its verdict takes it away; being held, or sent again, changes nothing.
alter table deliveries add column unanswered bigint not null default 0;

-- As far as it can be told of what is open: each that was sent again since, and the last, where the delivery stands for it.
update deliveries set unanswered = possible_duplicate +
  case when state in ('handoff', 'in_doubt') and handoff_attempt >= attempt - 1 then 1 else 0 end
where state in ('queued', 'sending', 'handoff', 'in_doubt') and gated_at is not null;
