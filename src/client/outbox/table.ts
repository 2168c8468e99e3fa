/** The outbox's table: a contract with the caller, who writes rows by plain SQL in transactions of its own (docs/outbox.md). */

export type OutboxEngine = 'postgres' | 'sqlite';

/** What `sendonce outbox init` runs, and `--print` shows. May be run again: what is there stays. */
export function tableSql(engine: OutboxEngine): string {
  return engine === 'postgres' ? postgres : sqlite;
}

/** Drains listen to it. */
export const outboxChannel = 'sendonce_outbox';

/** The rows a drain may look at: of a batch, its first row speaks for all. */
const leading = `(batch is null or batch = id)`;
/** The rows that are not done with: while one is parked, its group waits behind it. */
const open = `state in ('waiting', 'parked')`;

// An id is part of a header: what could be cut off, folded or taken for a batch's would name another operation.
const postgres = `create table if not exists sendonce_outbox (
  -- Yours to write: id and payload, and where they matter facade, endpoint, not_before, ordering.
  id text not null unique default gen_random_uuid()::text
    check (id ~ '^[!-~]{1,240}$' and id not like 'batch/%'),
  payload text not null,
  facade text not null default 'resend' check (facade in ('resend', 'brevo')),
  endpoint text not null default '/emails' check (endpoint like '/%'),
  not_before timestamptz,
  ordering text,
  -- The drain's to write.
  seq bigint generated always as identity primary key,
  created_at timestamptz not null default now(),
  state text not null default 'waiting' check (state in ('waiting', 'sent', 'parked', 'dropped')),
  run_at timestamptz,
  claim text,
  attempts integer not null default 0,
  unknown_since timestamptz,
  batch text,
  email_ids text,
  parked_because text check (parked_because in ('refused', 'conflict', 'unknown')),
  last_error text,
  settled_at timestamptz
);
create index if not exists sendonce_outbox_due on sendonce_outbox
  (coalesce(run_at, not_before, '-infinity'::timestamptz), seq)
  where state = 'waiting' and ordering is null and ${leading};
create index if not exists sendonce_outbox_groups on sendonce_outbox (ordering, seq)
  where ${open} and ordering is not null;
create index if not exists sendonce_outbox_batches on sendonce_outbox (batch) where ${open} and batch is not null;
create or replace function sendonce_outbox_wake() returns trigger language plpgsql as $$
begin
  perform pg_notify('${outboxChannel}', '');
  return null;
end $$;
drop trigger if exists sendonce_outbox_wake on sendonce_outbox;
create trigger sendonce_outbox_wake after insert on sendonce_outbox
  for each statement execute function sendonce_outbox_wake();
`;

const sqlite = `create table if not exists sendonce_outbox (
  -- Yours to write: id and payload, and where they matter facade, endpoint, not_before (ISO 8601, UTC), ordering.
  id text not null unique default (lower(hex(randomblob(16))))
    check (length(id) between 1 and 240 and id not glob '*[^!-~]*' and id not like 'batch/%'),
  payload text not null check (typeof(payload) = 'text'),
  facade text not null default 'resend' check (facade in ('resend', 'brevo')),
  endpoint text not null default '/emails' check (endpoint like '/%'),
  not_before text check (not_before is null or julianday(not_before) is not null),
  ordering text,
  -- The drain's to write; times are milliseconds since 1970.
  seq integer primary key autoincrement,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  state text not null default 'waiting' check (state in ('waiting', 'sent', 'parked', 'dropped')),
  run_at integer,
  claim text,
  attempts integer not null default 0,
  unknown_since integer,
  batch text,
  email_ids text,
  parked_because text check (parked_because in ('refused', 'conflict', 'unknown')),
  last_error text,
  settled_at integer
);
create index if not exists sendonce_outbox_due on sendonce_outbox
  (coalesce(run_at, cast((julianday(not_before) - 2440587.5) * 86400000.0 as integer), 0), seq)
  where state = 'waiting' and ordering is null and ${leading};
create index if not exists sendonce_outbox_groups on sendonce_outbox (ordering, seq)
  where ${open} and ordering is not null;
create index if not exists sendonce_outbox_batches on sendonce_outbox (batch) where ${open} and batch is not null;
`;

/** When a row is due, as the indexes above have it. */
export const dueAt: Record<OutboxEngine, string> = {
  postgres: `coalesce(run_at, not_before, '-infinity'::timestamptz)`,
  sqlite: `coalesce(run_at, cast((julianday(not_before) - 2440587.5) * 86400000.0 as integer), 0)`,
};
