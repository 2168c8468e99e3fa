-- Which facades there are is the program's to say. SQLite drops no constraint: the table is made anew without it.

create table webhooks_of_any_facade (
  number {{serial}},
  id text not null unique,
  account text not null,
  facade text not null,
  url text not null,
  events text not null,
  options text not null,
  secret text not null,
  previous_secret text,
  previous_until bigint,
  enabled bigint not null check (enabled in (0, 1)),
  failing_since bigint,
  created_at bigint not null,
  modified_at bigint not null,
  deleted_at bigint
);
insert into webhooks_of_any_facade
  (number, id, account, facade, url, events, options, secret, previous_secret, previous_until, enabled, failing_since,
   created_at, modified_at, deleted_at)
select number, id, account, facade, url, events, options, secret, previous_secret, previous_until, enabled, failing_since,
   created_at, modified_at, deleted_at
from webhooks;
drop table webhooks;
alter table webhooks_of_any_facade rename to webhooks;
create index webhooks_of_account on webhooks (account, number);
