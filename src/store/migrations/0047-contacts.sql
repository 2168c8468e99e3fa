-- People that accounts write to. Both APIs see the same ones: Resend's by id, Brevo's by number, and a segment is a list.
alter table accounts add column last_contact_number bigint not null default 0;
alter table accounts add column last_segment_number bigint not null default 0;
-- The first folder is there from the start.
alter table accounts add column last_folder_number bigint not null default 1;

create table contacts (
  account text not null,
  id text not null,
  number bigint not null,
  address text not null,
  -- As suppressions spell it.
  address_key text not null,
  first_name text,
  last_name text,
  unsubscribed_at bigint,
  properties text not null,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (account, id)
) {{clustered}};
create unique index contacts_by_address on contacts (account, address_key);
create unique index contacts_by_number on contacts (account, number);

create table folders (
  account text not null,
  number bigint not null,
  name text not null,
  primary key (account, number)
) {{clustered}};

create table segments (
  account text not null,
  id text not null,
  number bigint not null,
  name text not null,
  folder bigint not null,
  created_at bigint not null,
  primary key (account, id)
) {{clustered}};
create unique index segments_by_number on segments (account, number);

create table segment_contacts (
  account text not null,
  segment text not null,
  contact text not null,
  primary key (account, segment, contact)
) {{clustered}};
create index segment_contacts_by_contact on segment_contacts (account, contact);

create table topics (
  account text not null,
  id text not null,
  name text not null,
  description text,
  default_subscription text not null check (default_subscription in ('opt_in', 'opt_out')),
  is_public bigint not null,
  created_at bigint not null,
  primary key (account, id)
) {{clustered}};

create table topic_choices (
  account text not null,
  contact text not null,
  topic text not null,
  subscription text not null check (subscription in ('opt_in', 'opt_out')),
  primary key (account, contact, topic)
) {{clustered}};

create table contact_properties (
  account text not null,
  id text not null,
  name text not null,
  type text not null check (type in ('string', 'number')),
  fallback text not null,
  created_at bigint not null,
  primary key (account, id)
) {{clustered}};
create unique index contact_properties_by_name on contact_properties (account, name);
