-- What an account asked of the API lately: without bodies, and without addresses in paths. The newest of each account stay.
create table request_logs (
  account text not null,
  id text not null,
  at bigint not null,
  method text not null,
  endpoint text not null,
  status bigint not null,
  user_agent text,
  primary key (account, id)
) {{clustered}};
