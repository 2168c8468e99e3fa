// Brevo's SDK for Node, 6.x.
import { randomUUID } from 'node:crypto';
import { BrevoClient } from 'brevo-6';
import { attempt, fails, key, label, lossy, refused, url } from './calls.mjs';

const client = new BrevoClient({ apiKey: key, baseUrl: `${url}/v3`, maxRetries: 0 });
const losing = new BrevoClient({ apiKey: key, baseUrl: `${lossy}/v3`, maxRetries: 0 });
const keys = [randomUUID(), randomUUID(), randomUUID()];
const send = (subject, more = {}, via = client) =>
  via.transactionalEmails.sendTransacEmail({
    sender: { name: 'Acme', email: 'hello@example.com' },
    to: [{ email: 'ann@example.org' }],
    subject: `once: ${label} ${subject}`,
    htmlContent: '<p>Hi {{params.name}}</p>',
    params: { name: 'Ann' },
    ...more,
  });
const keyed = (index) => ({ headers: { idempotencyKey: keys[index] } });

await attempt('send', async () => (await send('send')).messageId.startsWith('<'));
const first = await attempt('send with a key', async () => (await send('key', keyed(0))).messageId);
await refused('replay', () => send('key', keyed(0)), 'duplicate_parameter');
await refused('conflict', () => send('other', keyed(0)), 'duplicate_parameter');
await fails(() => send('lost', keyed(1), losing));
await refused('lost answer', () => send('lost', keyed(1), losing), 'duplicate_parameter');
await attempt('versions', async () => {
  const messageVersions = ['a', 'b'].map((one) => ({
    to: [{ email: `${one}@example.org` }],
    subject: `once: ${label} version ${one}`,
  }));
  return (await send('versions', { to: undefined, messageVersions })).messageIds.length === 2;
});
await attempt('attachment', async () =>
  Boolean((await send('files', { attachment: [{ name: 'a.txt', content: 'aGVsbG8=' }] })).messageId),
);
await attempt('list', async () => Boolean(await client.transactionalEmails.getTransacEmailsList({ messageId: first })));
await attempt('events', async () => Boolean(await client.transactionalEmails.getEmailEventReport({})));
await attempt('reports', async () => (await client.transactionalEmails.getAggregatedSmtpReport({})).requests > 0);
await attempt(
  'blocked contacts',
  async () => (await client.transactionalEmails.getTransacBlockedContacts({})).count >= 0,
);
await attempt('templates', async () => (await client.transactionalEmails.getSmtpTemplates({})).count >= 1);
await attempt('senders', async () => Boolean(await client.senders.getSenders({})));
await attempt('domains', async () => Boolean(await client.domains.getDomains()));
await attempt('account', async () => (await client.account.getAccount()).email !== undefined);
await attempt('webhooks', async () => Boolean(await client.webhooks.getWebhooks({})));
await attempt('contacts', async () => {
  const email = `${keys[2]}@example.com`;
  const { id } = await client.contacts.createContact({ email });
  return id > 0 && (await client.contacts.getContactInfo({ identifier: email })).email === email;
});
await attempt('lists', async () => Boolean(await client.contacts.getLists({})));
await refused(
  'a missing field',
  () => client.transactionalEmails.sendTransacEmail({ subject: 'x' }),
  'missing_parameter',
);
await refused(
  'a wrong key',
  () => new BrevoClient({ apiKey: 'wrong', baseUrl: `${url}/v3`, maxRetries: 0 }).account.getAccount(),
  'unauthorized',
);
