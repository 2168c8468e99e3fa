-- What Brevo's API finds emails and senders by. Emails themselves stay as they are: only a scheduled Brevo send writes here.

create table batches (
  account text not null,
  batch_id text not null,
  email_id text not null,
  primary key (account, batch_id, email_id)
) {{clustered}};

-- Senders are named by small numbers, counted in each account.
create table senders (
  account text not null,
  id bigint not null,
  name text not null,
  email text not null,
  created_at bigint not null,
  primary key (account, id),
  unique (account, email)
);
