-- What an operator is called for: one row for each trouble there ever was. `change` counts its beginnings and ends, and the last ones
-- that were told are beside it: whoever finds one untold tells it, once.
create table alerts (
  name text primary key,
  figure bigint not null,
  change bigint not null,
  began_at bigint not null,
  seen_at bigint not null,
  ended_at bigint,
  told_email bigint not null default 0,
  told_webhook bigint not null default 0,
  -- Until then another process is at it, or it is not tried again.
  webhook_at bigint not null default 0
);
