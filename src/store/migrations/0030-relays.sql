-- The relay an attempt has come to; behind the gate it is the one that may have the mail. JSON beside it: those it passed over, and why.
alter table deliveries add column relay text;
alter table deliveries add column passed_over text;

-- Names of relays, one of which a queued delivery waits for: it is tried as soon as that one can be reached. Null: it waits for its time.
alter table deliveries add column waits_for text;
create index deliveries_waiting on deliveries (waits_for, account, run_at) where state = 'queued' and waits_for is not null;

-- What an operator wants of a relay: nothing more to it, or another try now.
create table relay_orders (
  relay text primary key,
  paused_at bigint,
  retry_at bigint
) {{clustered}};

-- What each process has last seen of a relay, written when it changes: one that was never away is in no row.
create table relay_reports (
  relay text not null,
  worker text not null,
  state text not null,
  since bigint not null,
  reply text,
  primary key (relay, worker)
) {{clustered}};
