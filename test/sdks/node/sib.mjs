// Brevo's SDK for Node of before: sib-api-v3-sdk.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { attempt, fails, key, label, lossy, refused, url } from './calls.mjs';

const sdk = createRequire(import.meta.url)('sib-api-v3-sdk');
const api = (name, base = url, token = key) => {
  const client = new sdk.ApiClient();
  client.basePath = `${base}/v3`;
  client.authentications['api-key'].apiKey = token;
  return new sdk[name](client);
};
const emails = api('TransactionalEmailsApi');
const losing = api('TransactionalEmailsApi', lossy);
const keys = [randomUUID(), randomUUID(), randomUUID()];
const send = (subject, more = {}, via = emails) =>
  via.sendTransacEmail({
    sender: { name: 'Acme', email: 'hello@example.com' },
    to: [{ email: 'ann@example.org' }],
    subject: `once: ${label} ${subject}`,
    htmlContent: '<p>Hi {{params.name}}</p>',
    params: { name: 'Ann' },
    ...more,
  });
const keyed = (index) => ({ headers: { idempotencyKey: keys[index] } });

await attempt('send', async () => (await send('send')).messageId.startsWith('<'));
await attempt('send with a key', async () => (await send('key', keyed(0))).messageId);
await refused('replay', () => send('key', keyed(0)), 'duplicate_parameter');
await refused('conflict', () => send('other', keyed(0)), 'duplicate_parameter');
await fails(() => send('lost', keyed(1), losing));
await refused('lost answer', () => send('lost', keyed(1), losing), 'duplicate_parameter');
await attempt('attachment', async () =>
  Boolean((await send('files', { attachment: [{ name: 'a.txt', content: 'aGVsbG8=' }] })).messageId),
);
await attempt('events', async () => Boolean(await emails.getEmailEventReport()));
await attempt('reports', async () => (await emails.getAggregatedSmtpReport()).requests > 0);
await attempt('templates', async () => (await emails.getSmtpTemplates()).count >= 1);
await attempt('senders', async () => Boolean(await api('SendersApi').getSenders()));
await attempt('account', async () => (await api('AccountApi').getAccount()).email !== undefined);
await attempt(
  'contacts',
  async () => (await api('ContactsApi').createContact({ email: `${keys[2]}@example.com` })).id > 0,
);
await refused('a missing field', () => emails.sendTransacEmail({ subject: 'x' }), 'missing_parameter');
await refused('a wrong key', () => api('AccountApi', url, 'wrong').getAccount(), 'unauthorized');
