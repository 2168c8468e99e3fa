-- The text part of a mail whose author wrote only html, made before it was accepted; empty where none could be made.
-- Null where its author wrote one, or wanted none, or there is no html; and in rows that are older than this column.
alter table emails add column made_text {{bytes}};
