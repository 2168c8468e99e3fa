-- What reports are about, by the day (days since the epoch, UTC): of all emails (`about` is ''), of those with a tag ('tag NAME'),
-- of those of a template ('template 5'). Recipients, each once an email, less those whose log was deleted. A chore adds to it.
create table report_counts (
  account text not null,
  about text not null,
  day bigint not null,
  requests bigint not null default 0,
  delivered bigint not null default 0,
  hard_bounces bigint not null default 0,
  soft_bounces bigint not null default 0,
  complaints bigint not null default 0,
  blocked bigint not null default 0,
  primary key (account, about, day)
) {{clustered}};

-- What reports list; that a relay took a mail is in none.
create index events_reported on events (account, type, id)
  where type in ('delivered', 'delivery_delayed', 'bounced', 'complained', 'failed', 'suppressed');
