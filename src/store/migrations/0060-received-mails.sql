-- Mail that came for a domain of an account, as it came. `hash` is the same where its server sends it again because our reply was lost.
create table received_mails (
  account text not null,
  id text not null,
  created_at bigint not null,
  hash {{bytes}} not null,
  -- JSON: whom it is from and for. Beside it what goes with the contents: its header, and the names of its files.
  summary text not null,
  details text,
  raw {{bytes}},
  purged_at bigint,
  primary key (account, id)
);
create unique index received_mails_by_hash on received_mails (account, hash);
create index received_mails_unpurged on received_mails (created_at) where purged_at is null;

-- Whether mail for it is taken, once it is verified.
alter table domains add column receives bigint not null default 0;
create index domains_receiving on domains (name) where receives = 1;

-- Webhooks that asked for this event before it happened here.
insert into webhook_subscriptions (account, subject, webhook, enabled, per_recipient)
  select account, 'received', number, enabled, 0 from webhooks
  where facade = 'resend' and deleted_at is null and events like '%"email.received"%';
