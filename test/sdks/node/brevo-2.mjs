// Brevo's SDKs for Node, 2.x and 3.x.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { attempt, fails, key, label, lossy, packageName, refused, url } from './calls.mjs';

const sdk = createRequire(import.meta.url)(packageName);
const api = (name, base = url, token = key) => {
  const one = new sdk[name](`${base}/v3`);
  one.setApiKey(0, token);
  return one;
};
const emails = api('TransactionalEmailsApi');
const losing = api('TransactionalEmailsApi', lossy);
const keys = [randomUUID(), randomUUID(), randomUUID()];
const send = async (subject, more = {}, via = emails) => {
  const terms = Object.assign(new sdk.SendSmtpEmail(), {
    sender: { name: 'Acme', email: 'hello@example.com' },
    to: [{ email: 'ann@example.org' }],
    subject: `once: ${label} ${subject}`,
    htmlContent: '<p>Hi {{params.name}}</p>',
    params: { name: 'Ann' },
    ...more,
  });
  return (await via.sendTransacEmail(terms)).body;
};
const keyed = (index) => ({ headers: { idempotencyKey: keys[index] } });

await attempt('send', async () => (await send('send')).messageId.startsWith('<'));
await attempt('send with a key', async () => (await send('key', keyed(0))).messageId);
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
await attempt('events', async () => Boolean((await emails.getEmailEventReport()).body));
await attempt('reports', async () => (await emails.getAggregatedSmtpReport()).body.requests > 0);
await attempt('blocked contacts', async () => Boolean((await emails.getTransacBlockedContacts()).body));
await attempt('templates', async () => (await emails.getSmtpTemplates()).body.count >= 1);
await attempt('senders', async () => Boolean((await api('SendersApi').getSenders()).body));
await attempt('account', async () => (await api('AccountApi').getAccount()).body.email !== undefined);
await attempt('contacts', async () => {
  const contact = Object.assign(new sdk.CreateContact(), { email: `${keys[2]}@example.com` });
  return (await api('ContactsApi').createContact(contact)).body.id > 0;
});
await refused(
  'a missing field',
  () => emails.sendTransacEmail(Object.assign(new sdk.SendSmtpEmail(), { subject: 'x' })),
  'missing_parameter',
);
await refused('a wrong key', () => api('AccountApi', url, 'wrong').getAccount(), 'unauthorized');
