-- The first schema. {{bytes}}, {{serial}} and {{clustered}} are the only words that differ between engines.
-- Times are epoch milliseconds. JSON is stored, never queried.

create table accounts (
  id text primary key,
  created_at bigint not null
);

-- Looked up by the hash of the token, before the account is known.
create table api_keys (
  hash {{bytes}} primary key,
  account text not null references accounts (id),
  id text not null unique,
  name text not null,
  permission text not null check (permission in ('full_access', 'sending_access')),
  created_at bigint not null,
  revoked_at bigint
);

create table settings (
  name text primary key,
  value text not null
);

-- One row per key, written in the transaction that accepts what the key names; its response is what a replay answers.
create table idempotency_keys (
  account text not null,
  key_hash {{bytes}} not null,
  scope text not null,
  raw_hash {{bytes}} not null,
  canonical_hash {{bytes}},
  status bigint not null,
  body text not null,
  email_ids text not null,
  created_at bigint not null,
  expires_at bigint not null,
  replays bigint not null default 0,
  conflicts bigint not null default 0,
  last_replay_at bigint,
  last_conflict_at bigint,
  uses text not null default '[]',
  primary key (account, key_hash)
);
create index idempotency_keys_expiry on idempotency_keys (expires_at);

-- Accepted messages: immutable but for a reschedule and the purge. The large columns come last.
create table emails (
  account text not null,
  id text not null,
  facade text not null,
  message_id text not null,
  created_at bigint not null,
  scheduled_at bigint,
  key_hash {{bytes}},
  summary text not null,
  purged_at bigint,
  content text,
  html {{bytes}},
  text {{bytes}},
  primary key (account, id)
);

create index emails_unpurged on emails (created_at) where purged_at is null;

create table attachments (
  account text not null,
  email_id text not null,
  position bigint not null,
  id text not null,
  filename text not null,
  content_type text not null,
  content_id text,
  path text,
  size_bytes bigint not null,
  content {{bytes}} not null,
  primary key (account, email_id, position)
);

-- One email x one SMTP transaction. `run_at` is schedule, back-off and lease at once.
create table deliveries (
  account text not null,
  email_id text not null,
  part bigint not null,
  state text not null check (state in
    ('queued', 'sending', 'handoff', 'in_doubt', 'sent', 'delivered', 'bounced', 'failed', 'suppressed', 'canceled')),
  attempt bigint not null default 0,
  handoff_attempt bigint,
  tries bigint not null default 0,
  failures bigint not null default 0,
  run_at bigint not null,
  give_up_at bigint not null,
  worker text,
  recipients text not null,
  recipient_count bigint not null,
  in_doubt_policy text check (in_doubt_policy in ('hold', 'send-again')),
  possible_duplicate bigint not null default 0,
  content_hash {{bytes}},
  gated_at bigint,
  reply text,
  primary key (account, email_id, part)
) {{clustered}};
create index deliveries_due on deliveries (account, run_at) where state = 'queued';
create index deliveries_open on deliveries (state, run_at) where state in ('sending', 'handoff', 'in_doubt');

create table events (
  id {{serial}},
  account text not null,
  email_id text not null,
  type text not null,
  at bigint not null,
  detail text not null
);
create index events_of_email on events (account, email_id, id);

create table workers (
  id text primary key,
  started_at bigint not null,
  beat_at bigint not null
);
