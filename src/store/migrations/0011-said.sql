-- What the last reply was, as data: class, code, enhanced code (core/reply.ts). Null in rows that are older than this column.
alter table deliveries add column said text;
