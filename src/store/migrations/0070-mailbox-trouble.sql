-- Since when a mailbox cannot be read, and when that was last seen.
alter table mailboxes add column failing_since bigint;
alter table mailboxes add column failed_at bigint;
