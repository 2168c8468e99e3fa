-- Recipients whose mail was captured: among the delivered, and shown apart from them.
alter table rollups add column captured bigint not null default 0;
