-- Who is told of events, what they are to be told, and how each telling went.

create table webhooks (
  number {{serial}},
  id text not null unique,
  account text not null,
  facade text not null check (facade in ('resend', 'brevo')),
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
create index webhooks_of_account on webhooks (account, number);

-- What an event looks up: one row for each kind of event a webhook wants.
create table webhook_subscriptions (
  account text not null,
  subject text not null,
  webhook bigint not null,
  enabled bigint not null check (enabled in (0, 1)),
  per_recipient bigint not null check (per_recipient in (0, 1)),
  primary key (account, subject, webhook)
) {{clustered}};
create index webhook_subscriptions_of on webhook_subscriptions (webhook);

-- One event x one webhook (x one recipient, where the contract has it so). `run_at` is back-off and lease at once.
create table webhook_deliveries (
  webhook bigint not null,
  email_id text not null,
  event bigint not null,
  position bigint not null,
  id text not null,
  type text not null,
  state text not null check (state in ('pending', 'delivered', 'failed')),
  attempt bigint not null default 0,
  tries bigint not null default 0,
  run_at bigint not null,
  worker text,
  created_at bigint not null,
  primary key (webhook, email_id, event, position)
) {{clustered}};
create unique index webhook_deliveries_by_id on webhook_deliveries (webhook, id, position);
create index webhook_deliveries_due on webhook_deliveries (webhook, run_at) where state = 'pending';

create table webhook_attempts (
  webhook bigint not null,
  delivery text not null,
  position bigint not null,
  attempt bigint not null,
  id text not null,
  at bigint not null,
  took_ms bigint not null,
  status bigint,
  failure text,
  response text not null,
  primary key (webhook, delivery, position, attempt)
) {{clustered}};
