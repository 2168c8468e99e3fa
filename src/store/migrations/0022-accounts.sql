-- What an operator decides about accounts. A disabled one waits; one that was deleted keeps its name, so that nobody gets its history.
alter table accounts add column disabled_at bigint;
alter table accounts add column enabled_at bigint;
alter table accounts add column deleted_at bigint;
alter table accounts add column forgotten_at bigint;
alter table accounts add column requests_per_second bigint;
alter table accounts add column emails_per_day bigint;
alter table accounts add column stored_bytes_max bigint;

-- Domains an account may send from: `acme.test`, `*.acme.test` for those below it, `*` for any that no other account has.
create table account_domains (
  account text not null,
  domain text not null,
  created_at bigint not null,
  primary key (account, domain)
) {{clustered}};
-- Beside the first account a domain has one.
create unique index account_domains_owner on account_domains (domain) where domain <> '*' and account <> 'default';

-- Only of accounts that have such limits: a row that every acceptance of its account writes.
create table account_counts (
  account text primary key,
  day bigint not null,
  emails bigint not null,
  stored_bytes bigint not null
);

-- Until now an account could send as anybody, and goes on until an operator says otherwise.
insert into account_domains (account, domain, created_at) select id, '*', created_at from accounts where id <> 'default';
