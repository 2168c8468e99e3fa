// Resend's SDK for Node.
import { Resend } from 'resend';
import { attempt, fails, fixtures, key, label, lossy, refused, url } from './calls.mjs';

const resend = new Resend(key, { baseUrl: url });
const losing = new Resend(key, { baseUrl: lossy });
const mail = { from: 'Acme <onboarding@resend.dev>', to: ['foo@gmail.com'], html: '<p>Hi</p>' };
const named = (subject, more = {}) => ({ ...mail, subject: `once: ${label} ${subject}`, ...more });
const keyed = (name) => ({ idempotencyKey: `${label}/${name}` });

async function dataOf(answer) {
  const { data, error } = await answer;
  if (error) throw Object.assign(new Error(error.message), { name: error.name });
  return data;
}

const send = (one, options, via = resend) => dataOf(via.emails.send(one, options));

await attempt('send', async () => (await send(named('send'))).id.length === 36);
const first = await attempt('send with a key', async () => (await send(named('key'), keyed('key'))).id);
await attempt('replay', async () => (await send(named('key'), keyed('key'))).id === first);
await refused('conflict', () => send(named('other'), keyed('key')), 'request body was modified');
await attempt('lost answer', async () => {
  const once = () => send(named('lost'), keyed('lost'), losing);
  return (await fails(once)) && (await once()).id.length === 36;
});
await attempt(
  'batch',
  async () => (await dataOf(resend.batch.send([named('batch 1'), named('batch 2')]))).data.length === 2,
);
await attempt('batch with a key', async () => {
  const once = async () => (await dataOf(resend.batch.send([named('keyed batch')], keyed('batch')))).data[0].id;
  const first = await once();
  return first === (await once());
});
await attempt('batch, permissive', async () => {
  const both = [named('permissive'), named('refused', { to: ['nobody'] })];
  const { data, errors } = await dataOf(resend.batch.send(both, { batchValidation: 'permissive' }));
  return data.length === 1 && errors[0].index === 1;
});
const files = [
  { filename: 'a.txt', content: Buffer.from('hello') },
  { filename: 'logo.png', content: Buffer.from('png'), contentId: 'logo' },
];
await attempt('attachment, inline image', async () => Boolean((await send(named('files', { attachments: files }))).id));
const later = await attempt(
  'schedule',
  async () => (await send({ ...mail, subject: 'later', scheduledAt: 'in 1 hour' })).id,
);
await attempt(
  'reschedule',
  async () => (await dataOf(resend.emails.update({ id: later, scheduledAt: 'in 2 hours' }))).id === later,
);
await attempt('cancel', async () => (await dataOf(resend.emails.cancel(later))).id === later);
await attempt('get', async () => (await dataOf(resend.emails.get(first))).id === first);
await attempt('list', async () => (await dataOf(resend.emails.list())).data.length > 5);
for (const [name, id] of fixtures)
  await attempt(`read a ${name} email`, async () => (await dataOf(resend.emails.get(id))).id === id);
await refused('a bad address', () => send(named('bad', { to: ['nobody'] })), 'email@example.com');
const domain = await attempt(
  'create a domain',
  async () => (await dataOf(resend.domains.create({ name: `${label.replace(/ /g, '-')}.example.com` }))).id,
);
await attempt('get, verify, list, remove domains', async () => {
  const seen = await dataOf(resend.domains.get(domain));
  await dataOf(resend.domains.verify(domain));
  const { data } = await dataOf(resend.domains.list());
  return seen.id === domain && data.length > 0 && (await dataOf(resend.domains.remove(domain))).deleted;
});
const made = await attempt('create an API key', () =>
  dataOf(resend.apiKeys.create({ name: label, permission: 'sending_access' })),
);
await attempt('list, remove API keys', async () => {
  const { data } = await dataOf(resend.apiKeys.list());
  return data.length > 0 && Boolean(await dataOf(resend.apiKeys.remove(made.id)));
});
const hook = await attempt(
  'create a webhook',
  async () =>
    (await dataOf(resend.webhooks.create({ endpoint: 'https://example.com/hook', events: ['email.sent'] }))).id,
);
await attempt('get, list, remove webhooks', async () => {
  const seen = await dataOf(resend.webhooks.get(hook));
  const { data } = await dataOf(resend.webhooks.list());
  return seen.id === hook && data.length > 0 && (await dataOf(resend.webhooks.remove(hook))).deleted;
});
const { HOOK_BODY: payload, HOOK_SECRET: webhookSecret, HOOK_ID: id } = process.env;
const headers = { id, timestamp: process.env.HOOK_TIMESTAMP, signature: process.env.HOOK_SIGNATURE };
await attempt(
  'verify a webhook',
  () => resend.webhooks.verify({ payload, headers, webhookSecret }).type === 'email.bounced',
);
await refused(
  'a webhook that was changed',
  () => resend.webhooks.verify({ payload: `${payload} `, headers, webhookSecret }),
  '',
);
const template = await attempt('create a template', async () => {
  const terms = {
    name: label,
    from: mail.from,
    subject: `once: ${label} template`,
    html: '<p>{{{NAME}}}</p>',
    variables: [{ key: 'NAME', type: 'string' }],
  };
  return (await dataOf(resend.templates.create(terms))).id;
});
await attempt('publish and send a template', async () => {
  await dataOf(resend.templates.publish(template));
  return Boolean(
    (await send({ from: mail.from, to: mail.to, template: { id: template, variables: { NAME: 'Ann' } } })).id,
  );
});
const audience = await attempt(
  'create an audience',
  async () => (await dataOf(resend.audiences.create({ name: label }))).id,
);
await attempt('contacts', async () => {
  await dataOf(
    resend.contacts.create({ audienceId: audience, email: `n${label.length}@example.com`, firstName: 'Ann' }),
  );
  return (await dataOf(resend.contacts.list({ audienceId: audience }))).data.length === 1;
});
await refused(
  'a wrong key',
  () => send(named('wrong'), undefined, new Resend('re_wrong', { baseUrl: url })),
  'API key is invalid',
);
