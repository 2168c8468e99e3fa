-- Templates, numbered for each account from 1. A number is never given twice: programs hold them in their code.
-- 0 as the last number: the account has not got its sample template yet.

alter table accounts add column last_template_id bigint not null default 0;

create table templates (
  account text not null,
  id bigint not null,
  is_active bigint not null,
  test_sent bigint not null default 0,
  created_at bigint not null,
  modified_at bigint not null,
  content text not null,
  primary key (account, id)
);
