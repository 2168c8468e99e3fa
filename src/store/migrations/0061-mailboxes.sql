-- Mailboxes that bounces come to: which process reads each, until when, and how far it was read. UIDs mean nothing under another validity.
create table mailboxes (
  id text primary key,
  holder text not null,
  held_until bigint not null,
  uid_validity text not null,
  last_uid bigint not null
) {{clustered}};
