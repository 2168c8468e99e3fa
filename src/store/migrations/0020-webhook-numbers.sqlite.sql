-- SQLite gives the number of a deleted webhook again unless it is told to remember: the table is made anew with autoincrement.

create table webhooks_numbered_once (
  number integer primary key autoincrement,
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
insert into webhooks_numbered_once
  (number, id, account, facade, url, events, options, secret, previous_secret, previous_until, enabled, failing_since,
   created_at, modified_at, deleted_at)
select number, id, account, facade, url, events, options, secret, previous_secret, previous_until, enabled, failing_since,
   created_at, modified_at, deleted_at
from webhooks;
drop table webhooks;
alter table webhooks_numbered_once rename to webhooks;
create index webhooks_of_account on webhooks (account, number);
