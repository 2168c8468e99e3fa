-- Addresses an account must not mail, spelled as `suppressionKey` spells them. `source_id` is the email that taught it.

create table suppressions (
  account text not null,
  address text not null,
  id text not null,
  origin text not null check (origin in ('bounce', 'complaint', 'manual')),
  source_id text,
  reply text,
  created_at bigint not null,
  primary key (account, address)
) {{clustered}};
create unique index suppressions_by_id on suppressions (account, id);
