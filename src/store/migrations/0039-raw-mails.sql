-- A mail that its client wrote whole: it leaves in these bytes. What the other columns say of it was read in them, for showing.
alter table emails add column raw {{bytes}};
