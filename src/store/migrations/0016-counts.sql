-- How much waits, counted in the transactions that change it: a million queued deliveries are not read to be shown as a number.
-- `name` is what is counted: deliveries that are queued or in_doubt, tellings (of no account) that are untold. `writer` is the
-- connection that counted: each adds to rows of its own, so that none waits for another's commit. The sum counts.
create table counts (
  account text not null,
  name text not null,
  writer bigint not null,
  items bigint not null,
  recipients bigint not null,
  primary key (account, name, writer)
) {{clustered}};

-- The state it was in before the last move: an update tells what a row is, not what it was.
alter table deliveries add column moved_from text;

insert into counts (account, name, writer, items, recipients)
  select account, 'queued', 0, count(*), sum(recipient_count) from deliveries where state = 'queued' group by account;
insert into counts (account, name, writer, items, recipients)
  select account, 'in_doubt', 0, count(*), sum(recipient_count) from deliveries
  where state in ('sending', 'handoff', 'in_doubt') and state = 'in_doubt' group by account;
insert into counts (account, name, writer, items, recipients)
  select '', 'untold', 0, count(*), 0 from webhook_deliveries where state = 'pending' having count(*) > 0;

-- An account's deliveries in doubt in the order they are shown in. No other index knows `account || ''`.
create index deliveries_in_doubt on deliveries ((account || ''), email_id, part) where state = 'in_doubt';
