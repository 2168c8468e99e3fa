-- One mail to everybody in a segment. It becomes emails in steps, and the cursor moves in the transaction that accepts a step's.
create table broadcasts (
  account text not null,
  id text not null,
  -- JSON: what its author wrote.
  content text not null,
  status text not null check (status in ('draft', 'scheduled', 'queued', 'sent', 'canceled')),
  created_at bigint not null,
  scheduled_at bigint,
  sent_at bigint,
  -- The last contact that had its turn.
  cursor text not null default '',
  -- When somebody has to see to it. While a process does, until when it is left to that one.
  due_at bigint,
  -- Why it does not go on.
  trouble text,
  primary key (account, id)
) {{clustered}};
create index broadcasts_due on broadcasts (due_at) where due_at is not null;

-- Who got one: an address once, whatever becomes of its contact meanwhile.
create table broadcast_recipients (
  account text not null,
  broadcast text not null,
  address_key text not null,
  primary key (account, broadcast, address_key)
) {{clustered}};
