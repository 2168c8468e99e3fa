-- What was taken of a relay's ceilings. `slice` 0: what a process may be using at this moment; otherwise mails that have left, by when. A
-- row counts until `ends_at`. Each process has rows of its own: what all have taken is a sum.
create table rate_uses (
  ceiling text not null,
  worker text not null,
  slice bigint not null,
  mails bigint not null,
  ends_at bigint not null,
  primary key (ceiling, worker, slice)
) {{clustered}};

-- Who takes more of a ceiling holds its row meanwhile.
create table rates (
  name text primary key,
  taken_at bigint not null
) {{clustered}};

-- What waits for a relay: of the same account, what was sent singly goes first there, too.
create index deliveries_waiting_kind on deliveries (waits_for, account, is_bulk, run_at)
  where state = 'queued' and waits_for is not null;
