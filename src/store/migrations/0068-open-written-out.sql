-- The same index, its condition written out: for a list of three words SQLite makes a table each time a row is written.
drop index deliveries_open;
create index deliveries_open on deliveries (state, run_at)
  where state = 'sending' or state = 'handoff' or state = 'in_doubt';
