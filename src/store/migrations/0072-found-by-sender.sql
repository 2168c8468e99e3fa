-- Emails are found by sender and relay, too. Those that were indexed before are indexed again, the newest first: the position is
-- that of the oldest that has been.
insert into cursors (name, position)
  select 'senders ' || substr(name, 7), position from cursors where name like 'terms %' and position <> '';
