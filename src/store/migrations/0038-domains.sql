-- Domains that accounts send from, with the DKIM key that was made for each: the private half is sealed with SECRET_KEY.
create table domains (
  account text not null references accounts (id),
  id text not null,
  name text not null,
  region text not null,
  status text not null check (status in ('not_started', 'pending', 'verified', 'failed')),
  dkim_public text not null,
  dkim_sealed {{bytes}} not null,
  -- JSON: what was seen of each record.
  records text not null,
  created_at bigint not null,
  asked_at bigint,
  checked_at bigint,
  check_at bigint,
  primary key (account, id)
) {{clustered}};
create unique index domains_by_name on domains (account, name);
-- Whoever has shown that it is theirs has it alone.
create unique index domains_verified on domains (name) where status = 'verified';
create index domains_due on domains (check_at) where check_at is not null;
