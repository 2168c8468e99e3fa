-- Webhooks that asked for what happens to contacts and domains before it was told.
insert into webhook_subscriptions (account, subject, webhook, enabled, per_recipient)
  select account, 'contact_created', number, enabled, 0 from webhooks
  where facade = 'resend' and deleted_at is null and events like '%"contact.created"%';
insert into webhook_subscriptions (account, subject, webhook, enabled, per_recipient)
  select account, 'contact_updated', number, enabled, 0 from webhooks
  where facade = 'resend' and deleted_at is null and events like '%"contact.updated"%';
insert into webhook_subscriptions (account, subject, webhook, enabled, per_recipient)
  select account, 'contact_deleted', number, enabled, 0 from webhooks
  where facade = 'resend' and deleted_at is null and events like '%"contact.deleted"%';
insert into webhook_subscriptions (account, subject, webhook, enabled, per_recipient)
  select account, 'domain_created', number, enabled, 0 from webhooks
  where facade = 'resend' and deleted_at is null and events like '%"domain.created"%';
insert into webhook_subscriptions (account, subject, webhook, enabled, per_recipient)
  select account, 'domain_updated', number, enabled, 0 from webhooks
  where facade = 'resend' and deleted_at is null and events like '%"domain.updated"%';
insert into webhook_subscriptions (account, subject, webhook, enabled, per_recipient)
  select account, 'domain_deleted', number, enabled, 0 from webhooks
  where facade = 'resend' and deleted_at is null and events like '%"domain.deleted"%';

-- Contacts in them are forgotten with their account.
create index events_of_contacts on events (account, id)
  where type in ('contact_created', 'contact_updated', 'contact_deleted', 'contact_listed');
