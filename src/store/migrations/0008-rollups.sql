-- What the page counts and searches by. Accepting and delivering write nothing here: a chore reads what they wrote and goes on
-- from where it was, so that figures add up through crashes.

-- Recipients by what became of them, and keys that were used again, for each hour (hours since the epoch).
create table rollups (
  account text not null,
  hour bigint not null,
  accepted bigint not null default 0,
  sent bigint not null default 0,
  delivered bigint not null default 0,
  bounced bigint not null default 0,
  suppressed bigint not null default 0,
  failed bigint not null default 0,
  canceled bigint not null default 0,
  replays bigint not null default 0,
  conflicts bigint not null default 0,
  primary key (account, hour)
) {{clustered}};

-- How far each chore has come: an email's id, or an event's.
create table cursors (
  name text primary key,
  position text not null
);

-- One row for each thing an email is found by. Terms are bytes: a range of them is then a prefix on every engine.
create table search_terms (
  account text not null,
  term {{bytes}} not null,
  email_id text not null,
  primary key (account, term, email_id)
) {{clustered}};
