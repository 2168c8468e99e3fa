-- One row a writing connection: each transaction leaves its number here, so that whoever lost the answer to a COMMIT can
-- look up what became of it (docs/decisions/0020-lost-commits.md).

create table commits (
  writer text primary key,
  sequence bigint not null,
  at bigint not null
);
