-- Ids of webhooks that were deleted not long ago: a form carries the id of the webhook it makes, and may be sent once more.

create table deleted_webhooks (
  id text primary key,
  deleted_at bigint not null
) {{clustered}};
create index deleted_webhooks_by_age on deleted_webhooks (deleted_at);

insert into deleted_webhooks (id, deleted_at) select id, deleted_at from webhooks where deleted_at is not null;
