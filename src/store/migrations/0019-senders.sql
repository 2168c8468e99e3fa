-- The last number an account's senders were given: none is given twice, programs hold them in their code.

alter table accounts add column last_sender_id bigint not null default 0;
update accounts set last_sender_id =
  (select coalesce(max(senders.id), 0) from senders where senders.account = accounts.id);
