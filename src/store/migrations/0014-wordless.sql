-- Attempts that ended without a word, since the last one that had something to say: their process died, or their lease ran out.
alter table deliveries add column wordless bigint not null default 0;
-- How far an attempt that is made alone has come: 0 not begun (or made beside others), 1 begun, 2 composed, 3 known to be harmless.
alter table deliveries add column alone bigint not null default 0;
