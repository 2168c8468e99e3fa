-- What came back about a mail after a relay had taken it: of each recipient (in lower case) each kind once. `part` is the delivery that it named.
create table notices (
  account text not null,
  email_id text not null,
  recipient text not null,
  kind text not null,
  part bigint not null,
  at bigint not null,
  primary key (account, email_id, recipient, kind)
) {{clustered}};

-- What came and matched nothing, for a while, so that people can look at it.
create table stray_notices (
  id {{serial}},
  at bigint not null,
  came_by text not null,
  why text not null,
  recipient text,
  sender text not null,
  subject text not null,
  bytes {{bytes}} not null
);
