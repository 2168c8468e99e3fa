-- A file that several emails of one request carry: kept once, until the last of them is purged. A row of attachments that names
-- one has no content of its own.
create table shared_files (
  account text not null,
  id text not null,
  uses bigint not null,
  content {{bytes}} not null,
  primary key (account, id)
);
alter table attachments add column shared_file text;
